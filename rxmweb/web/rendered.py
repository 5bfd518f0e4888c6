"""What many people look at is made once: parts of pages, by all that they were made of."""

import threading
from collections import OrderedDict
from collections.abc import Callable

# Of one process; a part is some 30 kB.
_MOST = 300


class Rendered:
    """The parts that were made last."""

    def __init__(self) -> None:
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
            while len(self._parts) > _MOST:
                self._parts.popitem(last=False)
        return made
