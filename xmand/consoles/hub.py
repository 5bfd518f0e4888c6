"""One open console, shared out: everybody sees the same, those who may type do so in the order in which it comes.

A hub is opened for its first viewer and closed after its last. Calls to libvirt that nobody waits for are made in one
thread of their own: the serving loop never enters libvirt, and a libvirt that hangs holds nothing but that thread.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from xman.errors import HypervisorError, XmanError
from xmand.consoles.viewer import Viewer
from xmand.virt.consoles import Console, Line, Lines
from xmand.virt.domain import Domain
from xmand.virt.driver import Driver

logger = logging.getLogger(__name__)

# What whoever comes later is shown of before: a screen or two.
RING = 64 * 1024
# What may be typed ahead of a guest that does not take it.
MOST_TYPED = 64 * 1024
# Of a guest that has taken nothing for so long, more is not kept: who types must be heard when he leaves.
STUCK_SECONDS = 2.0
_CHUNK = 16 * 1024
_POLL_SECONDS = 0.01


class Hub:
    """One console. Any thread may call, but only `Hubs` opens and closes."""

    def __init__(self, errand: Callable[[Callable[[], None]], None]) -> None:
        # Held while it is opened or closed.
        self.opening = threading.Lock()
        self.line: Line | None = None
        self.over = False
        self._errand = errand
        self._lock = threading.Lock()
        self._viewers: list[Viewer] = []
        self._ring = bytearray()
        self._paused = False
        self._typed: deque[bytes] = deque()
        self._typed_octets = 0
        self._took = time.monotonic()

    # --- libvirt's thread --------------------------------------------------------------------------------------------

    def heard(self, data: bytes) -> None:
        """The guest has printed."""
        with self._lock:
            self._ring += data
            del self._ring[:-RING]
            for viewer in self._viewers:
                viewer.offer(data)
            # Who types is not to miss anything; a guest is stopped for nobody who only looks.
            waits = any(viewer.types for viewer in self._viewers) and all(viewer.full for viewer in self._viewers)
            if waits:
                self._paused = True
            else:
                for viewer in self._viewers:
                    viewer.trim()
        if waits and self.line is not None:
            self.line.pause(True)

    def ended(self, why: str) -> None:
        """No more comes: the domain's end, or libvirt's; `why` is empty where nothing was said."""
        with self._lock:
            self.over = True
            viewers, self._viewers = self._viewers, []
        for viewer in viewers:
            viewer.end(why)

    def room(self) -> None:
        """The guest takes what is typed, again."""
        self._errand(self._type)

    # --- viewers -----------------------------------------------------------------------------------------------------

    def enter(self, viewer: Viewer, *, history: bool) -> None:
        """Let `viewer` see what comes from now on; with `history`, what came last before it as well."""
        with self._lock:
            if history and self._ring:
                viewer.offer(bytes(self._ring))
            if self.over:
                viewer.end("")
            else:
                self._viewers.append(viewer)

    def leave(self, viewer: Viewer) -> None:
        """He sees no more."""
        with self._lock:
            if viewer in self._viewers:
                self._viewers.remove(viewer)

    def unused(self) -> bool:
        """Whether nobody is there."""
        with self._lock:
            return not self._viewers

    def printed(self) -> bytes:
        """Return what came last."""
        with self._lock:
            return bytes(self._ring)

    def type(self, data: bytes) -> bool:
        """Type `data`; return whether more may be typed now. Never blocks."""
        with self._lock:
            if not self._typed_octets:
                self._took = time.monotonic()
            self._typed.append(data)
            self._typed_octets += len(data)
            more = self._typed_octets < MOST_TYPED
        self._errand(self._type)
        return more

    def type_all(self, data: bytes, seconds: float) -> bool:
        """Type `data` as the guest takes it, no more ahead of it than anybody; in a worker.

        Return whether all that was typed has gone, in so many seconds.
        """
        until = time.monotonic() + seconds
        for at in range(0, len(data), _CHUNK):
            if not self._wait(lambda: self.takes_more, until):
                return False
            self.type(data[at : at + _CHUNK])
        return self._wait(lambda: not self._typed_octets, until)

    def _wait(self, true: Callable[[], bool], until: float) -> bool:
        while not true() and not self.over and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
        return true()

    @property
    def takes_more(self) -> bool:
        """Whether what was typed has gone far enough for more."""
        return self._typed_octets < MOST_TYPED

    @property
    def stuck(self) -> bool:
        """Whether there is no room, and the guest has taken nothing for STUCK_SECONDS."""
        return not self.takes_more and time.monotonic() - self._took >= STUCK_SECONDS

    def caught_up(self) -> None:
        """A viewer has taken what waited for him."""
        with self._lock:
            again = self._paused and not all(viewer.full for viewer in self._viewers)
            if again:
                self._paused = False
        if again and self.line is not None:
            line = self.line
            self._errand(lambda: line.pause(False))

    def _type(self) -> None:
        """Hand what was typed to libvirt, as far as that takes it; among the errands."""
        line = self.line
        while line is not None and not self.over:
            with self._lock:
                if not self._typed:
                    return
                data = self._typed.popleft()
            taken = line.write(data[:_CHUNK])
            with self._lock:
                self._took = time.monotonic() if taken else self._took
                self._typed_octets -= taken
                if taken < len(data):
                    self._typed.appendleft(data[taken:])
                wake = list(self._viewers) if taken and self._typed_octets < MOST_TYPED else []
            for viewer in wake:
                viewer.wake()
            if taken < len(data[:_CHUNK]):
                return


class Hubs:
    """The consoles that are open on this host."""

    def __init__(self, driver: Driver) -> None:
        self._lines = Lines(driver)
        self._lock = threading.Lock()
        self._hubs: dict[tuple[str, str], Hub] = {}
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def join(self, domain: Domain, console: Console, viewer: Viewer, *, force: bool, history: bool) -> Hub:
        """Let `viewer` be at a console, which is opened where it is not. In a worker.

        Raises RefusedError where somebody outside xman has it, UnsupportedError, HypervisorError.
        """
        key = (domain.uuid, console.name)
        while True:
            with self._lock:
                hub = self._hubs.get(key)
                if hub is None or hub.over:
                    hub = self._hubs[key] = Hub(self._errand)
            with hub.opening:
                if hub.over:
                    continue
                hub.enter(viewer, history=history)
                if hub.line is None:
                    try:
                        hub.line = self._lines.open(
                            domain, console, force=force, heard=hub.heard, ended=hub.ended, room=hub.room
                        )
                    except XmanError:
                        hub.leave(viewer)
                        hub.over = True
                        self._forget(key, hub)
                        raise
                return hub

    def leave(self, key: tuple[str, str], hub: Hub, viewer: Viewer) -> None:
        """Let `viewer` be there no more; the console is closed after the last one. Never blocks."""
        hub.leave(viewer)
        self._errand(lambda: self._close_unused(key, hub))

    def at(self, uuid: str, name: str) -> Hub | None:
        """Return the open console `name` of a domain."""
        with self._lock:
            return self._hubs.get((uuid, name))

    def _close_unused(self, key: tuple[str, str], hub: Hub) -> None:
        with hub.opening:
            if not hub.unused():
                return
            hub.over = True
            self._forget(key, hub)
            if hub.line is not None:
                hub.line.close()

    def _forget(self, key: tuple[str, str], hub: Hub) -> None:
        with self._lock:
            if self._hubs.get(key) is hub:
                del self._hubs[key]

    def _errand(self, do: Callable[[], None]) -> None:
        self._errands.put(do)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="consoles", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                self._errands.get()()
            except HypervisorError as error:  # its viewers are told by the end of the line
                logger.debug("a console: %s", error)
            except Exception:
                logger.exception("a console failed")
