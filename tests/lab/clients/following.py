"""A program that follows, and what it has said so far."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

from tests.lab.process import wait_for

SECONDS = 20.0


class Following:
    """A running program; its lines are collected as they come."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        # A process group of its own, so that nothing which it started keeps our pipes open.
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, *words: str, seconds: float = SECONDS) -> str:
        """Return the first line that has all of `words`, waiting for it."""
        wait_for(lambda: bool(self.having(*words)), seconds, f"a line with {words} among {self.lines}")
        return self.having(*words)[0]

    def having(self, *words: str) -> list[str]:
        """Return the lines so far that have all of `words`."""
        return [line for line in list(self.lines) if all(word in line for word in words)]

    def end(self) -> tuple[int, str]:
        """Wait until it ends; return its exit status and what it said on standard error."""
        assert self.process.stderr is not None
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return status, self.process.stderr.read()

    def close(self) -> None:
        """End it, however it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(SECONDS)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))


@contextlib.contextmanager
def following(command: list[str], env: dict[str, str], *, settle: float = 0.0) -> Iterator[Following]:
    """Run `command` meanwhile."""
    made = Following(command, env)
    time.sleep(settle)
    try:
        yield made
    finally:
        made.close()
