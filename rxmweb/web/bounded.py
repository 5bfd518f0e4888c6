"""Bounds for slow clients and hasty ones: uvicorn bounds no request's head, no answer's flushing, no WebSocket's turn.

`BoundedProtocol` uses three of uvicorn's own names (`cycle`, `response_complete`, `timeout_keep_alive_handler`), and
`BoundedWebSocket` three others (`conn`, `read_paused`, `writable`), which are no public interface: tests/portal/
test_server.py and tests/portal/test_bounded.py stand with them.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto import ConnectionType, WSConnection
from wsproto.events import Event

# From the first moment in which a request may begin to the end of its head.
HEAD_SECONDS = 15.0
# How long a client may take for what was written to it, once nothing is waited for any more.
FLUSH_SECONDS = 45.0
HANDSHAKE_SECONDS = 10.0
# What is looked at of a WebSocket at a time: some milliseconds, if it is nothing but empty messages.
_PIECE = 1024
# How many messages of a WebSocket are taken in a second, more than anybody types or moves a mouse; so much of a second
# may come at once.
MESSAGES = 500
_AHEAD_SECONDS = 1.0
# How often it is looked whether one that was held up can go on.
_LOOK_SECONDS = 0.02


class BoundedProtocol(H11Protocol):
    """One connection. While it waits for a head it has a deadline; a WebSocket and an answer under way have others."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:  # there can be no such answer: HEAD was asked, or something else is sent already
            self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # The next head: uvicorn's own keep-alive deadline ends with its first octet, this one does not.
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # A closed transport still waits for a client that does not read.
        self.loop.call_later(FLUSH_SECONDS, self.transport.abort)

    def _watch(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        upgraded = self.transport.get_protocol() is not self
        if upgraded or not waits:
            self._rest()
        elif self._due is None:
            self._due = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _rest(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class BoundedWebSocket(WSProtocol):
    """One WebSocket: few of its messages are looked at in a turn of the loop, and so many in a second.

    uvicorn looks at all that has come at once, and a quarter of a megabyte of empty messages is a second in which
    nobody else is served; and it answers each ping, whether or not its client reads that.
    """

    def __init__(self, *words: Any, **facts: Any) -> None:
        super().__init__(*words, **facts)
        self.conn = self._counted = _Counted(ConnectionType.SERVER)
        self._held = bytearray()
        self._later: asyncio.TimerHandle | None = None
        # When what was taken so far may have come, at the rate of MESSAGES.
        self._due = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gate = _Gate(transport)
        super().connection_made(self._gate)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._held += data
        if self._later is None:
            self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        self._held.clear()
        if self._later is not None:
            self._later.cancel()
        super().connection_lost(exc)

    def _take(self) -> None:
        """Look at a piece of what has come, where there is a turn for it, and see that the rest has one later."""
        self._later, wait = None, _LOOK_SECONDS
        if not self.read_paused and self.writable.is_set():
            wait = max(0.0, self._due - _AHEAD_SECONDS - self.loop.time())
        if not wait:
            piece, before = bytes(self._held[:_PIECE]), self._counted.counted
            del self._held[:_PIECE]
            super().data_received(piece)
            self._due = max(self._due, self.loop.time()) + (self._counted.counted - before) / MESSAGES
        if self.transport.is_closing():
            self._held.clear()
        self._gate.hold(bool(self._held))
        if self._held:
            self._later = self.loop.call_later(wait, self._take)


class _Counted(WSConnection):
    """The protocol itself, which counts its messages."""

    counted = 0

    def events(self) -> Iterator[Event]:  # type: ignore[override]
        for event in super().events():
            self.counted += 1
            yield event


class _Gate:
    """A transport that reads only where both want that: whoever uses it, and whoever holds it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = self._paused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def pause_reading(self) -> None:
        self._set(self._held, True)

    def resume_reading(self) -> None:
        self._set(self._held, False)

    def hold(self, held: bool) -> None:
        """Let nothing be read, or again what may be."""
        self._set(held, self._paused)

    def _set(self, held: bool, paused: bool) -> None:
        before, now = self._held or self._paused, held or paused
        self._held, self._paused = held, paused
        if now != before and not self._transport.is_closing():
            (self._transport.pause_reading if now else self._transport.resume_reading)()


class BoundedLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, where a TLS handshake has a deadline of ours."""

    async def create_server(self, *args: Any, **options: Any) -> Any:
        if options.get("ssl"):
            options["ssl_handshake_timeout"] = HANDSHAKE_SECONDS
        return await super().create_server(*args, **options)


def new_loop(*, encrypted: bool) -> asyncio.AbstractEventLoop:
    """Return a loop; for TLS of our own uvloop's, if it is installed: its connections take a sixth of the memory."""
    if not encrypted:
        return BoundedLoop()
    try:
        import uvloop
    except ImportError:
        return BoundedLoop()

    class Loop(uvloop.Loop):  # type: ignore[misc,unused-ignore]  # Any, where it is not installed
        async def create_server(self, *args: Any, **options: Any) -> Any:
            return await super().create_server(*args, **options | {"ssl_handshake_timeout": HANDSHAKE_SECONDS})

    loop: asyncio.AbstractEventLoop = Loop()
    return loop
