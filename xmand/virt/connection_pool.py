"""Which of several of libvirt's connections a thread uses: one that no other thread uses meanwhile.

libvirt lets threads share one, and until its release 10.3 (CVE-2024-4418) that costs the whole process: where keepalive
closes it, because libvirtd stood still, one of those who wait there is told, and the next one reads what was on the
first one's stack as soon as libvirtd says something again. Also, who asks while another waits may not be heard before
that one is answered.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping

# How often who waits for its turn is told so.
_TELL_SECONDS = 15.0


_own = threading.local()


class _Session:
    """What a thread has, of whichever host's connections: its keys by (pool, purpose)."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self.told = told
        self.held: dict[tuple[ConnectionPool, str], str] = {}


def _of_thread() -> _Session | None:
    found: _Session | None = getattr(_own, "session", None)
    return found


@contextlib.contextmanager
def session(told: Callable[[str], None] = lambda _text: None) -> Iterator[None]:
    """Within it, this thread has a key of its choice for each purpose; `told` hears that it waits for one."""
    if _of_thread() is not None:
        yield
        return
    _own.session = _Session(told)
    try:
        yield
    finally:
        rest()
        _own.session = None


def rest() -> None:
    """Give back what this thread has: it makes no call for a while."""
    found = _of_thread()
    while found is not None and found.held:
        (pool, _purpose), key = found.held.popitem()
        pool.give_back(key)


def leave_behind(call: threading.Thread) -> None:
    """Take note that a call over one of this thread's connections goes on, though nobody waits for it any more.

    What this thread has next are others.
    """
    found = _of_thread()
    for (pool, _purpose), key in found.held.items() if found is not None else ():
        pool.leave(key, call)
    rest()


class ConnectionPool:
    """Shares keys (`read`, `read/1`, ...) out among threads.

    `most` has, by purpose, how many threads may have one at a time, where that is not as many as there are.
    """

    def __init__(self, most: Mapping[str, int]) -> None:
        self._most = most
        # key -> the calls on it whose callers have gone
        self._left: dict[str, list[threading.Thread]] = {}
        self._changed = threading.Condition()
        # key -> whether a thread has it
        self._taken: dict[str, bool] = {}

    def key(self, purpose: str) -> str:
        """Return this thread's key; outside a session it is that of the purpose itself."""
        session = _of_thread()
        if session is None:
            return purpose
        place = (self, purpose)
        if place not in session.held:
            session.held[place] = self._take(purpose, session.told)
        return session.held[place]

    def give_back(self, key: str) -> None:
        """Let another thread have a key."""
        with self._changed:
            self._taken[key] = False
            self._changed.notify_all()

    def leave(self, key: str, call: threading.Thread) -> None:
        """Count a call that goes on by itself, in a thread of its own, as long as it does."""
        with self._changed:
            self._left.setdefault(key, []).append(call)

    def _busy(self, key: str) -> bool:
        going_on = [call for call in self._left.pop(key, []) if call.is_alive()]
        if going_on:
            self._left[key] = going_on
        return self._taken[key] or bool(going_on)

    def _take(self, purpose: str, told: Callable[[str], None]) -> str:
        most = self._most.get(purpose, 0)
        told_at = time.monotonic()
        with self._changed:
            while True:
                now = time.monotonic()
                keys = [key for key in self._taken if key.partition("/")[0] == purpose]
                free = next((key for key in keys if not self._busy(key)), "")
                if free or not most or len(keys) < most:
                    break
                if not self._changed.wait(_TELL_SECONDS) or now - told_at > _TELL_SECONDS:
                    told_at = now
                    told(f"{most} such changes are under way on this host; this one waits for its turn")
            key = free or (f"{purpose}/{len(keys)}" if keys else purpose)
            self._taken[key] = True
            return key
