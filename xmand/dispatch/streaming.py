"""A reply that is sent in parts while its command runs: the worker makes parts, the event loop sends them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from xman.errors import CredentialsError, DeniedError, RefusedError, XmanError
from xman.gss import GssError
from xmand.consoles.served import Taker
from xmand.settings import Limits
from xmand.system.workers import Whose


class StreamOverError(Exception):
    """Nobody listens any more, which is no failure of the command's."""


class Stream:
    """One such reply. Made on the event loop; `send` hands octets to the client and returns when its socket took them.

    Nothing is kept here for a client that reads slowly: the worker waits, until `send` gives up. One that `completes`
    is not ended for our sake.
    """

    def __init__(self, listener: "Listener", completes: bool = False) -> None:
        self.listener = listener
        self.completes = completes
        self._loop = asyncio.get_running_loop()
        self._reason: Exception | None = None
        # Called when it ends, on the event loop, by whoever serves the stream there.
        self.on_end: Callable[[], None] = lambda: None

    def end(self, reason: Exception) -> None:
        """Let the worker's next `write` or `check` raise `reason`; the first one counts."""
        self._reason = self._reason or reason
        self.on_end()

    def check(self) -> None:
        """In the worker: raise why the stream has ended, where it has."""
        if self._reason is not None:
            raise self._reason

    def write(self, data: bytes) -> None:
        """In the worker: send a part, wait until it is sent. Raises why the stream has ended, where it has."""
        asyncio.run_coroutine_threadsafe(self.deliver(data), self._loop).result()

    async def deliver(self, data: bytes) -> None:
        """On the event loop: send a part."""
        # Here, and not in the worker: the reply may end while the worker waits for its turn.
        self.check()
        try:
            await self.listener.send_part(data)
        except (OSError, GssError) as error:
            self.end(StreamOverError(f"the client is gone: {error}"))
            self.check()


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

    def send_progress(self, text: str) -> None:
        """Say something on stream 2 while the command still runs; nothing where it does not any more."""

    def open_input(self, taker: Taker) -> None:
        """Ask the client for input, and hand it to `taker`."""

    def more_input(self) -> None:
        """Let more input come, where `Taker.take` has said that it was enough."""


class Following:
    """The commands that follow, as many at a time as `limits` say; those may be replaced at any time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._streams: dict[Stream, Whose] = {}

    def end(self, reason: XmanError) -> None:
        """End all of them but those that are waited for."""
        for stream in self._streams:
            if not stream.completes:
                stream.end(reason)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        listener: Listener,
        lifetime: int,
        may: Callable[[], Awaitable[bool]],
        whose: Whose,
        *,
        alive: bool,
        completes: bool = False,
    ) -> AsyncIterator[Stream]:
        """Give the stream of one command, watched: `lifetime` is the ticket's in seconds, `may` whether it may go on.

        `alive`: the client wants signs of life. Raises RefusedError where there are too many.
        """
        self._require_place(whose)
        stream = Stream(listener, completes)
        self._streams[stream] = whose
        watching = asyncio.create_task(_watch(stream, listener, lifetime, may, alive))
        try:
            yield stream
        finally:
            watching.cancel()
            stream.end(StreamOverError("the reply has ended"))
            del self._streams[stream]

    def _require_place(self, whose: Whose) -> None:
        most = self.limits.streams
        if len(self._streams) >= most:
            raise RefusedError(
                f"This host is busy: {most} commands are following already ([limits] streams in xmand.toml)."
            )
        others = [one for one in self._streams.values() if not one.listed]
        if not whose.listed and len(others) >= most - self.limits.kept_of(most):
            raise RefusedError("This host is busy: too many commands are following already.")
        if not whose.listed and others.count(whose) >= self.limits.share_of(most):
            raise RefusedError(f"This host is busy: {others.count(whose)} commands of yours are following already.")


async def _watch(
    stream: Stream, listener: Listener, lifetime: int, may: Callable[[], Awaitable[bool]], alive: bool
) -> None:
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
            try:
                permitted = await may()
            except XmanError as error:  # nobody can tell now
                stream.end(error)
                continue
            if not permitted:
                stream.end(DeniedError("You are not on the host's list (.k5login) any more."))
            elif alive:
                with contextlib.suppress(StreamOverError, XmanError):  # the worker gets it
                    await stream.deliver(b"")
