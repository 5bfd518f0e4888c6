"""One screen of a terminal that is drawn anew until q is pressed, and is given back as it was found."""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from xman import lowlevel, outcome
from xman.errors import UsageError

# The other screen of the terminal, which most have; the cursor is hidden meanwhile.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
_OUT = 1
_QUIT = b"qQ\x04"
# What comes close together is drawn together.
_DRAWS_SECONDS = 0.1
_SIGNALLED = 128


class _EndedError(Exception):
    """A signal ends the program: the terminal is given back first."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Screen:
    """The screen. Raises UsageError where there is no terminal; `instead` says what programs use."""

    def __init__(self, verb: str, instead: str) -> None:
        if not lowlevel.terminal(sys.stdout) or not lowlevel.terminal(sys.stdin):
            raise UsageError(f"{verb} requires a terminal; for programs, use '{instead}'.")
        self._keys = sys.stdin.fileno()
        self._news, self._bell = os.pipe()
        os.set_blocking(self._news, False)
        os.set_blocking(self._bell, False)

    def wake(self) -> None:
        """Let it be drawn soon; from any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._bell, b".")

    def show(self, frame: Callable[[int, int], list[str]], seconds: float | None = None) -> int:
        """Draw what `frame` makes for so many columns and lines, until q, Ctrl-C, a signal, or `seconds` are over.

        Returns the exit status.
        """
        end = None if seconds is None else time.monotonic() + seconds
        try:
            with self._taken():
                while True:
                    left = None if end is None else end - time.monotonic()
                    if (left is not None and left <= 0) or not self._draw(frame) or self._asked_to_end(left):
                        return outcome.OK
                    time.sleep(_DRAWS_SECONDS)
        except KeyboardInterrupt:
            return outcome.OK
        except _EndedError as error:
            return _SIGNALLED + error.number

    def _draw(self, frame: Callable[[int, int], list[str]]) -> bool:
        """Draw it; return whether somebody can see it."""
        width, height = shutil.get_terminal_size()
        # The last column stays free: some terminals begin a new line there.
        lines = frame(max(width - 1, 1), max(height - 1, 1))
        shown = "".join(f"{line}{_CLEAR_LINE}\r\n" for line in lines[: max(height - 1, 1)])
        return lowlevel.write(_OUT, f"{_HOME}{shown}{_CLEAR_REST}".encode("utf-8", "replace"))

    def _asked_to_end(self, seconds: float | None) -> bool:
        ready, _, _ = select.select([self._keys, self._news], [], [], seconds)
        if self._news in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._news, 4096)
        if self._keys not in ready:
            return False
        try:
            typed = os.read(self._keys, 64)
        except OSError:  # the terminal has gone
            return True
        return not typed or not set(typed).isdisjoint(_QUIT)

    @contextlib.contextmanager
    def _taken(self) -> Iterator[None]:
        found = termios.tcgetattr(self._keys)

        def take() -> None:
            lowlevel.write(_OUT, _ENTER.encode())
            tty.setcbreak(self._keys, termios.TCSADRAIN)  # a q that was typed ahead counts

        def give_back() -> None:
            # The terminal may be gone.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSADRAIN, found)
            lowlevel.write(_OUT, _LEAVE.encode())

        def stopped(number: int, _frame: FrameType | None) -> None:
            give_back()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            # Here it goes on, after `fg`.
            signal.signal(number, stopped)
            take()
            self.wake()

        def ended(number: int, _frame: FrameType | None) -> None:
            raise _EndedError(number)

        def resized(_number: int, _frame: FrameType | None) -> None:
            self.wake()

        handlers: dict[int, Any] = {
            signal.SIGTSTP: stopped,
            signal.SIGTERM: ended,
            signal.SIGHUP: ended,
            signal.SIGWINCH: resized,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            take()
            yield
        finally:
            give_back()
            for number, handler in before.items():
                signal.signal(number, handler)
