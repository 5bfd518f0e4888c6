"""Looking is one thing, clearing and reading others' reasons another (X10); and whose pause an owner may end."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.fakes.host_standin import host_of
from xman import arguments, grammar, verbs
from xman.errors import DeniedError, RefusedError
from xman.result import Result
from xmand.answer import Answer
from xmand.authorize import Access
from xmand.authorize.principals import Principals
from xmand.journal.entries import Change
from xmand.settings import Settings
from xmand.verbs import HANDLERS
from xmand.verbs.call import Call

ADMIN, OWNER, OTHER = "admin@R", "owner@R", "other@R"


def rows(told: Result) -> list[dict[str, Any]]:
    """Return all that comes in pages."""
    assert told.pages is not None
    return [row for page in told.pages.rows for row in page]


class Bench:
    """A host with libvirt's test domain; who is an administrator is said by the name."""

    def __init__(self, directory: Path) -> None:
        self.connected = libvirt.open("test:///default")
        self.host = host_of(self, Settings(state_dir=str(directory)))

    def connection(self, _purpose: str) -> Any:
        return self.connected

    def run(self, principal: str, name: str, *words: str, audits: bool = True, restricted: bool = False) -> Result:
        """Give a command."""
        access = Access(
            frozenset(verbs.BY_NAME),
            restricted=restricted,
            audits=lambda: audits,
            administers=lambda who: who == ADMIN,
        )
        parsed = arguments.parse(verbs.BY_NAME[name], list(words))
        done = HANDLERS[name](Call(self.host, principal, access, parsed, time.monotonic() + 10, lambda _text: None))
        assert isinstance(done, Result)
        return done


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.connected.close()


def test_an_owner_does_not_end_an_administrators_pause(bench: Bench) -> None:
    bench.run(ADMIN, "pause", "test")

    with pytest.raises(RefusedError, match=f"was paused by {ADMIN}"):
        bench.run(OWNER, "unpause", "test", restricted=True)
    assert bench.run(ADMIN, "unpause", "test").changed


@pytest.mark.parametrize("who", [OWNER, OTHER], ids=["his own", "the owner's before him"])
def test_an_owner_ends_an_owners_pause(bench: Bench, who: str) -> None:
    bench.run(who, "pause", "test", restricted=True)

    assert bench.run(OWNER, "unpause", "test", restricted=True).changed


def test_nor_one_that_was_made_past_us(bench: Bench) -> None:
    bench.connected.lookupByName("test").suspend()

    with pytest.raises(RefusedError, match="somebody with access to libvirt"):
        bench.run(OWNER, "unpause", "test", restricted=True)


def test_a_pause_that_an_administrator_wants_too_is_his(bench: Bench) -> None:
    bench.run(OWNER, "pause", "test", restricted=True)
    assert not bench.run(ADMIN, "pause", "test").changed

    with pytest.raises(RefusedError, match="was paused by"):
        bench.run(OWNER, "unpause", "test", restricted=True)


def test_to_look_at_the_buffer_is_not_to_clear_it(bench: Bench) -> None:
    bench.host.ring.add("a line")

    with pytest.raises(DeniedError):
        bench.run(OTHER, "dmesg", "--clear", audits=False)
    assert bench.run(OTHER, "dmesg", audits=False).data["lines"]
    assert bench.run(OTHER, "dmesg", "--clear").changed


def test_others_reasons_are_not_for_everybody(bench: Bench) -> None:
    for number, principal in enumerate((ADMIN, OTHER)):
        change = Change(principal, f"{number:032}", "d", "p", "pause", "test", f"why {principal}", {})
        bench.host.journal.end(bench.host.journal.begin(change).id, Answer(0))

    told = bench.run(OTHER, "log", audits=False)
    whole = bench.run(OTHER, "log")

    assert [entry.get("reason") for entry in rows(told)] == [None, f"why {OTHER}"]
    assert [entry.get("reason") for entry in rows(whole)] == [f"why {ADMIN}", f"why {OTHER}"]
    assert any("audit" in note for note in told.notes)


@pytest.mark.parametrize(
    ("words", "audits"), [(("host",), False), (("log", "dmesg"), False), (("host", "audit"), True)]
)
def test_the_family_is_granted_by_its_name_alone(words: tuple[str, ...], audits: bool) -> None:
    grant = Principals({OTHER: words}).grant(OTHER)

    assert grant is not None
    assert (grammar.AUDIT in grant.verbs) is audits
