"""xman's programs, forked from a process that has loaded them: to start xmand takes longer than a test.

What is forked gets the words, environment, folder, descriptors and namespaces that were asked for, and runs the
program's own `main`, as the installed command does; it is called by its name. What depends on how Python or the loader
begin (their environment, another clock), or has to make namespaces first, is started as ever.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What is loaded of each before the first one is forked, its `main` first.
PROGRAMS = {
    "rxm": ("rxm.cli", "rxm.run", "rxm.settings", "xman.gss.mit_backend"),
    "xmand": ("xmand.cli",),
    "rxmweb": ("rxmweb.cli", "rxmweb.web.serve", "rxmweb.worker"),
}
_INSTALLED = Path(sys.executable).parent
# What the dynamic loader, the C library and Python read once.
_READ_AT_START = ("LANG", "LC_", "LD_", "MALLOC_", "NSS_WRAPPER_", "TZ")
_PYTHONS = "PYTHON"
# What a realm's names need, and what reads them before there are threads; a wrong clock is told in ways of its own.
_NAMES, _HOSTS_FIRST = "libnss_wrapper.so", "hosts_first.so"
_MOST_OCTETS = 100_000
_MOST_FDS = 32
_STANDARD = 3
_NAMESPACES = {"-m": "mnt", "-n": "net", "-u": "uts"}
_ROOM = 1000
# Where proc(5) says in `stat`, behind the name, at which address those words begin; then where they end.
_BEGIN = 45
_servers: dict[tuple[object, ...], "_Server"] = {}
_lock = threading.Lock()


class Process:
    """What was forked, as far as subprocess.Popen is used: it is the child of another process, which tells its end."""

    def __init__(self, args: list[str], pid: int, status: int) -> None:
        self.args = args
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._status = status
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        """Return how it ended, None while it lives."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return how that was. Raises subprocess.TimeoutExpired."""
        status = self._ended(timeout)
        if status is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def _ended(self, seconds: float | None) -> int | None:
        with self._reading:
            if self.returncode is None and select.select([self._status], [], [], seconds)[0]:
                # Nothing is told where whoever should has been killed with all of its namespace.
                self.returncode = int(os.read(self._status, 16) or -signal.SIGKILL)
                os.close(self._status)
            return self.returncode


def can(command: list[str], env: Mapping[str, str]) -> bool:
    """Whether this program, in this environment, may be forked. XMAN_EXEC=1: none may."""
    namespaces, words = _apart(command)
    return (
        words[0] in PROGRAMS
        and "XMAN_EXEC" not in os.environ
        and (not namespaces or os.geteuid() == 0)
        and shutil.which(words[0], path=env.get("PATH")) == str(_INSTALLED / words[0])
        and not any(name.startswith(_PYTHONS) for name in env)
        and {Path(library).name for library in _preloaded(env)} <= {_NAMES, _HOSTS_FIRST}
        and sum(map(len, command)) + sum(map(len, env)) + sum(map(len, env.values())) < _MOST_OCTETS
    )


def _preloaded(env: Mapping[str, str]) -> list[str]:
    return env.get("LD_PRELOAD", "").split()


def _apart(command: list[str]) -> tuple[list[str], list[str]]:
    """Return the namespaces that a command is to be run in, as nsenter(1) has them before `--`, and the rest."""
    if command[0] != "nsenter" or "--" not in command:
        return [], command
    end = command.index("--")
    asked, words = command[1:end], command[end + 1 :]
    if len(asked) == 1 and asked[0].startswith("--net="):
        return [asked[0].removeprefix("--net=")], words
    if asked[:1] == ["-t"] and set(asked[2:]) <= set(_NAMESPACES):
        # That of mounts last: what is opened before is found by then.
        return [f"/proc/{asked[1]}/ns/{_NAMESPACES[word]}" for word in sorted(asked[2:], reverse=True)], words
    return [], command


def start(
    command: list[str], env: Mapping[str, str], stdin: int, stdout: int, stderr: int, pass_fds: tuple[int, ...] = ()
) -> Process:
    """Fork a program that can be. The descriptors `pass_fds` keep their numbers."""
    own = {name: value for name, value in env.items() if name.startswith(_READ_AT_START)}
    # What is forked reads the hosts itself: it would have those of its server, whose open file it closes.
    own["LD_PRELOAD"] = " ".join(library for library in _preloaded(env) if Path(library).name != _HOSTS_FIRST)
    namespaces, words = _apart(command)
    key = (words[0], *sorted(own.items()))
    with _lock:
        server = _servers.get(key)
        if server is None or not server.lives():
            server = _servers[key] = _Server(words[0], own)
        return server.fork(words, namespaces, env, [stdin, stdout, stderr], pass_fds)


def run(command: list[str], env: Mapping[str, str], stdin: bytes, seconds: float) -> tuple[int, bytes, bytes]:
    """Run a program that can be forked to its end; return status, standard output and error.

    Raises subprocess.TimeoutExpired, after which it lives no more.
    """
    ours, theirs = zip(*[(read, write) for read, write in (os.pipe(), os.pipe())], strict=True)
    taken, given = os.pipe()
    process = start(command, env, taken, *theirs)
    for descriptor in (taken, *theirs):
        os.close(descriptor)
    fed = threading.Thread(target=_feed, args=(given, stdin))
    fed.start()
    said: list[list[bytes]] = [[], []]
    end = time.monotonic() + seconds
    open_ones = dict(zip(ours, said, strict=True))
    while open_ones:
        found, _, _ = select.select(list(open_ones), [], [], max(end - time.monotonic(), 0))
        if not found:
            process.kill()
            process.wait()
            for descriptor in open_ones:
                os.close(descriptor)
            fed.join()
            raise subprocess.TimeoutExpired(command, seconds)
        for descriptor in found:
            data = os.read(descriptor, 1 << 16)
            if data:
                open_ones[descriptor].append(data)
            else:
                del open_ones[descriptor]
                os.close(descriptor)
    status = process.wait(max(end - time.monotonic(), 1))
    fed.join()
    return status, b"".join(said[0]), b"".join(said[1])


def _feed(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as file:
        file.write(data)


class _Server:
    """One process that has loaded a program."""

    def __init__(self, program: str, env: dict[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                # The last word is room for those by which they are called.
                [sys.executable, __file__, program, str(theirs.fileno()), " " * _ROOM],
                env=env | {"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def end(self) -> None:
        """Let it end, as it does where nobody can ask it any more."""
        self._socket.close()
        self._process.wait()

    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def fork(
        self,
        words: list[str],
        namespaces: list[str],
        env: Mapping[str, str],
        standard: list[int],
        pass_fds: tuple[int, ...],
    ) -> Process:
        """Have the program forked."""
        read, write = os.pipe()
        asked = {
            "words": [str(_INSTALLED / words[0]), *words[1:]],
            "namespaces": namespaces,
            "env": dict(env),
            "folder": str(Path.cwd()),
            "keep": pass_fds,
        }
        socket.send_fds(self._socket, [json.dumps(asked).encode()], [write, *standard, *pass_fds])
        os.close(write)
        return Process(words, int(self._socket.recv(16)), read)


@atexit.register
def _end() -> None:
    for server in _servers.values():
        server.end()


# --- in the process that has loaded them ------------------------------------------------------------------------------


def serve(program: str, asking: socket.socket) -> None:
    """Fork what is asked for until whoever asks has gone; tell how each ended."""
    main = [importlib.import_module(name) for name in PROGRAMS[program]][0].main  # noqa: RUF015  # all are loaded
    gc.freeze()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    living: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asking.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell(living)
        if asking.fileno() in ready:
            data, descriptors, _, _ = socket.recv_fds(asking, 2 * _MOST_OCTETS, _MOST_FDS)
            if not data:
                return
            asked = json.loads(data)
            pid = os.fork()
            if pid == 0:
                _become(main, asked, descriptors)
            living[pid] = descriptors[0]
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            asking.send(str(pid).encode())


def _tell(living: dict[int, int]) -> None:
    """Write how each ended that has."""
    while living:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(living[pid], str(os.waitstatus_to_exitcode(status)).encode())
        os.close(living.pop(pid))


def _become(main: Any, asked: dict[str, Any], descriptors: list[int]) -> None:
    """Be the program that was asked for."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep(descriptors[1:], [*range(_STANDARD), *asked["keep"]])
        _enter(asked["namespaces"])
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["folder"])
        sys.argv = asked["words"]
        _be_called([sys.executable, *sys.argv])
        # As hosts_first.c does.
        socket.getaddrinfo("127.0.0.1", None, flags=socket.AI_NUMERICHOST)
        sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
        main()
        status = 0
    except SystemExit as ends:
        status = ends.code if isinstance(ends.code, int) else int(ends.code is not None)
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _enter(namespaces: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for descriptor in [os.open(path, os.O_RDONLY) for path in namespaces]:
        if libc.setns(descriptor, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(descriptor)


def _be_called(words: list[str]) -> None:
    """Let the system say that this process was started by these words: who finds a port taken names them."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[_BEGIN]), int(fields[_BEGIN + 1])
    told = b"\0".join(word.encode(errors="surrogateescape") for word in words)[: end - begin - 1]
    ctypes.memmove(begin, told.ljust(end - begin, b"\0"), end - begin)
    Path("/proc/self/comm").write_text(words[1].rpartition("/")[2])


def _keep(given: list[int], wanted: list[int]) -> None:
    """Let each of the descriptors that were given have the number that is wanted, and close all others."""
    above = max(*given, *wanted) + 1
    for number, descriptor in enumerate(given):
        os.dup2(descriptor, above + number)
    os.closerange(0, above)
    for number, descriptor in enumerate(wanted):
        os.dup2(above + number, descriptor)
    os.closerange(above, above + len(given))


def _stream(descriptor: int, how: str) -> Any:
    """Return one of Python's standard streams as Python makes them."""
    errors = "surrogateescape" if descriptor < _STANDARD - 1 else "backslashreplace"
    buffer = open(descriptor, f"{how}b", closefd=False)  # noqa: SIM115
    lines = descriptor == _STANDARD - 1 or buffer.isatty()
    return io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=lines)


if __name__ == "__main__":
    serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
