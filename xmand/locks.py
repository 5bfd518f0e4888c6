"""One change at a time to each domain; never one lock for the whole host."""

import contextlib
import threading
import time
from collections.abc import Iterator

from xman.errors import RefusedError

# Who waits for one of these would wait for minutes: it is told at once.
_LONG = {"migrate": "migrating"}


class DomainLocks:
    """Locks by domain, by UUID or, for one that is not there yet, by name."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, str] = {}

    @contextlib.contextmanager
    def hold(self, key: str, verb: str, deadline: float, what: str = "domain") -> Iterator[None]:
        """Hold the lock of `key`, which is that of a `what`, for `verb`.

        Raises RefusedError at `deadline` (time.monotonic()), or at once where a migration holds it.
        """
        with self._changed:
            while key in self._holders:
                holder = self._holders[key]
                if holder in _LONG:
                    raise RefusedError(f"The domain is busy: {_LONG[holder]}.")
                if not self._changed.wait(deadline - time.monotonic()):
                    raise RefusedError(f"The {what} is busy: another {self._holders.get(key, verb)} is at work on it.")
            self._holders[key] = verb
        try:
            yield
        finally:
            with self._changed:
                del self._holders[key]
                self._changed.notify_all()
