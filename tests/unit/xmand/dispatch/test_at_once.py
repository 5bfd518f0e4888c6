"""What is answered in the turn in which it is asked for (`Dispatcher.at_once`), and what is not."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.xmand.dispatch.test_ages import DOMAIN, Aged
from tests.unit.xmand.dispatch.test_dispatcher import ALICE, Replies
from xmand.authorize import k5login
from xmand.dispatch import telling
from xmand.model.kept import Kept, Read
from xmand.request import Peer
from xmand.system import mounts

LIST = (b"list", b"--max-age=60", b"--")
AN_HOUR = 3600


class House(Aged):
    """A host whose list of administrators is old enough to be told by its file alone, and was read."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.commands.list_now()

    def ask(self, *words: bytes, refused: str = "", lifetime: int = AN_HOUR) -> Replies | None:
        """Return what is said at once; None where nothing is."""
        peer, reply = Peer("192.0.2.7:40000"), Replies()
        peer.principal, peer.refused = ALICE, refused
        return reply if self.commands.at_once(peer, lifetime, list(words), reply) else None


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(k5login, "_RACY_SECONDS", -AN_HOUR)
    monkeypatch.setattr(mounts, "local", lambda *_which: True)
    return House(tmp_path)


@pytest.mark.parametrize("words", [(), (b"--json",)], ids=["text", "json"])
def test_it_is_what_is_said_otherwise(house: House, words: tuple[bytes, ...]) -> None:
    at_once = house.ask(*LIST[:2], *words)
    house.list.touch()  # so that it has to be read, which a worker does

    assert house.ask(*LIST[:2], *words) is None
    later = house.run(*LIST[:2], *words)

    assert at_once is not None
    assert (at_once.status, at_once.outputs[2]) == (later.status, later.outputs[2])
    assert at_once.outputs[1].partition(b'"result"')[2] == later.outputs[1].partition(b'"result"')[2]
    assert words or at_once.outputs[1] == later.outputs[1]


def test_the_audit_has_both_lines(house: House) -> None:
    assert house.ask(*LIST) is not None

    assert [line.split()[0] for line in house.audit] == ['ev="begin"', 'ev="end"']
    assert all('princ="alice@XMAN.TEST"' in line and 'verb="list"' in line for line in house.audit)


@pytest.mark.parametrize(
    "words",
    [
        (b"list",),
        (b"list", b"--max-age=0"),
        (b"list", b"--max-age=60", b"--follow"),
        (b"list", b"--max-age=60", b"nosuch"),
        (b"list", b"--max-age=60", b"--colour"),
        (b"list", b"--max-age=soon"),
        (b"info", b"--max-age=60"),
        (b"pause", b"--max-age=60", b"vm1"),
        (b"nosuch", b"--max-age=60"),
        (),
    ],
    ids=lambda words: b" ".join(words).decode(),
)
def test_what_the_model_has_not_is_left_to_others(house: House, words: tuple[bytes, ...]) -> None:
    assert house.ask(*words) is None
    assert house.audit == []


def test_removal_from_the_list_is_felt_at_the_next_command(house: House) -> None:
    assert house.ask(*LIST) is not None
    house.list.write_bytes(b"bob@XMAN.TEST\n")

    assert house.ask(*LIST) is None
    assert house.run(*LIST).error


def test_who_is_not_on_the_list_gets_nothing(house: House) -> None:
    house.list.write_bytes(b"bob@XMAN.TEST\n")
    house.commands.list_now()
    house.audit.clear()

    assert house.ask(*LIST) is None
    assert house.audit == []


def test_a_refused_name_gets_nothing(house: House) -> None:
    assert house.ask(*LIST, refused="an anonymous one") is None


def test_a_ticket_that_has_ended_gets_nothing(house: House) -> None:
    assert house.ask(*LIST, lifetime=0) is None


def test_one_for_whom_there_is_no_room_gets_nothing(house: House) -> None:
    peer = Peer("192.0.2.7:40000")
    peer.principal, peer.refused, peer.no_room = ALICE, "", True

    assert not house.commands.at_once(peer, AN_HOUR, list(LIST), Replies())


def test_what_has_changed_is_left_to_others(house: House) -> None:
    house.model.domains.touch(str(DOMAIN["uuid"]))

    assert house.ask(*LIST) is None


def test_a_libvirt_that_tells_nothing_is_left_to_others(house: House) -> None:
    house.told = False

    assert house.ask(*LIST) is None


def test_a_long_answer_is_left_to_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_LONG", 10)

    assert house.ask(*LIST) is None
    assert house.audit == []


def test_what_cannot_be_shown_is_left_to_others(house: House) -> None:
    broken = SimpleNamespace()
    house.model.domains = Kept(lambda _held: Read({}, [broken]), lambda: True)  # type: ignore[list-item]
    house.model.domains.read(60.0, time.monotonic() + 1.0)

    assert house.ask(*LIST) is None
    assert house.audit == []
