"""Who waits for something that becomes of a domain: entries of a table, and no threads.

One thread looks at all domains concerned, when libvirt tells of something, and twice a second besides: events are lost
over a restart of libvirtd. Where libvirt hangs that thread does, and everybody's deadline is met none the less.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from xman.errors import NoSuchDomainError, RefusedError, UnreachableError, XmanError
from xman.result import Result
from xman.verbs.words import GONE
from xmand.events.waiting import Goal, Seen
from xmand.system.workers import OWN, Whose
from xmand.virt import connection_pool
from xmand.virt.domain import find
from xmand.virt.driver import READ, Driver
from xmand.virt.events import Event

POLL_SECONDS = 0.5
# What an entry may be behind before it is looked at.
_MOST_EVENTS = 256
# Of one run of a domain one promise is enough, and a second one where somebody is in more of a hurry.
_PROMISES_EACH = 2
_FULL = "This host is busy: too many commands wait here already. Try again in a moment."


class EndingError(UnreachableError):
    """xmand itself ends."""


class Entry:
    """One who waits. Made before what he waits for is set off: from then on events are kept for him."""

    def __init__(self, table: "Table", whose: Whose) -> None:
        self._table = table
        self.whose = whose
        # The domain, where it goes on without its caller, for as long as a day.
        self.promised = ""
        self.goal: Goal | None = None
        self.ended: Future[Result] = Future()
        self.events: deque[Event] = deque(maxlen=_MOST_EVENTS)

    def promise(self, uuid: str) -> None:
        """Go on whether or not its caller stays. Raises RefusedError where he has promised too much already."""
        self._table.promise(self, uuid)

    def leave(self) -> None:
        """Wait no more."""
        self._table.forget(self)

    def end(self, error: XmanError) -> None:
        """Let the wait end with `error`."""
        self._table.forget(self)
        _settle(self.ended, error)

    def __enter__(self) -> "Entry":
        return self

    def __exit__(self, *error: object) -> None:
        # Whoever has a goal is taken over by whoever waits for it.
        if self.goal is None or error[0] is not None:
            self.leave()


@dataclass(frozen=True)
class Waits:
    """What a verb returns that has done its part and waits: until `until` (time.monotonic()).

    `expired` is done in a worker then; without it the command fails as late. `promised`: the journal knows of it, so
    that it goes on after a restart.
    """

    entry: Entry
    until: float
    expired: Callable[[], Result] | None = None
    promised: bool = False


class Table:
    """All who wait, at most `most` of them.

    One principal that is not on the list gets a place as long as he has no more than `share` percent of those that are
    free yet for such as he: it takes many to fill it, and who comes last gets a place as well. What goes on without its
    caller (`Entry.promise`) has the half of these at most, shared out in the same way, so that the others have room for
    as many as can be connected.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._changed = threading.Condition()
        self._entries: dict[Entry, None] = {}
        self._told = False
        self._thread: threading.Thread | None = None
        self.most = 1024
        self.share = 25
        self.reserved = 0
        # How a domain was at most so many seconds ago, for who allows that.
        self.seen: Callable[[str, float], Seen] = lambda uuid, _most: look(self._driver, uuid)

    def __len__(self) -> int:
        return len(self._entries)

    def enter(self, whose: Whose = OWN, *, promised: str = "") -> Entry:
        """Return a new entry. Raises RefusedError where there are too many.

        `promised`: of what was promised before xmand's start, for the domain with this UUID, which is never refused.
        """
        with self._changed:
            if not promised:
                if len(self._entries) >= self.most:
                    raise RefusedError(_FULL)
                self._require_share(whose, Counter(self._others()), self.most - self.reserved)
            entry = Entry(self, whose)
            entry.promised = promised
            self._entries[entry] = None
        return entry

    def promise(self, entry: Entry, uuid: str) -> None:
        """Let an entry be a promise from now on; raises as `Entry.promise`."""
        with self._changed:
            if not entry.whose.listed:
                promises = [one for one in self._entries if one.promised and not one.whose.listed]
                name = entry.whose.name
                same = sum(one.whose.name == name and one.promised == uuid for one in promises)
                if same >= _PROMISES_EACH:
                    raise RefusedError(f"This host is busy: {same} commands of yours wait for this domain already.")
                has = Counter(one.whose.name for one in promises)
                self._require_share(entry.whose, has, (self.most - self.reserved) // 2)
            entry.promised = uuid

    def _others(self) -> Iterator[str]:
        """Give the principals that are not on the list, each as often as he waits."""
        return (one.whose.name for one in self._entries if not one.whose.listed)

    def _require_share(self, whose: Whose, has: "Counter[str]", most: int) -> None:
        if whose.listed:
            return
        free = most - has.total()
        if free <= 0:
            raise RefusedError(_FULL)
        if has[whose.name] >= max(1, free * self.share // 100):
            raise RefusedError(f"This host is busy: {has[whose.name]} commands of yours wait here already.")

    def forget(self, entry: Entry) -> None:
        """Wait for it no more."""
        with self._changed:
            self._entries.pop(entry, None)

    def watch(self, entry: Entry, goal: Goal) -> None:
        """Look for `goal` from now on."""
        with self._changed:
            entry.goal = goal
            self._told = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="waiting", daemon=True)
                self._thread.start()
            self._changed.notify()

    def heard(self, event: Event) -> None:
        """An event came; in libvirt's thread."""
        with self._changed:
            if not self._entries:
                return
            for entry in self._entries:
                entry.events.append(event)
            self._told = True
            self._changed.notify()

    def end(self) -> None:
        """End all waits: xmand itself ends."""
        for entry in list(self._entries):
            entry.end(EndingError("xmand is ending; ask again when it is back."))

    def _work(self) -> None:
        while True:
            with self._changed:
                while not any(entry.goal is not None for entry in self._entries):
                    self._changed.wait()
                if not self._told:
                    self._changed.wait(POLL_SECONDS)
                self._told = False
                waiting = [(entry, entry.goal) for entry in self._entries if entry.goal is not None]
            self._look(waiting)

    def _look(self, waiting: list[tuple[Entry, Goal]]) -> None:
        seen: dict[tuple[str, float], Seen | XmanError] = {}
        for entry, goal in waiting:
            what = (goal.uuid, goal.max_age)
            if what not in seen:
                seen[what] = self._see(*what)
            with self._changed:
                events = [event for event in entry.events if event.uuid == goal.uuid]
                entry.events.clear()
            try:
                result = goal.reached(seen[what], events, time.monotonic())
            except XmanError as error:
                entry.end(error)
                continue
            if result is not None:
                entry.leave()
                _settle(entry.ended, result)

    def _see(self, uuid: str, most: float) -> Seen | XmanError:
        try:
            with connection_pool.session():
                if most:
                    return self.seen(uuid, most)
                return look(self._driver, uuid)
        except XmanError as error:
            return error


def look(driver: Driver, uuid: str) -> Seen:
    """Return how the domain is. Raises HypervisorError."""
    try:
        # Looked up anew: libvirt's object keeps the id that it was found with.
        domain = find(driver.connection(READ), uuid)
        return Seen(domain.state()[0], domain.identifier())
    except NoSuchDomainError:  # a transient one is forgotten as soon as it stops
        return Seen(GONE, None)


def _settle(future: "Future[Result]", how: Result | XmanError) -> None:
    try:
        if isinstance(how, XmanError):
            future.set_exception(how)
        else:
            future.set_result(how)
    except InvalidStateError:  # it was ended already
        pass
