"""Which of several of libvirt's connections a thread uses: few share one, and nobody one on which another stands still.

libvirtd serves five calls at a time on a connection (`max_client_requests`). Where five block it reads nothing more of
it, its keepalive neither, and closes it after half a minute: whoever waited there learns nothing of what becomes of the
call. So at most four calls that can block are on one; a thread makes one call at a time.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping

MOST_SHARING = 4
# A command that has been at work for longer may have met a guest, or a disk, that does not answer.
STUCK_SECONDS = 1.0
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
    """Take note that a call over one of this thread's connections goes on, though nobody waits for it any more."""
    found = _of_thread()
    for (pool, _purpose), key in found.held.items() if found is not None else ():
        pool.leave(key, call)


class ConnectionPool:
    """Shares keys (`read`, `read/1`, ...) out among threads.

    `most` has, by purpose, how many may share a key where that is not four, and how many threads may have one at all.
    """

    def __init__(self, most: Mapping[str, tuple[int, int]]) -> None:
        self._most = most
        # key -> the calls on it whose callers have gone
        self._left: dict[str, list[threading.Thread]] = {}
        self._changed = threading.Condition()
        # key -> the threads that use it, and since when (time.monotonic())
        self._users: dict[str, dict[int, float]] = {}

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
        """Let others have this thread's place on a key."""
        with self._changed:
            self._users[key].pop(threading.get_ident(), None)
            self._changed.notify_all()

    def leave(self, key: str, call: threading.Thread) -> None:
        """Count a call that goes on by itself, in a thread of its own, as long as it does."""
        with self._changed:
            self._left.setdefault(key, []).append(call)

    def _blocked(self, key: str) -> int:
        going_on = [call for call in self._left.pop(key, []) if call.is_alive()]
        if going_on:
            self._left[key] = going_on
        return len(going_on)

    def _take(self, purpose: str, told: Callable[[str], None]) -> str:
        sharing, most = self._most.get(purpose, (MOST_SHARING, 0))
        told_at = time.monotonic()
        with self._changed:
            while True:
                now = time.monotonic()
                keys = [key for key in self._users if key.partition("/")[0] == purpose]
                if not most or sum(len(self._users[key]) + self._blocked(key) for key in keys) < most:
                    break
                if not self._changed.wait(_TELL_SECONDS) or now - told_at > _TELL_SECONDS:
                    told_at = now
                    told(f"{most} such changes are under way on this host; this one waits for its turn")
            # Where something stands still only who must goes.
            key = next((key for key in keys if self._room(key, sharing, now, stuck=not most)), "")
            key = key or (purpose if not keys else f"{purpose}/{len(keys)}")
            self._users.setdefault(key, {})[threading.get_ident()] = now
            return key

    def _room(self, key: str, sharing: int, now: float, *, stuck: bool) -> bool:
        users = self._users[key]
        if len(users) + self._blocked(key) >= sharing:
            return False
        return not (stuck and any(now - since > STUCK_SECONDS for since in users.values()))
