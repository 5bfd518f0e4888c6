"""One command at a screen, served on the event loop: octets of VNC, as they are, between a client and the guest."""

import asyncio
import contextlib
import socket
import time

from xman.errors import HypervisorError, UsageError
from xman.result import Result
from xmand.consoles.rfb import RfbError, Said
from xmand.consoles.served import Ended, InWorker, Served, Stream, ask_what_became

# What is read of a screen at a time; others have turns in between.
_CHUNK = 65_536
# What a client may send ahead of a guest that does not take it.
_MOST_AHEAD = 65_536
# A screen that takes nothing for so long is given up: who looks at it must be heard when he leaves.
STUCK_SECONDS = 10.0
_LOOK_SECONDS = 0.5


class Watched(Served):
    """Made by the verb, in its worker, with a connection to the screen; `serve` does the rest, and closes that.

    `until` (time.monotonic()) is the end of the caller's patience. `ended` tells what has become of a domain whose
    screen has ended; it blocks, and is called in a worker.
    """

    def __init__(self, sock: socket.socket, domain: str, *, view_only: bool, until: float, ended: Ended) -> None:
        self._socket = sock
        self._domain = domain
        self._said = Said(view_only=view_only)
        self._until = until
        self._ended = ended
        self._left = self._over = False
        self._why = ""
        self._ahead = bytearray()
        self._stopped = False
        self._took = 0.0
        self._octets_in = self._octets_out = 0
        self._began = time.monotonic()

    async def serve(self, stream: Stream, in_worker: InWorker) -> Result:
        """Serve it until the client leaves, or the screen ends. Raises XmanError, and why the stream has ended."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._listener = stream.listener
        stream.on_end = self._changed.set
        self._socket.setblocking(False)
        self._listener.open_input(self)
        showing = self._loop.create_task(self._show(stream))
        showing.add_done_callback(lambda _task: self._changed.set())
        try:
            while True:
                stream.check()
                if self._why:
                    raise UsageError(self._why)
                if self._left:
                    return self._told("left")
                if showing.done():
                    showing.result()
                    why = await ask_what_became(self._ended, lambda: self._left, stream, in_worker)
                    if not why:
                        continue
                    self._listener.send_progress(why)
                    return self._told(why)
                now = time.monotonic()
                if now >= self._until:
                    return self._told("the time is up")
                if self._stopped and now - self._took >= STUCK_SECONDS:
                    raise HypervisorError(f"The screen of '{self._domain}' no longer reads its input.")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS if self._stopped else self._until - now):
                        await self._changed.wait()
                self._changed.clear()
        finally:
            self._over = True
            stream.on_end = lambda: None
            self._loop.remove_writer(self._socket)
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await showing
            self._socket.close()

    async def _show(self, stream: Stream) -> None:
        """Hand on what the screen says, until it ends."""
        while True:
            try:
                data = await self._loop.sock_recv(self._socket, _CHUNK)
            except ConnectionError:
                return
            if not data:
                return
            self._octets_out += len(data)
            await stream.deliver(data)
            # Where both sides are fast nothing above ever waits.
            await asyncio.sleep(0)

    def take(self, data: bytes) -> bool:
        """Hand on what the client says; see `Taker`."""
        self._octets_in += len(data)
        if self._over or self._why:
            return True
        try:
            passed = self._said.feed(data)
        except RfbError as error:
            self._why = f"Only viewing is allowed, and the viewer sent what cannot be told from typing: {error}."
            self._changed.set()
            return True
        waits = bool(self._ahead)
        self._ahead += passed
        if not waits:
            self._took = time.monotonic()
            self._hand_on()
        self._stopped = len(self._ahead) >= _MOST_AHEAD
        if self._stopped:
            self._changed.set()
        return not self._stopped

    def abandon(self) -> None:
        """Give the connection back: nobody is there to be served."""
        self._socket.close()

    def no_more(self) -> None:
        """The client takes his leave; see `Taker`."""
        self._left = True
        self._changed.set()

    def _hand_on(self) -> None:
        """Give the guest what it takes of what is ahead of it."""
        try:
            while self._ahead:
                del self._ahead[: self._socket.send(self._ahead)]
                self._took = time.monotonic()
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._hand_on)
            return
        except OSError:  # the other direction tells
            self._ahead.clear()
        self._loop.remove_writer(self._socket)
        if self._stopped:
            self._stopped = False
            self._listener.more_input()

    def _told(self, how: str) -> Result:
        """Return what the audit is to know: never what was typed or shown."""
        said = (
            f"input={'yes' if self._said.typed else 'no'}, {time.monotonic() - self._began:.0f} s,"
            f" {self._octets_out} octets out, {self._octets_in} in: {how}"
        )
        return Result(domain=self._domain, notes=(said,))
