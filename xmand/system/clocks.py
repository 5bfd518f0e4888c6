"""How long something has lasted that began at a time of the wall clock, whatever that clock does meanwhile.

What is first asked about soon after it began is measured by the monotonic clock from then on. What began before this
process, or in the future, can only be compared with the wall clock, once.
"""

import threading
import time

# More than a host has domains; what was asked about longest ago goes first.
_MOST = 4096
# For whoever renews a lease to find out that xmand is back.
GRACE_SECONDS = 60.0


class Clocks:
    """The clocks of what lasts, by a key of the caller's; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # key -> (since; the time.monotonic() at which that was, None where it cannot have been; when it was met)
        self._running: dict[str, tuple[int, float | None, float]] = {}

    def begin(self, key: str, since: int) -> None:
        """Take note that `key` begins now, which is written down as `since` (seconds since 1970)."""
        with self._lock:
            self._keep(key, since, time.monotonic())

    def elapsed(self, key: str, since: int) -> float | None:
        """Return the seconds since `key` began, at `since`; None where that is in the future of a clock set back."""
        with self._lock:
            known = self._known(key, since)
            return None if known is None else time.monotonic() - known

    def left(self, key: str, since: int, seconds: float) -> float:
        """Return what is left of a term of so many seconds that began at `since`, less than 0 where it is over.

        One that this process meets for the first time may have begun long ago, by a clock that nobody vouches for, and
        nobody could renew it while no process was there: it has `GRACE_SECONDS` more, and never more than it was given.
        Where that clock is found to have been ahead, and is set back, what it said had gone by has not.
        """
        with self._lock:
            known = self._running.get(key)
            if known is None or known[0] != since:
                gone = min(max(0.0, time.time() - since), max(0.0, seconds - GRACE_SECONDS))
                known = self._keep(key, since, time.monotonic() - gone)
            _since, began, met = known
            if began is None:
                return seconds
            now = time.monotonic()
            # What was seen to go by has gone, whatever any clock says.
            return seconds - min(now - began, max(now - met, time.time() - since))

    def _known(self, key: str, since: int) -> float | None:
        known = self._running.get(key)
        if known is None or known[0] != since:
            wall = time.time() - since
            # In whole seconds, so that what begins just now may seem to begin in a moment.
            known = self._keep(key, since, time.monotonic() - max(0.0, wall) if wall >= -1.0 else None)
        return known[1]

    def _keep(self, key: str, since: int, at: float | None) -> tuple[int, float | None, float]:
        self._running.pop(key, None)
        kept = self._running[key] = (since, at, time.monotonic())
        while len(self._running) > _MOST:
            del self._running[next(iter(self._running))]
        return kept


# One process, one clock: since when domains run, by their UUIDs, and since when they are preempted; since when jobs'
# leases run, and claims, by the domain's UUID and the job's id.
RUNS = Clocks()
PREEMPTIONS = Clocks()
TERMS = Clocks()
