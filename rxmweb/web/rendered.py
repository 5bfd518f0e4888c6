"""What many people look at is made once: parts of pages, by all that they were made of."""

import threading
from collections import OrderedDict
from collections.abc import Callable

# In letters, of one process: a part of a page has some 100,000, a row of one 1,000, and more where hosts say more.
PARTS, ROWS = 12_000_000, 6_000_000


class Rendered:
    """The parts that were made last, at most so many letters of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._parts: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._letters = 0

    def get(self, key: tuple[object, ...], make: Callable[[], str]) -> str:
        """Return the part of `key`, made now where nobody has asked for it yet."""
        with self._lock:
            found = self._parts.get(key)
            if found is not None:
                self._parts.move_to_end(key)
                return found
        made = make()
        if len(made) > self._most // 2:  # all others would go for it
            return made
        with self._lock:
            self._letters += len(made) - len(self._parts.pop(key, ""))
            self._parts[key] = made
            while self._letters > self._most:
                self._letters -= len(self._parts.popitem(last=False)[1])
        return made
