"""States in colour, for people at a terminal; none where NO_COLOR is set (no-color.org). Pure but for `wanted`."""

import sys

from xman import lowlevel

# xm's six letters as they stand in a list, and the words of `state`: what runs is green, what waits yellow, what is
# wrong red, what could run cyan.
_GREEN, _YELLOW, _RED, _CYAN = "32", "33", "31", "36"
_COLOURS = {
    "r-----": _GREEN,
    "-b----": _GREEN,
    "--p---": _YELLOW,
    "---s--": _YELLOW,
    "----c-": _RED,
    "-----d": _RED,
    "running": _GREEN,
    "running-preemptible": _GREEN,
    "free": _CYAN,
    "occupied": _YELLOW,
    "preempted": _YELLOW,
    "occupied-would-preempt": _CYAN,
    "occupied-booting": _YELLOW,
    "booting": _YELLOW,
    "frozen": _YELLOW,
}


def wanted() -> bool:
    """Whether standard output is a terminal on which colours are wanted."""
    if not sys.stdout.isatty():
        return False
    # A terminal that says nothing of itself takes no orders.
    return not lowlevel.environment("NO_COLOR") and lowlevel.environment("TERM") not in ("", "dumb")


def paint(text: str) -> str:
    """Return a table with the state of each line in its colour; what it looks like is otherwise the same."""
    return "".join(_line(line) for line in text.splitlines(keepends=True))


def _line(line: str) -> str:
    # The first word is the name, which may look like a state.
    name, blank, rest = line.partition(" ")
    for word in rest.split():
        if word in _COLOURS:
            before, _, after = rest.partition(word)
            return f"{name}{blank}{before}\x1b[{_COLOURS[word]}m{word}\x1b[0m{after}"
    return line
