"""What happens on this host, told to whoever asks: the message buffer, followers, verbs that wait.

libvirt takes one registration for each kind of event, so it is asked once and its answers are shared out here. The
connection is this module's own: it is made anew when it is lost, and both are told as events.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from xman import times
from xman.errors import HypervisorError
from xmand.events.table import Table
from xmand.virt.binding import api
from xmand.virt.driver import EVENTS, Driver
from xmand.virt.events import BACK, LOST, STATE_AFTER, Event, Registration, Viewed

logger = logging.getLogger(__name__)

# What `events` without --follow can tell, and what a reader may be behind.
MOST_REMEMBERED = 1000
_LEAST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS = 5.0


class Subscription:
    """The events from now on, for one reader."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._lost = 0

    def offer(self, event: Event) -> None:
        """Keep it for the reader; the oldest is lost where the reader is too far behind. Never blocks."""
        with self._changed:
            self._events.append(event)
            if len(self._events) > self._most:
                self._events.popleft()
                self._lost += 1
            self._changed.notify()

    def take(self, seconds: float) -> list[Event]:
        """Return what has come, waiting at most `seconds` for the first; how many were lost stands before the rest."""
        with self._changed:
            if not self._events:
                self._changed.wait(max(0.0, seconds))
            taken = list(self._events)
            self._events.clear()
            lost, self._lost = self._lost, 0
        if lost:
            plural = "s were" if lost > 1 else " was"
            taken.insert(0, Event("lost", f"{lost} event{plural} lost: nobody read them in time", at=time.time()))
        return taken

    def until(self, wanted: Callable[[Event], bool], seconds: float) -> Event | None:
        """Return the first event that is `wanted`, waiting at most `seconds`; those before it are read and gone."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for event in self.take(left):
                if wanted(event):
                    return event
        return None


class Events:
    """The host's events. `start` begins to listen to libvirt; all else works without."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []
        self._recent: deque[Event] = deque(maxlen=MOST_REMEMBERED)
        # UUID -> (state, since when), as far as the events since the connection was made tell.
        self._states: dict[str, tuple[str, float]] = {}
        self._lost = threading.Event()
        self._registered = False
        # Never set: a wait by a clock that nobody can set.
        self._never = threading.Event()
        self._touch: Callable[[str], None] = lambda _uuid: None
        self._viewed: Viewed = lambda _uuid, _comes, _whence: None
        # Who waits for something to become of a domain.
        self.table = Table(driver)
        self.listen(self.table.heard)

    def start(self) -> None:
        """Listen to libvirt, in a thread of its own, until the process ends."""
        threading.Thread(target=self._listen, name="events", daemon=True).start()

    def publish(self, event: Event) -> None:
        """Tell everybody, in the caller's thread."""
        with self._lock:
            self._recent.append(event)
            if event.name in STATE_AFTER:
                self._states[event.uuid] = (STATE_AFTER[event.name], event.at)
            elif event.name in (LOST, "undefined"):
                self._forget(event)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Let `listener` be called with each event, in libvirt's thread: it must neither block nor raise."""
        with self._lock:
            self._listeners.append(listener)

    def on_touch(self, touch: Callable[[str], None]) -> None:
        """Let `touch` be called, as listeners are, with the UUID of a domain to which something happened that is no
        event; with none when events may have been missed."""
        self._touch = touch

    def on_viewed(self, viewed: Viewed) -> None:
        """Let `viewed` be called, as listeners are, with each viewer of a screen who comes or leaves."""
        self._viewed = viewed

    def listening(self) -> bool:
        """Whether libvirt tells us what happens."""
        return self._registered and not self._lost.is_set()

    @contextlib.contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Give the events from now on."""
        subscription = Subscription()
        self.listen(subscription.offer)
        try:
            yield subscription
        finally:
            with self._lock:
                self._listeners.remove(subscription.offer)

    def recent(self) -> list[Event]:
        """Return the last events, oldest first."""
        with self._lock:
            return list(self._recent)

    def since(self, uuid: str, state: str) -> float | None:
        """Return when the domain came into `state`, in seconds since 1970; None where that was not seen."""
        with self._lock:
            seen, at = self._states.get(uuid, ("", 0.0))
        # Xen's words for a guest that runs and has nothing to do, or waits for a CPU.
        running = state in ("blocked", "nostate") and seen == "running"
        return at if seen == state or running else None

    def with_since(self, domains: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return domains as listed with when their states began, where that was seen."""
        seen = [(domain, self.since(domain["uuid"], domain["state"])) for domain in domains]
        return [domain if at is None else domain | {"since": times.utc(at)} for domain, at in seen]

    def _forget(self, event: Event) -> None:
        if event.name == LOST:  # what happened meanwhile is not known
            self._states.clear()
        else:
            self._states.pop(event.uuid, None)

    def _listen(self) -> None:
        pause, was_there = _LEAST_PAUSE_SECONDS, False
        while True:
            self._lost.clear()
            try:
                connection = self._driver.connection(EVENTS)
                registration = Registration(connection, self.publish, self._lost.set, self._touch, self._viewed)
            except (HypervisorError, api.libvirtError) as error:
                logger.debug("events: %s", error)
                self._never.wait(pause)
                pause = min(2 * pause, _MOST_PAUSE_SECONDS)
                continue
            pause = _LEAST_PAUSE_SECONDS
            if was_there:
                self.publish(Event(BACK, "events may have been missed", at=time.time()))
            was_there = True
            # Before it is believed: what happened until now was told to nobody.
            self._touch("")
            self._registered = True
            self._lost.wait()
            self._registered = False
            registration.close()
            self.publish(Event(LOST, "the connection to libvirt was lost", at=time.time()))
