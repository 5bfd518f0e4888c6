"""What many people look at is made once: parts of pages, by all that they were made of."""

import threading
from collections import OrderedDict
from collections.abc import Callable

# Of one process: a part of a page is some 100 kB, a row of one 1 kB.
PARTS, ROWS = 100, 5000


class Rendered:
    """The parts that were made last, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._parts: OrderedDict[tuple[object, ...], str] = OrderedDict()

    def get(self, key: tuple[object, ...], make: Callable[[], str]) -> str:
        """Return the part of `key`, made now where nobody has asked for it yet."""
        with self._lock:
            found = self._parts.get(key)
            if found is not None:
                self._parts.move_to_end(key)
                return found
        made = make()
        with self._lock:
            self._parts[key] = made
            while len(self._parts) > self._most:
                self._parts.popitem(last=False)
        return made
