"""libvirt's connections, kept open, its event loop, and who is told of changes of ours."""

import contextlib
import logging
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

from xman.errors import HypervisorError, UnknownOutcomeError, XmanError
from xmand.virt import errors
from xmand.virt.binding import RawConnection, api
from xmand.virt.connection_pool import ConnectionPool
from xmand.virt.errors import Translating, translate, words

logger = logging.getLogger(__name__)

# A frozen libvirtd is found out after this many seconds times this many tries; without it a call would hang for ever.
KEEPALIVE_SECONDS = 3
KEEPALIVE_TRIES = 3
# The same for a connection with a stream on it.
_STREAM_KEEPALIVE = (10, 6)
# And for consoles: libvirt waits for one interval more, and who sits at one is to be told within twelve seconds.
_CONSOLE_KEEPALIVE = (2, 4)

# What a connection is for. Reading uses libvirt's read-only access, so that no reading verb can change anything by a
# fault of ours. Of each there are as many as are needed (`connection_pool`).
READ = "read"
CHANGE = "change"
LONG = "long"
# More for reading, where one call for each of many domains is to be made: four together halve the time; more do not.
MORE_READERS = ("read 2", "read 3", "read 4")
# For asking how far a call is that blocks in another one (`beside`).
ASIDE = "aside"
# For what only a guest's own process knows, which may not answer.
MONITOR = "monitor"
# libvirtd has some twenty threads for all that block.
_MOST = {LONG: 12}
# Where libvirt's events come from, beside all that may block.
EVENTS = "events"
# What consoles are opened over: not for reading only, and its streams end when it is lost.
CONSOLE = "consoles"
# Over which guests' agents are asked, which libvirt lets nobody who only reads.
AGENT = "agents"
_WRITING = (CHANGE, LONG, ASIDE, CONSOLE, AGENT)

# What getType() calls a host of Xen's, one of containers, and one of QEMU's.
XEN = "Xen"
QEMU = "QEMU"
LXC = "LXC"

# How often the same error stands in the message buffer.
_SAME_ERROR_SECONDS = 600.0
_event_loop = threading.Lock()
_event_loop_runs = False
# The loop turns at least this often, so that its end is noticed.
_TICK_MILLISECONDS = 1000
# How long it rests after a turn. Every call of libvirt's, on whatever connection, wakes it a dozen times for nothing,
# and each time it asks for the interpreter that the commands need: a fifth of all commands per second. Events may be
# so late, but those of our own changes are not: a change ends the rest.
_REST_SECONDS = 0.002
_changed = threading.Event()
# How many consoles are open: their octets come through the loop, and a rest after each turn makes them fifteen times
# slower.
_streams = 0
_ticked = 0.0


class Watcher(Protocol):
    """Who wants to know of changes of ours."""

    def changed(self, name: str) -> None:
        """One of the domain `name` begins, or has ended and its caller is not told yet; in the changing thread."""


_watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()


def watch(watcher: Watcher) -> None:
    """Tell `watcher` of each change, as long as there is one."""
    _watchers.add(watcher)


_drivers: "weakref.WeakSet[Driver]" = weakref.WeakSet()


def beside(connection: RawConnection) -> RawConnection:
    """Return a connection to ask over while a call blocks in `connection`; itself, where libvirtd has no part in it.

    Raises HypervisorError.
    """
    owner = next((driver for driver in list(_drivers) if driver.has(connection)), None)
    return connection if owner is None else owner.connection(ASIDE)


class Driver:
    """The host's hypervisor.

    `uri` is libvirt's (empty: libvirt's own choice). `on_event` is called from libvirt's event thread with a line for
    the message buffer. Methods block, each at most as long as libvirt does: call them in a worker.
    """

    def __init__(self, uri: str, on_event: Callable[[str], None]) -> None:
        self._uri = uri or None
        self._on_event = on_event
        self._connections: dict[str, RawConnection] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._pool = ConnectionPool(_MOST)
        self._last_error, self._last_error_at = "", 0.0
        self._remote = False
        _drivers.add(self)
        _start_event_loop()
        # Process-wide; without it libvirt prints every error on our stderr.
        api.registerErrorHandler(self._log_error, None)

    def connection(self, purpose: str, patience: float = 30.0) -> RawConnection:
        """Return an open connection for `purpose`, in a session this thread's, opening it again where it was lost.

        Raises HypervisorError, also where another thread has been opening it for `patience` seconds in vain.
        """
        key = self._pool.key(purpose)
        lock = self._locks[key]
        if not lock.acquire(timeout=patience):
            raise HypervisorError("libvirt does not respond.")
        try:
            connection = self._connections.get(key)
            if connection is None or not _alive(connection):
                lost = self._connections.pop(key, None)
                keepalive = _CONSOLE_KEEPALIVE if purpose == CONSOLE else (KEEPALIVE_SECONDS, KEEPALIVE_TRIES)
                connection = self._connections[key] = self._open(purpose, lost, key != purpose, keepalive)
            return connection
        finally:
            lock.release()

    def has(self, connection: RawConnection) -> bool:
        """Whether `connection` is one of these, and libvirtd is behind it."""
        return self._remote and any(connection is each for each in list(self._connections.values()))

    def another(self) -> RawConnection:
        """Return a connection of the caller's own (`give_back`): a stream that stands still holds up nobody else.

        libvirtd reads nothing of it, keepalive neither, while a disk does not take what the stream brings. Raises
        HypervisorError.
        """
        return self._open(CHANGE, None, True, _STREAM_KEEPALIVE)

    def give_back(self, connection: RawConnection) -> None:
        """Close one of `another`'s."""
        _close(connection)

    def more_readers(self) -> list[RawConnection]:
        """Return more connections for reading, for what takes a call per domain."""
        return [self.connection(purpose) for purpose in MORE_READERS]

    def was_lost(self, purpose: str) -> bool:
        """Whether the connection for `purpose` was there and is not any more; it has not been made anew yet."""
        connection = self._connections.get(self._pool.key(purpose))
        return connection is not None and not _alive(connection)

    def ticked(self) -> float:
        """Return the time.monotonic() of the last turn of libvirt's event loop."""
        return _ticked

    def close(self) -> None:
        """Close what is open."""
        for connection in list(self._connections.values()):
            _close(connection)
        self._connections.clear()

    def _open(
        self,
        purpose: str,
        lost: RawConnection | None,
        more: bool,
        keepalive: tuple[int, int],
    ) -> RawConnection:
        if lost is not None:
            _close(lost)
            if not more:
                self._on_event(f"libvirt: the connection for {purpose} was lost")
        try:
            connection = (api.open if purpose in _WRITING else api.openReadOnly)(self._uri)
        except api.libvirtError as error:
            raise HypervisorError(f"libvirt cannot be reached: {words(error)}") from error
        # The drivers inside our own process (test:///) neither know keepalive nor need it.
        with contextlib.suppress(api.libvirtError):
            connection.setKeepAlive(*keepalive)
            self._remote = True
        if not more:  # of the others there are as many as are needed just now
            self._on_event(f"libvirt: connected to {connection.getURI()} for {purpose}")
        return connection

    def _log_error(self, _context: object, error: tuple[Any, ...]) -> None:
        errors.reported.error = error
        # What we find out by trying (does the driver have this, is there such a domain) is no news.
        if error[0] in errors.UNSUPPORTED or error[0] in errors.ABSENT:
            return
        line = f"libvirt: error {error[0]}: {error[2]}"
        # A libvirtd that is away is asked for every few seconds: that must not drive all else out of the buffer.
        again = line == self._last_error and time.monotonic() - self._last_error_at < _SAME_ERROR_SECONDS
        if not again:
            self._last_error, self._last_error_at = line, time.monotonic()
            self._on_event(line)


def changing(connection: RawConnection, name: str) -> Translating:
    """Turn libvirt's errors into ours around a call that changes the domain `name` over `connection`.

    Raises UnknownOutcomeError where the connection was lost in the middle: the change may have happened.
    """
    _tell(name)

    def ours(error: api.libvirtError) -> XmanError:
        if lost(connection):
            return UnknownOutcomeError(
                f"libvirt was lost while changing '{name}': it may have happened; look with rxm list. ({words(error)})"
            )
        return translate(error, name)

    def ended() -> None:
        _changed.set()
        _tell(name)

    return Translating(api.libvirtError, ours, ended)


def _tell(name: str) -> None:
    for watcher in list(_watchers):
        watcher.changed(name)


def streams(more: int) -> None:
    """Take note that so many more streams (fewer, where negative) are open over libvirt's event loop."""
    global _streams
    with _event_loop:
        _streams += more
    _changed.set()


def lost(connection: RawConnection) -> bool:
    """Whether libvirtd has gone away, so that an error says nothing about what it did."""
    return not _alive(connection)


def constants(prefix: str) -> dict[int, str]:
    """Return libvirt's numbers whose names begin with `prefix` (VIR_DOMAIN_PAUSED_ and so on), in words."""
    names = [name for name in dir(api) if name.startswith(prefix) and not name.endswith("_LAST")]
    return {int(getattr(api, name)): name.removeprefix(prefix).lower().replace("_", " ") for name in names}


def version_text(number: int) -> str:
    """Return libvirt's version number (major * 1,000,000 + minor * 1,000 + release) as `9.0.0`."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def _close(connection: RawConnection) -> None:
    # What is lost anyway cannot be closed in order.
    with contextlib.suppress(api.libvirtError):
        connection.close()


def _alive(connection: RawConnection) -> bool:
    try:
        return bool(connection.isAlive())
    except api.libvirtError:
        return False


def _start_event_loop() -> None:
    """Run libvirt's own event loop in a thread; it must be there before the first connection is opened."""
    global _event_loop_runs
    with _event_loop:
        if _event_loop_runs:
            return
        api.virEventRegisterDefaultImpl()
        _tick(0, None)
        api.virEventAddTimeout(_TICK_MILLISECONDS, _tick, None)
        _event_loop_runs = True
    threading.Thread(target=_run_events, name="libvirt-events", daemon=True).start()


def _tick(_timer: int, _opaque: object) -> None:
    global _ticked
    _ticked = time.monotonic()


def _run_events() -> None:
    while True:
        try:
            api.virEventRunDefaultImpl()
            if not _streams:
                _changed.wait(_REST_SECONDS)
                _changed.clear()
        except api.libvirtError as error:
            logger.error("libvirt's event loop: %s", words(error))
            time.sleep(1.0)
