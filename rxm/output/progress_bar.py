"""How far the commands under way are, on one line of the terminal that is written anew each time.

Of many hosts it counts those that have ended; of long commands (migrations) it sums up what they themselves tell.
"""

import os
from collections.abc import Hashable

from xman import escape, lowlevel
from xman.progress import Progress
from xman.values import MIB

# Below this there is no room for more than the figures.
_LEAST_BAR = 10
_MOST_BAR = 40
_MOST_NAME = 24
_USUAL_WIDTH = 80


class Bar:
    """The line. Plain blanks and carriage returns only: every terminal knows these. Not locked: its owner is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Of each host whose end is counted, what is left to end there.
        self._left: dict[str, int] = {}
        self._ended = 0
        self._under_way: dict[Hashable, Progress] = {}
        self._drawn = 0

    def show(self, key: Hashable, progress: Progress) -> None:
        """Draw the line with what is now known of one command."""
        self._under_way[key] = progress
        self._draw()

    def expect(self, hosts: list[str]) -> None:
        """Count from now on which hosts have ended; one that is named several times has ended so many times."""
        for host in hosts:
            self._left[host] = self._left.get(host, 0) + 1
        # With one host there is nothing to count.
        if len(self._left) > 1:
            self._draw()

    def ended(self, host: str) -> None:
        """Draw the line where one of the hosts that are counted has ended, or one of several parts of it."""
        if len(self._left) > 1:
            self._left[host] -= 1
            self._ended += not self._left[host]
            self._draw()

    def end(self, key: Hashable) -> None:
        """Forget a command that has ended; the others are drawn with their next news."""
        self._under_way.pop(key, None)
        self.clear()

    def clear(self) -> None:
        """Leave the line empty, for something else to be written on it."""
        if self._drawn:
            self._write(f"\r{'':{self._drawn}}\r")
            self._drawn = 0

    def _draw(self) -> None:
        width = _width(self._descriptor)
        under_way = list(self._under_way.values())
        line = text(under_way, width) if under_way else counted(self._ended, len(self._left), width)
        self._write(f"\r{line:<{self._drawn}}")
        self._drawn = len(line)

    def _write(self, line: str) -> None:
        lowlevel.write(self._descriptor, line.encode("utf-8", "replace"))


def text(under_way: list[Progress], width: int) -> str:
    """Return the line for a terminal of `width` columns: a share done, what is left, and how fast it goes."""
    done, left, rate = (sum(getattr(one, key) for one in under_way) for key in ("done", "left", "rate"))
    share = done / (done + left) if done + left else 0.0
    name = escape.line(under_way[0].name) if len(under_way) == 1 else f"{len(under_way)} domains"
    figures = f"{share:4.0%}  {_size(left)} left  {_size(rate)}/s"
    name = name if len(name) <= _MOST_NAME else f"{name[: _MOST_NAME - 3]}..."
    return _line(f"{name} ", share, figures, width)


def counted(ended: int, hosts: int, width: int) -> str:
    """Return the line for a terminal of `width` columns: how many of `hosts` have ended."""
    return _line("", ended / hosts, f" {ended:{len(str(hosts))}} of {hosts} hosts", width)


def _line(name: str, share: float, figures: str, width: int) -> str:
    # The last column stays free: some terminals begin a new line there.
    room = min(width - 1 - len(f"{name}[]{figures}"), _MOST_BAR)
    if room < _LEAST_BAR:
        return f"{name.rstrip()}{figures}"[: width - 1]
    filled = int(share * room)
    return f"{name}[{'#' * filled}{'-' * (room - filled)}]{figures}"


def _size(octets: int) -> str:
    mib = octets / MIB
    return f"{mib / 1024:.2f} GiB" if mib >= 1000 else f"{mib:.1f} MiB"


def _width(descriptor: int) -> int:
    try:
        return os.get_terminal_size(descriptor).columns or _USUAL_WIDTH
    except OSError:
        return _USUAL_WIDTH
