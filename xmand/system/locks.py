"""One change at a time to each domain; never one lock for the whole host."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator

from xman.between import EVERY
from xman.errors import RefusedError

# Who waits for one of these would wait for minutes: it is told at once.
_LONG = {verb.name: verb.busy for verb in EVERY.values() if verb.busy}
# Who stands behind so many would hardly have its turn in time.
_MOST_WAITING = 8
# For so long a verb is remembered though others came after it; libvirt's events are not later than that.
_RECENT_SECONDS = 5.0
# More domains than a host has.
_MOST_RELEASED = 4096


class DomainLocks:
    """Locks by domain, by UUID or, for one that is not there yet, by name."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, str] = {}
        self._queues: dict[str, deque[object]] = {}
        # Which verbs released a key lately, and when (time.monotonic()); the key released longest ago goes first.
        self._released: dict[str, dict[str, float]] = {}

    def lately(self, key: str) -> list[tuple[str, float]]:
        """Return the verb that holds `key` (0.0), and those that held it last (the seconds since each did)."""
        with self._changed:
            holder, now = self._holders.get(key, ""), time.monotonic()
            released = [(verb, now - when) for verb, when in self._released.get(key, {}).items()]
        return [(holder, 0.0), *released] if holder in EVERY else released

    @contextlib.contextmanager
    def hold(
        self, key: str, verb: str, deadline: float, what: str = "domain", *, patient: bool = False
    ) -> Iterator[None]:
        """Hold the lock of `key`, which is that of a `what`, for `verb`; who came first has it first.

        Raises RefusedError at `deadline` (time.monotonic()), or at once where a migration holds it (unless `patient`),
        or too many wait for a domain already.
        """
        with self._changed:
            self._wait(key, verb, deadline, what, patient)
            self._holders[key] = verb
        try:
            yield
        finally:
            with self._changed:
                del self._holders[key]
                if verb in EVERY:  # xmand itself holds them as well, to look and to note
                    now = time.monotonic()
                    before = self._released.pop(key, {}).items()
                    recent = {name: when for name, when in before if now - when <= _RECENT_SECONDS}
                    self._released[key] = recent | {verb: now}
                    while len(self._released) > _MOST_RELEASED:
                        del self._released[next(iter(self._released))]
                self._changed.notify_all()

    def _wait(self, key: str, verb: str, deadline: float, what: str, patient: bool) -> None:
        """Wait until it is our turn; with the condition held. Raises RefusedError."""
        queue, ticket = self._queues.setdefault(key, deque()), object()
        if what == "domain" and len(queue) >= _MOST_WAITING:
            raise RefusedError(f"The domain is busy: {len(queue)} others wait for it already.")
        queue.append(ticket)
        try:
            while key in self._holders or queue[0] is not ticket:
                holder = self._holders.get(key, verb)
                if key in self._holders and holder in _LONG and not patient:
                    raise RefusedError(f"The {what} is busy: {_LONG[holder]}.")
                if not self._changed.wait(deadline - time.monotonic()):
                    raise RefusedError(f"The {what} is busy: another {holder} is at work on it.")
        finally:
            queue.remove(ticket)
            if not queue:
                del self._queues[key]
            # Where we gave up, the next one may be first now.
            self._changed.notify_all()
