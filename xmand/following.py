"""Commands that follow: replies in parts, for as long as the client stays, its ticket is good, and it may."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from xman.errors import CredentialsError, DeniedError, RefusedError, XmanError
from xmand.stream import Stream, StreamOverError

# A command that follows is judged anew this often, so that who is taken off the list is off within half a minute; the
# sign of life that goes with it tells a client that asked for such that the host is still there.
_JUDGE_SECONDS = 30.0
# How soon a client that left frees its thread.
_LOOK_SECONDS = 1.0


class Listener(Protocol):
    """The client's end; all methods are called on the event loop."""

    async def send_part(self, data: bytes) -> None:
        """Send a part of the output now, a sign of life where `data` is empty. Raises OSError and GssError."""

    def gone(self) -> bool:
        """Whether nobody will read the reply."""


class Following:
    """The commands that follow, at most `most` at a time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._streams: set[Stream] = set()

    def end(self, reason: XmanError) -> None:
        """End all of them."""
        for stream in self._streams:
            stream.end(reason)

    @contextlib.asynccontextmanager
    async def stream(
        self, listener: Listener, lifetime: int, may: Callable[[], Awaitable[bool]], *, alive: bool
    ) -> AsyncIterator[Stream]:  # fmt: skip
        """Give the stream of one command, watched: `lifetime` is the ticket's in seconds, `may` whether it may go on.

        `alive`: the client wants signs of life. Raises RefusedError where there are too many.
        """
        if len(self._streams) >= self.most:
            raise RefusedError(f"{self.most} commands follow this host already ([limits] streams in xmand.toml).")
        stream = Stream(listener.send_part)
        self._streams.add(stream)
        watching = asyncio.create_task(_watch(stream, listener, lifetime, may, alive))
        try:
            yield stream
        finally:
            watching.cancel()
            stream.end(StreamOverError("the reply has ended"))
            self._streams.remove(stream)


async def _watch(
    stream: Stream, listener: Listener, lifetime: int, may: Callable[[], Awaitable[bool]], alive: bool
) -> None:  # fmt: skip
    """End `stream` when its client is gone, the client's ticket expires, or it may not any more."""
    started = judged = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        if listener.gone():
            stream.end(StreamOverError("the client is gone"))
        elif now - started >= lifetime:
            stream.end(CredentialsError("your ticket expired; run kinit."))
        elif now - judged >= _JUDGE_SECONDS:
            judged = now
            if not await may():
                stream.end(DeniedError("You are not on the host's list (.k5login) any more."))
            elif alive:
                with contextlib.suppress(StreamOverError, XmanError):  # the worker gets it
                    await stream.deliver(b"")
