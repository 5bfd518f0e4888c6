"""How much each host may report: what it says beyond that waits, and costs no other host its turn.

A report is read on the event loop and written in the one transaction of all hosts. So a host that reports all the time
(a broken one, or a lying one) would have all others' states grow old.
"""

# Everything that a large host has to say, twice over; and then so much more each second.
BURST = 8 << 20
RATE = 128 << 10
# What the shortest report costs.
LEAST = 4096


class Budgets:
    """What each host has left, in octets."""

    def __init__(self) -> None:
        # By name: what it had left when it was last asked, and when that was. Who has all of it is not kept.
        self._left: dict[str, tuple[float, float]] = {}

    def spend(self, name: str, octets: int, now: float) -> float:
        """Take what a report of so many octets costs; return for how many seconds this host is to say nothing more.

        `now` is in seconds of a clock that only goes forward.
        """
        self._left[name] = self._refilled(name, now) - max(octets, LEAST), now
        return self.owed(name, now)

    def owed(self, name: str, now: float) -> float:
        """Return for how many seconds this host is to say nothing more."""
        return max(0.0, -self._refilled(name, now) / RATE)

    def tidy(self, now: float) -> None:
        """Forget those who have all of it again."""
        for name in [name for name in self._left if self._refilled(name, now) >= BURST]:
            del self._left[name]

    def _refilled(self, name: str, now: float) -> float:
        left, then = self._left.get(name, (float(BURST), now))
        return min(float(BURST), left + RATE * (now - then))
