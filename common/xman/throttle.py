"""Lines of which there may be too many: the first ones in full, then their number; never nothing."""

from collections import Counter


class Throttle:
    """Lets `most` lines of each key pass in any period of `seconds`, and `most_in_all` of all keys."""

    def __init__(self, most: int, most_in_all: int, seconds: float) -> None:
        self._most = most
        self._most_in_all = most_in_all
        self._seconds = seconds
        self._until = 0.0
        self._passed: Counter[str] = Counter()
        self._held: Counter[str] = Counter()

    def passes(self, key: str) -> bool:
        """Return whether a line of `key` may be written; if not, it is counted."""
        if self._passed[key] < self._most and self._passed.total() < self._most_in_all:
            self._passed[key] += 1
            return True
        self._held[key] += 1
        return False

    def held(self, now: float) -> tuple[int, int]:
        """Begin a new period where one has ended; return how many lines of how many keys were held back in it.

        To be called now and then, with the seconds of a clock that only goes forward.
        """
        if now < self._until:
            return 0, 0
        found = self._held.total(), len(self._held)
        self._until = now + self._seconds
        self._passed.clear()
        self._held.clear()
        return found
