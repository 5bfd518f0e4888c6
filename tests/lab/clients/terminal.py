"""A program on a terminal: what is typed, and what a person sees."""

import contextlib
import os
import pty
import termios
import threading
from typing import Any

from tests.lab.process import start, wait_for

SECONDS = 60.0


class Terminal:
    """A program whose standard input, output and error are one terminal."""

    def __init__(
        self, command: list[str], env: dict[str, str], *, columns: int = 80, directory: str | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        self.program = start(
            command, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=directory
        )
        os.close(slave)
        self._octets = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def written(self) -> str:
        """Return all that was written to it so far, as it came."""
        return self._octets.decode(errors="replace")

    def screen(self) -> list[str]:
        """Return the lines as they stand now, each after all that was written over it, without blanks at its end."""
        return [overwritten(line) for line in self.written().replace("\r\n", "\n").split("\n")]

    def wait_for(self, text: str) -> None:
        """Wait until something was written. Raises TimeoutError, which says what was."""
        try:
            wait_for(lambda: text in self.written(), SECONDS, f"{text!r} on the terminal")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.written()!r}") from None

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        os.kill(self.program.pid, number)

    def resize(self, columns: int) -> None:
        """Give the terminal another width."""
        termios.tcsetwinsize(self._master, (24, columns))

    def settings(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self._master)

    def end(self) -> int:
        """Wait for the program's end; return its status."""
        status = self.program.wait(timeout=SECONDS)
        self._reader.join(SECONDS)
        os.close(self._master)
        return status

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the other side open any more
            while data := os.read(self._master, 65_536):
                self._octets += data


def overwritten(line: str) -> str:
    """Return what is to be seen of a line in which carriage returns lead back to its begin."""
    cells: list[str] = []
    for part in line.split("\r"):
        cells[: len(part)] = part
    return "".join(cells).rstrip()
