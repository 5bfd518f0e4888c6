"""xmand's own message buffer, which `dmesg` shows where the hypervisor has none."""

import threading
import time
from collections import deque

MOST_LINES = 16_384
MOST_OCTETS = 1 << 20


class Ring:
    """Lines with the seconds since the daemon started, in the manner of dmesg(1). Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[str] = deque()
        self._octets = 0
        self._started = time.monotonic()

    def add(self, text: str) -> None:
        """Add one line, at the cost of the oldest when full. A text of several (libvirt has such) becomes one."""
        flat = " ".join(part.strip() for part in text.splitlines())
        line = f"[{time.monotonic() - self._started:12.6f}] {flat}"
        with self._lock:
            self._lines.append(line)
            self._octets += len(line)
            while len(self._lines) > MOST_LINES or self._octets > MOST_OCTETS:
                self._octets -= len(self._lines.popleft())

    def lines(self, clear: bool = False) -> list[str]:
        """Return all lines; with `clear`, forget just those."""
        with self._lock:
            lines = list(self._lines)
            if clear:
                self._lines.clear()
                self._octets = 0
        return lines
