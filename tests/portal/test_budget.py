"""How much a host may report, and that it waits where that is more (`budget` and `listener` of `rxmweb.worker`)."""

import asyncio
import resource
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from rxmweb.db.report import NotAReportError
from rxmweb.worker import listener
from rxmweb.worker.budget import BURST, LEAST, RATE, Budgets
from rxmweb.worker.listener import Conversation, Listener
from rxmweb.worker.listening import descriptors
from xman.reporting import Wish
from xman.server_session import Authenticated, CommandReceived
from xman.throttle import Throttle


def test_what_a_host_has_to_say_at_once_is_taken_and_more_waits() -> None:
    budgets = Budgets()

    assert budgets.spend("h1", BURST, 0.0) == 0.0
    assert budgets.spend("h1", 2 * RATE, 0.0) == 2.0
    assert budgets.spend("h2", BURST, 0.0) == 0.0
    # It has that again later, and never more.
    assert budgets.spend("h1", RATE, 4.0) == 0.0
    assert budgets.spend("h1", BURST + RATE, 1e9) == 1.0


def test_the_shortest_report_costs_something() -> None:
    budgets = Budgets()

    assert budgets.spend("h1", BURST, 0.0) == 0.0
    assert budgets.spend("h1", 1, 0.0) == LEAST / RATE


def test_who_has_said_little_is_forgotten() -> None:
    budgets = Budgets()
    budgets.spend("h1", 2 * RATE, 0.0)

    budgets.tidy(1.0)
    assert budgets.spend("h1", BURST, 1.0) == 1.0
    budgets.tidy(1e9)

    assert not budgets._left


REPORT = CommandReceived([b"report", b"1", b"x" * 1_000_000])
HOST = Authenticated(b"host/h1@R", initiator_is_principal=True)


class Said:
    """A session in which a host has said all that it will."""

    lifetime = 100

    def __init__(self, events: Iterable[Any]) -> None:
        self._events = list(events)

    def next_event(self) -> Any:
        return self._events.pop(0) if self._events else None

    def receive(self, data: bytes) -> None: ...

    def send_output(self, stream: int, data: bytes) -> None: ...

    def send_error(self, code: int) -> None: ...

    def send_status(self, status: int) -> None: ...

    def take_outgoing(self) -> bytes:
        return b""


class Transport:
    """A connection that says whether it is read."""

    reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return False


def conversation(whose: Any, *events: Any) -> tuple[Conversation, Transport]:
    """Return a connection over which this is said."""
    whose.session = lambda: Said(events)
    made, transport = Conversation(whose), Transport()
    made._transport = transport  # type: ignore[assignment]
    return made, transport


def listening(take: Callable[[bytes], Wish]) -> Any:
    """Return what connections need of a listener."""

    def told(_name: str, _principal: str, _address: str, octets: bytes, _begins: bool) -> Wish:
        return take(octets)

    return SimpleNamespace(
        reports=SimpleNamespace(take=told),
        budgets=Budgets(),
        left=lambda _one: None,
        known=lambda _one, _name: True,
        complain=lambda _who, _address, _text: None,
        services={"host"},
        realms={"R"},
    )


def test_a_host_that_reports_all_the_time_is_not_read_for_a_while() -> None:
    async def talk() -> None:
        taken: list[bytes] = []

        def take(octets: bytes) -> Wish:
            taken.append(octets)
            return Wish(1.0)

        one, transport = conversation(listening(take), *[REPORT] * 20)
        one.name = "h1"

        one.data_received(b"")
        enough = len(taken)
        paused = not transport.reads
        one._resume()

        assert (enough, paused, len(taken), transport.reads) == (9, True, 10, False)
        one.connection_lost(None)
        assert one._paused is not None
        assert one._paused.cancelled()

    asyncio.run(talk())


def test_what_cannot_be_read_costs_as_much() -> None:
    async def talk() -> None:
        taken: list[bytes] = []

        def take(octets: bytes) -> Wish:
            taken.append(octets)
            raise NotAReportError("no report")

        one, transport = conversation(listening(take), *[REPORT] * 20)
        one.name = "h1"

        one.data_received(b"")

        assert (len(taken), transport.reads) == (9, False)
        one.connection_lost(None)

    asyncio.run(talk())


def test_a_new_connection_is_no_new_budget() -> None:
    async def talk() -> None:
        taken: list[bytes] = []

        def take(octets: bytes) -> Wish:
            taken.append(octets)
            return Wish(1.0)

        whose = listening(take)
        for _ in range(20):
            one, _transport = conversation(whose, HOST, REPORT)
            one.data_received(b"")
            one.connection_lost(None)

        assert len(taken) == 9

    asyncio.run(talk())


def test_who_does_wrong_all_the_time_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    subject: Any = SimpleNamespace(
        _complaints=Throttle(listener._MOST_COMPLAINTS, listener._MOST_COMPLAINTS_IN_ALL, 60.0),
        budgets=Budgets(),
        reports=SimpleNamespace(interval=1.0),
        strangers={},
        hosts={},
    )
    for _ in range(25):
        Listener.complain(subject, "", "192.0.2.1", "it is not a host of ours")
    Listener.complain(subject, "host/h1@R", "192.0.2.1", "its report cannot be read")
    Listener._look_at_clock(subject, 1e6)

    said = [record.getMessage() for record in caplog.records]
    assert said == [
        *["somebody from 192.0.2.1: it is not a host of ours"] * 10,
        "host/h1@R from 192.0.2.1: its report cannot be read",
        "15 more complaints of 1 callers",
    ]


@pytest.mark.parametrize(
    ("limits", "wanted", "room"),
    [
        ((1024, 4096), [(4096, 4096)], 4096 - 1024 - 512),
        ((1024, 1 << 20), [(51_536, 1 << 20)], 50_000),
        ((65_536, 65_536), [], 50_000),
        ((256, 256), [], 1),
    ],
)
def test_for_how_many_hosts_there_are_descriptors(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: list[tuple[int, int]], room: int
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _which, new: set_to.append(new))

    assert (descriptors(50_000, 1024), set_to) == (room, wanted)
