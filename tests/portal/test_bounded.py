"""WebSockets of hasty clients (`rxmweb.web.bounded`): what one sends at once keeps the loop from nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
import wsproto
from uvicorn.server import ServerState
from wsproto import events

from rxmweb.web import bounded
from rxmweb.web.bounded import BoundedWebSocket


class Transport(asyncio.Transport):
    """A connection that a test holds in its hand."""

    def __init__(self) -> None:
        super().__init__({"socket": None, "sslcontext": None})
        self.reading, self.closed = True, False
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        assert self.reading  # uvloop's may be told once only
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Page:
    """A page that has opened a WebSocket, and an application that counts what comes."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.heard: list[Any] = []
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            await self._serve(receive, send)

        config = uvicorn.Config(serve, ws=BoundedWebSocket, log_config=None, ws_ping_interval=None, proxy_headers=False)
        config.load()
        self.protocol = BoundedWebSocket(config=config, server_state=ServerState(), app_state={})
        self.protocol.connection_made(self.transport)
        self.protocol.data_received(self._wire.send(events.Request(host="portal", target="/")))

    async def _serve(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            self.heard.append(message.get("text") or message.get("bytes"))

    async def opened(self) -> None:
        """Wait until it is."""
        while not self.transport.written:
            await asyncio.sleep(0.01)
        self._wire.receive_data(self.transport.written)
        assert [type(event) for event in self._wire.events()] == [events.AcceptConnection]

    def sends(self, event: events.Event, times: int) -> None:
        """Send an event so often, all at once."""
        self.protocol.data_received(self._wire.send(event) * times)

    def sends_each(self, sent: list[events.Event]) -> None:
        """Send events in one piece."""
        self.protocol.data_received(b"".join(self._wire.send(event) for event in sent))

    @property
    def looked_at(self) -> int:
        """How many messages were looked at."""
        return self.protocol._counted.counted


def run(what: Callable[[Page], Awaitable[None]]) -> None:
    """Do something with a page on a loop."""

    async def within() -> None:
        page = Page()
        await asyncio.wait_for(page.opened(), 60)
        await asyncio.wait_for(what(page), 60)
        page.protocol.connection_lost(None)

    asyncio.run(within())


def test_what_is_sent_arrives_in_order_whatever_its_size() -> None:
    sent = ["a", "b" * 5000, *(f"{number}" for number in range(300)), "c" * 100_000]

    async def what(page: Page) -> None:
        page.sends_each([events.TextMessage(data=text) for text in sent])
        while len(page.heard) < len(sent):
            await asyncio.sleep(0.01)
        assert page.heard == sent
        assert page.transport.reading

    run(what)


@pytest.mark.parametrize("event", [events.Ping(payload=b""), events.TextMessage(data="")], ids=["ping", "text"])
def test_of_many_empty_messages_few_are_looked_at_in_a_turn(event: events.Event) -> None:
    async def what(page: Page) -> None:
        before = page.looked_at
        page.sends(event, 40_000)
        assert 0 < page.looked_at - before <= bounded._PIECE // 2
        assert not page.transport.reading
        page.transport.close()

    run(what)


def test_more_in_a_second_than_anybody_types_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: what the loop's says is moved by the test."""

    async def what(page: Page) -> None:
        now = [page.protocol.loop.time()]
        monkeypatch.setattr(page.protocol.loop, "time", lambda: now[0])
        later: list[tuple[float, Any]] = []
        monkeypatch.setattr(page.protocol.loop, "call_later", lambda wait, call: later.append((wait, call)))
        page.sends(events.Ping(payload=b""), 40_000)
        while later[-1][0] == 0.0:
            later.pop()[1]()
        assert bounded.MESSAGES <= page.looked_at <= bounded.MESSAGES + bounded._PIECE
        assert not page.transport.reading
        monkeypatch.undo()
        page.transport.close()

    run(what)


def test_who_does_not_read_is_answered_no_more() -> None:
    async def what(page: Page) -> None:
        page.protocol.pause_writing()
        page.sends(events.Ping(payload=b"x" * 100), 100)
        assert page.looked_at <= 1
        assert not page.transport.reading
        page.protocol.resume_writing()
        while page.looked_at < 100:
            await asyncio.sleep(0.01)
        assert page.transport.reading

    run(what)
