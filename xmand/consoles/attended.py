"""One command at a console, served on the event loop: what the guest prints goes to its client, what he types to it."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from typing import NamedTuple

from xman.result import Result
from xmand.consoles.hub import STUCK_SECONDS, Hub, Hubs
from xmand.consoles.served import InWorker, Served, Stream, ask_what_became
from xmand.consoles.viewer import Viewer

# How often is looked for the next start of a domain that is off.
_LOOK_SECONDS = 1.0


class Place(NamedTuple):
    """A viewer's place at a console."""

    hub: Hub
    uuid: str
    console: str
    domain: str


class Attended(Served):
    """Made by the verb, in its worker, once the viewer has his place; `serve` does the rest.

    `until` (time.monotonic()) is the end of the caller's patience. `ended` tells what has become of a domain whose
    console has ended, why and after so many seconds of asking (`Ended`); `again` takes a place at its next start,
    where that was asked for. Both block, and are called in a worker.
    """

    def __init__(
        self,
        hubs: Hubs,
        viewer: Viewer,
        place: Place,
        before: bytes,
        until: float,
        ended: Callable[[str, float], str],
        again: Callable[[], Place | None] | None = None,
    ) -> None:
        self._hubs = hubs
        self._viewer = viewer
        self._place = place
        self._before = before
        self._until = until
        self._ended = ended
        self._again = again
        self._left = False
        self._stopped = False
        self._dropped = False
        self._octets_in = self._octets_out = 0
        self._began = time.monotonic()

    async def serve(self, stream: Stream, in_worker: InWorker) -> Result:
        """Serve it until the client leaves, or the console ends. Raises XmanError, and why the stream has ended."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        self._viewer.wake = wake
        stream.on_end = changed.set
        listener = stream.listener
        self._listener, self._changed = listener, changed
        if self._viewer.types:
            listener.open_input(self)
        try:
            if self._before:
                self._octets_out += len(self._before)
                await stream.deliver(self._before)
            while True:
                stream.check()
                if self._left:
                    return self._told("left")
                taken = self._viewer.take()
                if taken.lost:
                    listener.send_progress(f"[{taken.lost} octets were lost]")
                if taken.data:
                    self._octets_out += len(taken.data)
                    await stream.deliver(taken.data)
                    self._place.hub.caught_up()
                self._let_type()
                if taken.ended is not None:
                    ended = functools.partial(self._ended, taken.ended)
                    why = await ask_what_became(ended, lambda: self._left, stream, in_worker)
                    if why and not await self._go_on(why, in_worker, stream):
                        return self._told(why)
                if time.monotonic() >= self._until:
                    return self._told("the time is up")
                if not taken.data and taken.ended is None:
                    patience = self._until - time.monotonic()
                    await self._change(min(patience, STUCK_SECONDS) if self._stopped else patience)
        finally:
            stream.on_end = lambda: None
            self._viewer.wake = lambda: None
            self._hubs.leave((self._place.uuid, self._place.console), self._place.hub, self._viewer)

    def take(self, data: bytes) -> bool:
        """Type `data`; see `Taker`."""
        if self._place.hub.stuck:
            if not self._dropped:
                self._dropped = True
                self._listener.send_progress("[the domain does not read its input; what is typed now is lost]")
            return True
        self._dropped = False
        self._octets_in += len(data)
        more = self._place.hub.type(data)
        self._stopped = not more
        if self._stopped:
            self._changed.set()  # it is looked whether the guest takes something
        return more

    def no_more(self) -> None:
        """The client takes his leave; see `Taker`."""
        self._left = True
        self._changed.set()

    def abandon(self) -> None:
        """Give the place back: nobody is there to be served."""
        self._hubs.leave((self._place.uuid, self._place.console), self._place.hub, self._viewer)

    def _let_type(self) -> None:
        if self._stopped and (self._place.hub.takes_more or self._place.hub.stuck):
            self._stopped = False
            self._listener.more_input()

    async def _go_on(self, why: str, in_worker: InWorker, stream: Stream) -> bool:
        """Say that the console has ended, and wait for its next start where that was asked for."""
        self._listener.send_progress(why)
        if self._again is None:
            return False
        self._listener.send_progress(f"[waiting for the next start of '{self._place.domain}']")
        while not self._left and time.monotonic() < self._until:
            stream.check()
            await self._change(_LOOK_SECONDS)
            found = await in_worker(self._again)
            if isinstance(found, Place):
                self._place = found
                self._listener.send_progress(f"[{found.domain} has started]")
                break
        return True

    async def _change(self, seconds: float) -> None:
        """Wait until something has come, or happened, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def _told(self, how: str) -> Result:
        """Return what the audit is to know: never what was typed or printed."""
        said = (
            f"input={'yes' if self._viewer.types else 'no'}, {time.monotonic() - self._began:.0f} s,"
            f" {self._octets_out} octets out, {self._octets_in} in: {how}"
        )
        return Result(domain=self._place.domain, notes=(said,))
