"""Deadlines for slow clients: uvicorn itself bounds neither a request's head nor the flushing of an answer.

`BoundedProtocol` uses three of uvicorn's own names (`cycle`, `response_complete`, `timeout_keep_alive_handler`), which
are no public interface: tests/portal/test_server.py stands with it.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the first moment in which a request may begin to the end of its head.
HEAD_SECONDS = 15.0
# How long a client may take for what was written to it, once nothing is waited for any more.
FLUSH_SECONDS = 45.0
HANDSHAKE_SECONDS = 10.0


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
