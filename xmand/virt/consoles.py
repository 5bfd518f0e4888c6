"""A domain's consoles and serial ports: which there are, and the stream of octets from and to one.

libvirt calls back in its own event thread. It tells of no end where libvirtd dies or hangs: only the connection's close
callback does.

What the guest prints comes through libvirt's stream. What is typed goes into the terminal itself, which is this host's:
what its reader does not take would wait in libvirtd, and the stream's abort behind it; had the domain ended by then,
libvirtd 11.3 would turn in a circle for good (remote_daemon_stream.c queues one message twice).
"""

import contextlib
import errno
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnsupportedError, UsageError
from xmand.virt import driver
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import Domain
from xmand.virt.driver import CONSOLE, LXC, XEN, Driver
from xmand.virt.errors import code_of, reading, words

# What is read at a time.
_CHUNK = 65_536
# A guest that prints without end gets every other so many seconds of libvirt's event thread; all events wait for it.
_TURN_SECONDS = 0.005
_TURN_MILLISECONDS = 5
# The only kind that libvirt opens.
PTY = "pty"
_NOT_OPEN = -1
LOST = "libvirt was lost"
# Where libvirt's QEMU and Xen drivers note that somebody has a terminal: a file `LCK.._pts_3` with the number of the
# process that opened it, which may be gone. LXC's lets everybody in, and notes nothing.
_LOCKS = Path("/var/lock")
_LOCK = "LCK.."


class Console(NamedTuple):
    """One console or serial port: name, kind in libvirt's words, the file of its log, terminal, and libvirt's alias."""

    name: str
    kind: str
    log: str
    terminal: str = ""
    alias: str = ""


def consoles(description: str) -> list[Console]:
    """Return those of a libvirt description; the first one is the domain's console."""
    found: dict[str, Console] = {}
    devices = etree.fromstring(description.encode()).find("devices")
    for element in [*devices.iterfind("console"), *devices.iterfind("serial")] if devices is not None else []:
        alias, log = element.find("alias"), element.find("log")
        target = element.find("target")
        number = target.get("port", "0") if target is not None else "0"
        # Off, a device has no alias yet. QEMU's first console is its first serial port once more.
        as_serial = element.tag == "serial" or (target is not None and target.get("type") == "serial")
        own = alias.get("name", "") if alias is not None else ""
        name = own or f"{'serial' if as_serial else 'console'}{number}"
        source = element.find("source")
        terminal = source.get("path", "") if source is not None and element.get("type") == PTY else ""
        one = Console(name, element.get("type", ""), log.get("file", "") if log is not None else "", terminal, own)
        if name not in found or (one.log and not found[name].log):
            found[name] = one
    return list(found.values())


def held(description: str, locks: Path = _LOCKS) -> list[str]:
    """Return the names of the consoles of a running domain that somebody has opened through libvirt, we or others."""
    try:
        noted = {path.name for path in locks.iterdir() if path.name.startswith(_LOCK)}
    except OSError:
        return []
    if not noted:
        return []
    names = {one.name: _LOCK + one.terminal.removeprefix("/dev").replace("/", "_") for one in consoles(description)}
    return [name for name, note in names.items() if note in noted and _lives(locks / note)]


def _lives(note: Path) -> bool:
    """Whether the process lives whose number a file has."""
    try:
        os.kill(int(note.read_text()), 0)
    except (OSError, ValueError, OverflowError) as error:
        return isinstance(error, PermissionError)
    return True


def choose(domain: str, found: list[Console], wanted: str = "") -> Console:
    """Return the console called `wanted`; where that is empty, the first one that can be opened.

    Raises UsageError where there is none of that name, UnsupportedError where it cannot be opened.
    """
    if not found:
        raise UnsupportedError(f"Domain '{domain}' has no console; its description needs <console type='pty'/>.")
    if wanted:
        chosen = next((one for one in found if one.name == wanted), None)
    else:
        chosen = next((one for one in found if one.kind == PTY), found[0])
    if chosen is None:
        names = ", ".join(one.name for one in found)
        raise UsageError(f"Domain '{domain}' has no console '{wanted}'; it has {names}.")
    if chosen.kind != PTY:
        raise UnsupportedError(
            f"The console '{chosen.name}' of domain '{domain}' is of the kind '{chosen.kind}';"
            f" only {PTY} can be opened."
        )
    return chosen


class Line:
    """An open console. What it calls (`heard`, `ended`, `room`) is called in libvirt's thread, and must not block.

    Its own methods enter libvirt, which may block: never call them on the serving loop.
    """

    def __init__(
        self,
        stream: Any,
        terminal: str,
        *,
        heard: Callable[[bytes], None],
        ended: Callable[[str], None],
        room: Callable[[], None],
        forget: Callable[["Line"], None],
    ) -> None:
        self._stream = stream
        self._heard, self._ended, self._room, self._forget = heard, ended, room, forget
        self._lock = threading.Lock()
        self._terminal = terminal
        self._typing = _NOT_OPEN
        # Now, while it is the domain's: the next one that is opened on this host may be called the same.
        try:
            self._typing = _open_terminal(terminal)
        except OSError as error:  # who only looks need not know
            self._why_not = error
        self._watch = _NOT_OPEN
        self._paused = self._resting = self._over = False

    def begin(self) -> None:
        """Listen. Raises HypervisorError."""
        driver.streams(+1)
        with reading():
            self._stream.eventAddCallback(self._mask(), self._event, None)

    def write(self, data: bytes) -> int:
        """Type `data`; return how many octets were taken. `room` is called once there is room for more.

        It ends where there is nothing to type into.
        """
        try:
            with self._lock:
                return 0 if self._over else self._type(data)
        except OSError as error:
            self._end(f"nothing can be typed into its terminal {self._terminal}: {error.strerror}")
            return 0

    def _type(self, data: bytes) -> int:
        """Write to the terminal; under the lock, so that it is not closed meanwhile. Raises OSError."""
        if self._typing == _NOT_OPEN:
            raise self._why_not
        try:
            taken = os.write(self._typing, data)
        except BlockingIOError:
            taken = 0
        if taken < len(data) and self._watch == _NOT_OPEN:
            self._watch = api.virEventAddHandle(self._typing, api.VIR_EVENT_HANDLE_WRITABLE, self._writable, None)
        return taken

    def _writable(self, _watch: int, _descriptor: int, _events: int, _opaque: object) -> None:
        with self._lock:
            self._unwatch()
        self._room()

    def _unwatch(self) -> None:
        if self._watch != _NOT_OPEN:
            api.virEventRemoveHandle(self._watch)
            self._watch = _NOT_OPEN

    def pause(self, paused: bool) -> None:
        """Read no more, or again: whoever reads along has not kept up."""
        with self._lock:
            self._paused = paused
            self._update()

    def close(self) -> None:
        """Let go of it."""
        if self._finish():
            with contextlib.suppress(api.libvirtError):
                self._stream.eventRemoveCallback()
            with contextlib.suppress(api.libvirtError):
                self._stream.abort()

    def lose(self) -> None:
        """libvirt is gone, and calls nobody back any more."""
        if self._finish():
            self._ended(LOST)

    def _event(self, _stream: object, events: int, _opaque: object) -> None:
        try:
            if events & api.VIR_STREAM_EVENT_READABLE:
                self._read()
            elif events & (api.VIR_STREAM_EVENT_ERROR | api.VIR_STREAM_EVENT_HANGUP):
                self._end("")
        except api.libvirtError as error:
            self._end(words(error))

    def _read(self) -> None:
        until = time.monotonic() + _TURN_SECONDS
        while time.monotonic() < until:
            data = self._stream.recv(_CHUNK)
            if data == -2:
                return
            if not data:
                self._end("")
                return
            self._heard(data)
        with self._lock:
            self._resting = True
            self._update()
        timer = api.virEventAddTimeout(_TURN_MILLISECONDS, self._rested, None)
        self._timer = timer

    def _rested(self, timer: int, _opaque: object) -> None:
        api.virEventRemoveTimeout(timer)
        with self._lock:
            self._resting = False
            self._update()

    def _end(self, why: str) -> None:
        if self._finish():
            with contextlib.suppress(api.libvirtError):
                self._stream.eventRemoveCallback()
            with contextlib.suppress(api.libvirtError):
                self._stream.abort()
            self._ended(why)

    def _finish(self) -> bool:
        """Return whether this is its end, which comes once."""
        with self._lock:
            if self._over:
                return False
            self._over = True
            self._unwatch()
            if self._typing != _NOT_OPEN:
                os.close(self._typing)
        driver.streams(-1)
        self._forget(self)
        return True

    def _mask(self) -> int:
        mask: int = api.VIR_STREAM_EVENT_ERROR | api.VIR_STREAM_EVENT_HANGUP
        if not (self._paused or self._resting):
            mask |= api.VIR_STREAM_EVENT_READABLE
        return mask

    def _update(self) -> None:
        if not self._over:
            with contextlib.suppress(api.libvirtError):
                self._stream.eventUpdateCallback(self._mask())


class Lines:
    """Opens lines, and ends those of a connection that is lost."""

    def __init__(self, hypervisor: Driver) -> None:
        self._driver = hypervisor
        self._lock = threading.Lock()
        # As many connections as threads open consoles at a time; libvirt takes one callback for each.
        self._lines: weakref.WeakKeyDictionary[RawConnection, set[Line]] = weakref.WeakKeyDictionary()

    def open(
        self,
        domain: Domain,
        console: Console,
        *,
        force: bool,
        heard: Callable[[bytes], None],
        ended: Callable[[str], None],
        room: Callable[[], None],
    ) -> Line:
        """Open `console`; with `force`, also where somebody else has it.

        Raises RefusedError where somebody has, or it is off; UnsupportedError, HypervisorError.
        """
        connection = self._driver.connection(CONSOLE)
        with reading(domain.name):
            kind = connection.getType()
            raw = connection.lookupByUUIDString(domain.uuid)
            if not raw.isActive():
                raise RefusedError(f"Domain '{domain.name}' is not running.")
            now = while_running(consoles(raw.XMLDesc()), console)
            stream = connection.newStream(api.VIR_STREAM_NONBLOCK)
            try:
                raw.openConsole(now.alias or None, stream, _flags(kind, force=force))
            except api.libvirtError as error:
                code = code_of(error)
                if code == api.VIR_ERR_OPERATION_FAILED and not force:
                    raise RefusedError(
                        f"The console of domain '{domain.name}' is in use outside xman; --force takes it."
                    ) from error
                if code == api.VIR_ERR_SYSTEM_ERROR and kind != LXC:
                    raise HypervisorError(
                        f"{words(error)}. libvirt notes in {_LOCKS} who has a console; that folder must exist."
                    ) from error
                raise
        lines = self._of(connection)
        line = Line(stream, now.terminal, heard=heard, ended=ended, room=room, forget=lines.discard)
        lines.add(line)
        try:
            line.begin()
        except HypervisorError:
            line.close()
            raise
        if driver.lost(connection):  # perhaps before anybody was told that this line is to hear of it
            line.lose()
        return line

    def _of(self, connection: RawConnection) -> set[Line]:
        """Return the lines of `connection`, watched."""
        with self._lock:
            known = self._lines.get(connection)
            if known is None:
                lines: set[Line] = set()

                def lost(_connection: object, _reason: int, _opaque: object) -> None:
                    for line in list(lines):
                        line.lose()

                with reading():
                    connection.registerCloseCallback(lost, None)
                known = self._lines[connection] = lines
            return known


def while_running(described: list[Console], wanted: Console) -> Console:
    """Return the console `wanted` as it is while its domain runs.

    Xen's have no aliases, not even then; its driver opens the first one where none is named. Raises UnsupportedError.
    """
    found = next((one for one in described if one.name == wanted.name), wanted)
    if not found.alias and described and found.name != described[0].name:
        raise UnsupportedError(
            f"This host's hypervisor opens a domain's first console only, here '{described[0].name}'."
        )
    return found


def _open_terminal(path: str) -> int:
    """Open a terminal to type into. Raises OSError, also where it is none: a description might name any file."""
    if not path.startswith("/dev/pts/"):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    terminal = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    if not os.isatty(terminal):
        os.close(terminal)
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    return terminal


def _flags(kind: str, *, force: bool) -> int:
    """Return how to open a console on a hypervisor of this kind (libvirt's getType): not all know each flag."""
    if kind == LXC:  # lets everybody in, and they steal each other's octets: whoever opens it is the only one
        return 0
    if force:
        return int(api.VIR_DOMAIN_CONSOLE_FORCE)
    return 0 if kind == XEN else int(api.VIR_DOMAIN_CONSOLE_SAFE)
