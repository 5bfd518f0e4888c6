"""How much a host may report, and that it waits where that is more (`budget` and `listener` of `rxmweb.worker`)."""

import asyncio
from types import SimpleNamespace
from typing import Any

from rxmweb.worker.budget import BURST, LEAST, RATE, Budgets
from rxmweb.worker.listener import Conversation
from xman.reporting import Answer
from xman.server_session import CommandReceived


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


class Said:
    """A session in which a host has said all that it will."""

    lifetime = 100

    def __init__(self, reports: int) -> None:
        self._events: list[Any] = [CommandReceived([b"report", b"1", b"x" * 1_000_000]) for _ in range(reports)]

    def next_event(self) -> Any:
        return self._events.pop(0) if self._events else None

    def receive(self, data: bytes) -> None: ...

    def send_output(self, stream: int, data: bytes) -> None: ...

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


def test_a_host_that_reports_all_the_time_is_not_read_for_a_while() -> None:
    async def talk() -> None:
        taken: list[bytes] = []

        def take(_name: str, _principal: str, _address: str, octets: bytes, _begins: bool) -> Answer:
            taken.append(octets)
            return Answer(1.0)

        listener = SimpleNamespace(
            session=lambda: Said(20), reports=SimpleNamespace(take=take), budgets=Budgets(), left=lambda _one: None
        )
        conversation, transport = Conversation(listener), Transport()  # type: ignore[arg-type]
        conversation._transport, conversation.name = transport, "h1"  # type: ignore[assignment]

        conversation.data_received(b"")
        enough = len(taken)
        paused = not transport.reads
        conversation._resume()

        assert (enough, paused, len(taken), transport.reads) == (9, True, 10, False)
        conversation.connection_lost(None)
        assert conversation._paused is not None
        assert conversation._paused.cancelled()

    asyncio.run(talk())
