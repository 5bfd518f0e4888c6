"""Programs that the daemon starts; the only module that may start any.

A child gets a fixed argument vector and no shell, no environment, no descriptor of ours but its three, and the root
directory to work in. It has a deadline, and what it may say has a limit. It leads a process group of its own, which is
killed when it is over: nothing that it started stays behind (but what made a session of its own).

`run` blocks: call it in a worker.
"""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

# Where a bare name is looked up. The daemon's own PATH, which whoever started it has set, is not asked.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Of what a child says on its standard error so much is kept, for the log; the rest is read and dropped.
MOST_ERROR_OCTETS = 4096
# What a pipe holds (pipe(7)): one read empties it.
_PIPE_OCTETS = 65_536


class ChildError(Exception):
    """A program that could not be started, was not done in time, or said too much; the text names it."""


class MissingError(ChildError):
    """There is no such program."""


class LateError(ChildError):
    """It was not done in time, and was killed."""


class TooMuchError(ChildError):
    """It said more than was allowed, and was killed."""


@dataclass(frozen=True)
class Finished:
    """A child that ended by itself. `status` is its exit status, or the negative number of the signal that ended it."""

    status: int
    stdout: bytes
    stderr: bytes

    def complaint(self) -> str:
        """Return the first line of its standard error, fit for a message; empty where it said nothing."""
        lines = self.stderr.decode("utf-8", "replace").split("\n")
        first = next((line.strip() for line in lines if line.strip()), "")
        return "".join(char if char.isprintable() else "?" for char in first)


def run(argv: Sequence[str], *, stdin: bytes = b"", seconds: float, most_octets: int) -> Finished:
    """Run a program to its end, at most `seconds`, and return what it said, at most `most_octets` on stdout.

    `argv[0]` is an absolute path, or a bare name that is looked up in `PATH`. A child that does not read all of `stdin`
    is no error. Raises ChildError and its kinds; whatever is raised, nothing of the child runs any more.
    """
    deadline = time.monotonic() + seconds
    path = _find(argv[0])
    try:
        process = subprocess.Popen(  # noqa: S603  # no shell
            [path, *argv[1:]],
            env={},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ChildError(f"{path} cannot be started: {error.strerror}") from error
    with process:
        try:
            with contextlib.closing(_Talk(process, stdin, most_octets)) as talk:
                talk.listen(deadline)
        except OSError as error:
            raise ChildError(f"{path} cannot be spoken to: {error.strerror}") from error
        finally:
            # Before the leader is reaped: until then no other group can have its number.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return Finished(process.returncode, bytes(talk.stdout), bytes(talk.stderr))


def _find(name: str) -> str:
    path = shutil.which(name, path=PATH)
    if path is None or not path.startswith("/"):
        raise MissingError(f"there is no program {name}" if "/" in name else f"there is no program {name} in {PATH}")
    return path


class _Talk:
    """What goes to a child and comes from it, until it ends."""

    def __init__(self, process: "subprocess.Popen[bytes]", stdin: bytes, most_octets: int) -> None:
        # They were asked for as pipes.
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._path = process.args[0] if isinstance(process.args, list) else ""
        self._most_octets = most_octets
        self._to_write = memoryview(stdin)
        self._stdin = process.stdin
        self._outputs = {process.stdout: self.stdout, process.stderr: self.stderr}
        self._ended = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        for pipe in (process.stdin, *self._outputs):
            os.set_blocking(pipe.fileno(), False)
        self._selector.register(self._ended, selectors.EVENT_READ)
        for pipe in self._outputs:
            self._selector.register(pipe, selectors.EVENT_READ)
        self._selector.register(self._stdin, selectors.EVENT_WRITE)

    def listen(self, deadline: float) -> None:
        """Return when the child itself has ended. Raises LateError and TooMuchError.

        A descendant that keeps its output open is not waited for.
        """
        ready: set[object] = set()
        while self._ended not in ready:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LateError(f"{self._path} was not done in time")
            ready = {key.fileobj for key, _events in self._selector.select(left)}
            if self._stdin in ready:
                self._write()
            for pipe in self._outputs.keys() & ready:
                self._read(pipe)
        for pipe in self._outputs:
            self._read(pipe)

    def close(self) -> None:
        """Close what is ours alone."""
        self._selector.close()
        os.close(self._ended)

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            data = os.read(pipe.fileno(), _PIPE_OCTETS)
        except BlockingIOError:
            return
        self._outputs[pipe].extend(data)
        del self.stderr[MOST_ERROR_OCTETS:]
        if not data and pipe in self._selector.get_map():
            self._selector.unregister(pipe)
        if len(self.stdout) > self._most_octets:
            raise TooMuchError(f"{self._path} said more than {self._most_octets} octets")

    def _write(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._to_write = self._to_write[os.write(self._stdin.fileno(), self._to_write) :]
            if self._to_write:
                return
        self._selector.unregister(self._stdin)
        self._stdin.close()
