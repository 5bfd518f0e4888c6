"""A viewer at a domain's screen: each one that connects here, or is started, has a stream of VNC to the host."""

import contextlib
import os
import queue
import select
import shlex
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator

from rxm.invocation import SILENCE_SECONDS, Invocation
from rxm.output import ERR, Output
from rxm.remote import conversation
from rxm.remote.command import Reply, wire_words
from rxm.remote.connection import Connection
from rxm.targets import Task
from xman import escape, lowlevel, outcome
from xman.errors import RefusedError, UsageError

# What is started where nothing else is said, on a desktop.
_VIEWER = "vncviewer"
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
# How often is looked whether the viewer has ended.
_LOOK_SECONDS = 0.2
_CHUNK = 65_536
# Of a socket (unix(7)).
_LONGEST_PATH = 107
# So many viewers at a time; each has a connection to the host.
_MOST = 16


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Be at the screen of the one domain; return the code. Raises XmanError."""
    parsed, options = invocation.parsed, invocation.options
    verb = parsed.verb.name
    if options.json:
        raise UsageError(f"{verb} has no JSON output: it is a conversation with a viewer.")
    if len(tasks) != 1:
        raise UsageError(f"{verb} is for one domain at a time.")
    ways = [f"--{key}" for key in ("socket", "port", "stdio") if parsed.flag(key)]
    if len(ways) > 1 or (parsed.flag("stdio") and parsed.flag("viewer")):
        raise UsageError("Give only one of --socket, --port and --stdio; --stdio cannot be combined with --viewer.")
    parsed.options["input"] = True
    screen = _Screen(invocation, tasks[0], output)
    if parsed.flag("stdio"):
        return [screen.shown_to(_Stdio())]
    return [_let_viewers(screen, invocation, tasks[0])]


class _Screen:
    """The screen of one domain of one host, of which each viewer has a stream of his own."""

    def __init__(self, invocation: Invocation, task: Task, output: Output) -> None:
        self._invocation = invocation
        self._task = task
        self._output = output

    def shown_to(self, ends: "_Ends") -> int:
        """Show it until one side ends; return the code. Raises XmanError."""
        with self._invocation.connect(self._task.target.host) as connection:
            reply = self._hold(connection, ends)
            if not ends.left:
                self._output.reply(self._invocation.parsed.verb.name, self._task.target, reply, connection.principal)
        return reply.outcome

    def _hold(self, connection: Connection, ends: "_Ends") -> Reply:
        invocation, options = self._invocation, self._invocation.options
        words = wire_words(
            invocation.parsed,
            json=False,
            domains=self._task.domains,
            reason=options.reason,
            timeout=options.timeout,
        )
        try:
            return conversation.hold(
                connection, words, ends, ends.show, invocation.deadline, SILENCE_SECONDS, sink=ends
            )
        finally:
            ends.close()


class _Ends:
    """Where one viewer's octets come from and go to; without one as yet, what is shown waits."""

    def __init__(self) -> None:
        self.source = self.descriptor = -1
        # Whether the viewer has ended it, and not the host.
        self.left = False
        self._waiting = bytearray()

    def begin(self) -> None:
        """The host takes what the viewer says."""

    def typed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what of `data` is to be sent, and whether it is the end of it."""
        self.left |= not data
        return data, not data

    def show(self, stream: int, data: bytes) -> bool:
        """Show it; return whether somebody reads it."""
        if stream == ERR:
            return lowlevel.write(ERR, escape.octets(data))
        self._waiting += data
        return self.flush()

    @property
    def waiting(self) -> int:
        """How many octets wait for the viewer."""
        return len(self._waiting)

    def flush(self) -> bool:
        """Hand over what is taken now; return whether somebody reads it."""
        try:
            while self._waiting and self.descriptor >= 0:
                del self._waiting[: os.write(self.descriptor, self._waiting[:_CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self._waiting.clear()
            self.left = True
            return False
        return True

    def close(self) -> None:
        """It is over."""


class _Stdio(_Ends):
    """A viewer on standard input and output."""

    def __init__(self) -> None:
        super().__init__()
        if lowlevel.terminal(sys.stdin) or lowlevel.terminal(sys.stdout):
            raise UsageError("--stdio is for a program that speaks VNC; a terminal does not.")
        self.source, self.descriptor = 0, 1
        self._blocks = os.get_blocking(1)
        os.set_blocking(1, False)

    def close(self) -> None:
        """Hand over the rest, and leave standard output as it was."""
        os.set_blocking(1, True)
        self.flush()
        os.set_blocking(1, self._blocks)


class _Connected(_Ends):
    """A viewer that has connected here, or will."""

    def __init__(self, sock: socket.socket | None = None) -> None:
        super().__init__()
        self.begun = threading.Event()
        self._socket: socket.socket | None = None
        if sock is not None:
            self.connect(sock)

    def begin(self) -> None:
        """The host takes what the viewer says."""
        self.begun.set()

    def connect(self, sock: socket.socket) -> None:
        """Here he is."""
        sock.setblocking(False)
        self._socket = sock
        # In this order: who has a source has a sink.
        self.descriptor = sock.fileno()
        self.source = self.descriptor

    def close(self) -> None:
        """Hand over the rest, and close."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(_LOOK_SECONDS)
                self._socket.sendall(self._waiting)
            self._socket.close()
            self.source = self.descriptor = -1


class _Conversations:
    """The streams of all viewers, each in a thread of its own."""

    def __init__(self, screen: _Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._open: set[_Connected] = set()
        # What has ended it for all, where that was the host.
        self.ended: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()

    def begin(self, ends: _Connected) -> None:
        """Begin one."""
        with self._lock:
            self._open.add(ends)
        threading.Thread(target=self._run, args=(ends,), daemon=True).start()

    @property
    def count(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._open)

    def _run(self, ends: _Connected) -> None:
        code: int | BaseException
        try:
            code = self._screen.shown_to(ends)
        except BaseException as error:  # for the thread that waits
            code = error
        with self._lock:
            self._open.discard(ends)
        ends.close()
        if not ends.left:
            self.ended.put(code)


def _let_viewers(screen: _Screen, invocation: Invocation, task: Task) -> int:
    """Let viewers connect, or start one, until it ends; the host is asked first. Raises XmanError."""
    parsed = invocation.parsed
    command = _command(str(parsed.options.get("viewer", "")))
    port = parsed.options.get("port")
    if isinstance(port, int) and port > 65_535:
        raise UsageError(f"{port} is not a port.")
    if port is not None:
        _warn_of_port(yes=parsed.flag("yes"))
    conversations = _Conversations(screen)
    first = _Connected()
    conversations.begin(first)
    while not first.begun.wait(_LOOK_SECONDS):
        if not conversations.ended.empty():
            return _code(conversations.ended.get())
    with _listener(port, str(parsed.options.get("socket", "")), task) as (listener, place):
        if command:
            viewer = _start(_told(command, place, port))
        else:
            viewer = None
            lowlevel.err(f"The screen of '{escape.line(task.target.domain)}' is at {place} for VNC viewers.\n")
        waiting: _Connected | None = first
        try:
            while True:
                if not conversations.ended.empty():
                    return _code(conversations.ended.get())
                if viewer is not None and viewer.poll() is not None:
                    return outcome.OK
                if not select.select([listener], [], [], _LOOK_SECONDS)[0]:
                    continue
                sock, _address = listener.accept()
                if waiting is not None:
                    waiting.connect(sock)
                    waiting = None
                elif conversations.count < _MOST:
                    conversations.begin(_Connected(sock))
                else:
                    sock.close()
        finally:
            if viewer is not None and viewer.poll() is None:
                viewer.terminate()


def _code(ended: "int | BaseException") -> int:
    if isinstance(ended, BaseException):
        raise ended
    return ended


def _command(given: str) -> list[str]:
    """Return the viewer's words; none where it is the user who starts one."""
    if given:
        try:
            return shlex.split(given)
        except ValueError as error:
            raise UsageError(f"--viewer: {error}.") from error
    import shutil

    desktop = any(lowlevel.environment(name) for name in _DISPLAYS)
    return [_VIEWER] if desktop and shutil.which(_VIEWER) else []


def _told(command: list[str], place: str, port: object) -> list[str]:
    """Return the viewer's words with the place in them: for {} and {port}, behind all where there is neither."""
    words = [word.replace("{port}", str(port or "")).replace("{}", place) for word in command]
    return [*command, place] if words == command else words


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # no shell
    except OSError as error:
        raise RefusedError(f"The viewer {command[0]} cannot be started: {error.strerror}.") from error


def _warn_of_port(*, yes: bool) -> None:
    """A port of this machine is everybody's who has an account here."""
    if yes:
        return
    if not (lowlevel.terminal(sys.stdin) and lowlevel.terminal(sys.stderr)):
        raise UsageError("With --port, every user of this machine could use the screen; this requires --yes.")
    lowlevel.err("Every user of this machine can use the screen by this port. Continue? [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("Nothing was done.")


@contextlib.contextmanager
def _listener(port: object, path: str, task: Task) -> Iterator[tuple[socket.socket, str]]:
    """Give a listening socket, and what a viewer is told of where it is. Raises RefusedError."""
    try:
        if isinstance(port, int):
            with socket.create_server(("127.0.0.1", port)) as listener:
                yield listener, f"127.0.0.1::{port}"
            return
        path = path or _place(_directory(), task)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            _bind(listener, path)
            try:
                listener.listen(_MOST)
                yield listener, path
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108  # pathlib is dear
    except OSError as error:
        raise RefusedError(f"No viewer can connect: {error.strerror or error}.") from error


def _bind(listener: socket.socket, path: str) -> None:
    """Bind to `path`, for this user alone, in the place of one that was left behind."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                other.settimeout(_LOOK_SECONDS)
                try:
                    other.connect(path)
                except OSError:
                    os.unlink(path)  # noqa: PTH108
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)


def _directory() -> str:
    """Return a directory of this user's alone, which is made where it is missing."""
    runtime = lowlevel.environment("XDG_RUNTIME_DIR")
    directory = f"{runtime}/rxm" if runtime else f"/tmp/rxm-{os.getuid()}"  # noqa: S108  # looked at below
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)  # noqa: PTH102
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise RefusedError(f"{directory} is not a directory of yours alone; give --socket.")
    return directory


def _place(directory: str, task: Task) -> str:
    """Return the socket's path, this program's own; what is no plain character of host and domain is none there."""
    said = f"{task.target.host}-{task.target.domain}"
    plain = "".join(one if (one.isalnum() and one.isascii()) or one in "._-" else "_" for one in said)
    suffix = f".{os.getpid()}.vnc"
    room = _LONGEST_PATH - len(os.fsencode(f"{directory}/{suffix}"))
    return f"{directory}/{plain.lstrip('.')[-max(1, room) :]}{suffix}"
