"""How long it may take."""

import time


class Deadline:
    """A point in time after `seconds` (None: never), as timeouts of what is still to do."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self, most: float | None = None) -> float | None:
        """Return the seconds left, at most `most`; None for ever. Raises TimeoutError when there are none."""
        if self._end is None:
            return most
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if most is None else min(left, most)

    def within(self, seconds: float) -> "Deadline":
        """Return the earlier of this deadline and one after `seconds`."""
        return Deadline(seconds if self._end is None else min(seconds, self._end - time.monotonic()))
