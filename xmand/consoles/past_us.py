"""Who is at domains' screens past this xmand: how many, from what libvirt tells of each who comes and leaves.

libvirt has no names, and no list: of a domain that runs since before it was listened to, nothing is known. Of those who
come by a descriptor or a socket of this host it has no address, and our own are among them.
"""

import threading

from xmand.virt.events import LOST, STARTED, STOPPED, Event

_HERE = ("", "")


class _Screens:
    """The viewers of one domain."""

    def __init__(self) -> None:
        self.over_network: set[tuple[str, str]] = set()
        self.here = 0


class PastUs:
    """The viewers of the domains that were seen to start. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, _Screens] = {}

    def heard(self, event: Event) -> None:
        """Take note of a run's begin and end: that of viewers who are there then is told by nothing else."""
        with self._lock:
            if event.name == STARTED:
                self._seen[event.uuid] = _Screens()
            elif event.name == STOPPED:
                self._seen.pop(event.uuid, None)
            elif event.name == LOST:
                self._seen.clear()

    def viewed(self, uuid: str, comes: bool, whence: tuple[str, str]) -> None:
        """Take note of a viewer who comes or leaves (`xmand.virt.events.Viewed`)."""
        with self._lock:
            screens = self._seen.get(uuid)
            if screens is None:
                return
            if whence == _HERE:
                screens.here = max(0, screens.here + (1 if comes else -1))
            elif comes:
                screens.over_network.add(whence)
            else:
                screens.over_network.discard(whence)

    def count(self, uuid: str, ours: int) -> int | None:
        """Return how many are there besides `ours`; None where that is not known."""
        with self._lock:
            screens = self._seen.get(uuid)
            return None if screens is None else len(screens.over_network) + max(0, screens.here - ours)
