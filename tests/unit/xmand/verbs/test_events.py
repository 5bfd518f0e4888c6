"""events (`xmand.verbs.show`): which of what happened is told to whom."""

import time
from typing import Any

import pytest

from tests.fakes.host_standin import host_of
from xman import arguments, verbs
from xman.errors import NoSuchDomainError
from xman.result import Result
from xmand.authorize import Access
from xmand.verbs import show
from xmand.verbs.call import Call
from xmand.virt.events import LOST, Event


class Found:
    """A stand-in for a domain that is there."""

    uuid = "uuid of vm1"


class Bench:
    """A host on which `vm1` is, `vm2` was, and libvirt was lost once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host_of(None)
        self.events = self.host.events
        monkeypatch.setattr(Call, "reader", None)
        monkeypatch.setattr(show, "find", self._find)
        for name in ("vm1", "vm2"):
            self.events.publish(Event("started", "booted", name, f"uuid of {name}", 1.0))
        self.events.publish(Event(LOST, at=2.0))

    def run(self, *words: str, seconds: float = 5.0, emit: Any = None) -> Result:
        """Run the verb."""
        parsed = arguments.parse(verbs.BY_NAME["events"], list(words))
        access, deadline = Access(frozenset()), time.monotonic() + seconds
        return show.events(Call(self.host, "alice@R", access, parsed, deadline, lambda _text: None, emit))

    def _find(self, _connection: object, word: str) -> Found:
        if word != "vm1":
            raise NoSuchDomainError(word)
        return Found()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ["vm1", "vm2", "-"]),
        (["vm1"], ["vm1", "-"]),
        (["vm2"], ["vm2", "-"]),
        (["vm1", "vm2"], ["vm1", "vm2", "-"]),
    ],
)
def test_what_is_about_libvirt_is_told_to_everybody(bench: Bench, words: list[str], told: list[str]) -> None:
    assert [event.get("domain", "-") for event in bench.run(*words).data["events"]] == told


def test_one_that_never_was_is_refused(bench: Bench) -> None:
    with pytest.raises(NoSuchDomainError):
        bench.run("vm3")


def test_a_follower_is_told_what_happens_from_now_on(bench: Bench) -> None:
    parts: list[Result] = []

    def emit(part: Result | None) -> None:
        if part is not None:
            parts.append(part)
        elif not parts:
            bench.events.publish(Event("suspended", "paused", "vm2", "uuid of vm2", 3.0))
            bench.events.publish(Event("suspended", "paused", "vm1", "uuid of vm1", 3.0))

    bench.run("--follow", "vm1", seconds=0.2, emit=emit)

    assert [(part.domain, part.data["events"][0]["event"]) for part in parts] == [("vm1", "suspended")]
