"""A reply that is sent in parts while its command runs: the worker makes parts, the event loop sends them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from xman.gss import GssError


class StreamOverError(Exception):
    """Nobody listens any more, which is no failure of the command's."""


class Stream:
    """One such reply. Made on the event loop; `send` hands octets to the client and returns when its socket took them.

    Nothing is kept here for a client that reads slowly: the worker waits, until `send` gives up.
    """

    def __init__(self, send: Callable[[bytes], Coroutine[Any, Any, None]]) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._reason: Exception | None = None

    def end(self, reason: Exception) -> None:
        """Let the worker's next `write` or `check` raise `reason`; the first one counts."""
        self._reason = self._reason or reason

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
            await self._send(data)
        except (OSError, GssError) as error:
            self.end(StreamOverError(f"the client is gone: {error}"))
            self.check()
