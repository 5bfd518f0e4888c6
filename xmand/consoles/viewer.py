"""One who looks at a console, and may type: what waits for him, bounded. Without libvirt and without a loop."""

import threading
from collections.abc import Callable
from typing import NamedTuple

# What one may be behind: a quarter of a second at the speed of a fast container.
MOST_BEHIND = 256 * 1024


class Taken(NamedTuple):
    """What has come for a viewer: octets, how many before them were lost, and why no more comes, None while it may."""

    data: bytes
    lost: int
    ended: str | None


class Viewer:
    """One of those at a console. Any thread may call; `wake` is called when there is something to take."""

    def __init__(self, *, types: bool) -> None:
        self.types = types
        # Called when something has come, and when what was typed has gone.
        self.wake: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._behind = bytearray()
        self._lost = 0
        self._ended: str | None = None

    @property
    def full(self) -> bool:
        """Whether he is as far behind as anybody may be."""
        return len(self._behind) >= MOST_BEHIND

    def offer(self, data: bytes) -> None:
        """Let him have `data`."""
        with self._lock:
            self._behind += data
        self.wake()

    def trim(self) -> None:
        """Drop the oldest of what is too much for him; he is told how much that was."""
        with self._lock:
            much = len(self._behind) - MOST_BEHIND
            if much > 0:
                del self._behind[:much]
                self._lost += much

    def end(self, why: str) -> None:
        """Nothing more comes."""
        with self._lock:
            self._ended = why
        self.wake()

    def take(self) -> Taken:
        """Return what has come, and forget it."""
        with self._lock:
            taken = Taken(bytes(self._behind), self._lost, self._ended)
            self._behind.clear()
            self._lost, self._ended = 0, None
        return taken
