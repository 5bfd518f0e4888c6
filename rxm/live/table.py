"""A table that fits the width of a terminal: what matters least is left out, then names are cut. Pure."""

import unicodedata
from typing import Any, NamedTuple

from xman import escape

_CUT = "~"
_GAP = "  "
# Columns are left out before the name becomes narrower than this.
_LEAST_NAME = 12


class Column(NamedTuple):
    """A heading; whether figures stand below it, to the right; how long it is kept (the smallest goes first)."""

    heading: str
    figures: bool = False
    keep: int = 0


_HOST = Column("Host", False, 5)


def screen(
    columns: list[Column],
    shown: list[list[str]],
    domains: "list[dict[str, Any]]",
    notices: list[str],
    several: bool,
    width: int,
    height: int,
) -> list[str]:
    """Return a whole screen: how many there are of `domains`, what there is to notice, and their rows as `shown`.

    With `several` hosts, each domain's stands last.
    """
    active = sum(domain["id"] is not None for domain in domains)
    above = [f"{len(domains)} domain{'s' * (len(domains) != 1)}, {active} active; q ends", *notices]
    if several:
        columns = [*columns, _HOST]
        shown = [[*row, domain["host"]] for row, domain in zip(shown, domains, strict=True)]
    return high([*(cut(line, width) for line in above), *fitted(columns, shown, width)], height)


def fitted(columns: list[Column], rows: list[list[str]], width: int) -> list[str]:
    """Return headings and rows, none wider than `width`. The first column is the name, which stays."""
    rows = [[escape.line(cell) for cell in row] for row in rows]
    widths = [
        max([cells(column.heading), *(cells(row[number]) for row in rows)]) for number, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    while len(shown) > 1 and _room(widths, shown, width) < min(widths[0], _LEAST_NAME):
        shown.remove(min(shown[1:], key=lambda number: columns[number].keep))
    widths[0] = max(1, min(widths[0], _room(widths, shown, width)))
    headings = [column.heading for column in columns]
    return [
        cut(_GAP.join(_cell(row[number], widths[number], columns[number].figures) for number in shown).rstrip(), width)
        for row in [headings, *rows]
    ]


def high(lines: list[str], height: int) -> list[str]:
    """Return as many lines as there is room for; the last says how many are left out."""
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], f"... {len(lines) - height + 1} more"]


def cells(text: str) -> int:
    """Return how many columns of a terminal a printable text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return as much of a text as there is room for."""
    if cells(text) <= width:
        return text
    taken, used = "", 0
    for character in text:
        used += _columns(character)
        if used > width - len(_CUT):
            break
        taken += character
    return taken + _CUT


def _room(widths: list[int], shown: list[int], width: int) -> int:
    return width - sum(widths[number] + len(_GAP) for number in shown[1:])


def _cell(text: str, width: int, figures: bool) -> str:
    text = cut(text, width)
    blanks = " " * (width - cells(text))
    return blanks + text if figures else text + blanks


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
