"""`log`: a line for each change, in columns that awk can count: words without blanks, `-` where there is nothing."""

from collections.abc import Sequence
from typing import Any

from xman import escape, times

# The time takes two words, as `events` has it.
_HEADER = ("Time", "Principal", "Verb", "Domain", "Outcome", "ms", "Reason")
_LEAST = (24, 10, 6, 6, 7, 6)
# Wider columns are only for the lines that need them.
_MOST = 64


def log(data: dict[str, Any]) -> str:
    """Return the header and the lines, oldest first; the reason comes last, as it was given."""
    rows = [_row(entry) for entry in data["entries"]]
    columns = Columns([max((len(row[column]) for row in rows), default=0) for column in range(len(_LEAST))])
    return columns.text(data["entries"], True)


class Columns:
    """The columns of a table that is printed in parts, as wide as `widths` say beforehand, or as is usual."""

    def __init__(self, widths: Sequence[int]) -> None:
        told = [*widths, *[0] * (len(_LEAST) - len(widths))]
        self._widths = [
            max(least, len(word), min(width, _MOST)) for least, word, width in zip(_LEAST, _HEADER, told, strict=False)
        ]

    def text(self, entries: list[dict[str, Any]], first: bool) -> str:
        """Return a part of it, the first one with its header; what others made is escaped."""
        rows = [_HEADER] * first + [_row(escape.data(entry)) for entry in entries]
        return "".join(f"{_line(row, self._widths)}\n" for row in rows)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    *words, milliseconds, reason = row
    cells = [word.ljust(width) for word, width in zip(words, widths, strict=False)]
    return " ".join([*cells, milliseconds.rjust(widths[-1]), reason]).rstrip()


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    outcome = entry["class"] + ("*" if entry.get("recovered") else "")
    return (
        times.local(entry["at"]),
        entry["principal"],
        entry["verb"],
        entry["domain"] or "-",
        outcome,
        str(entry.get("ms", "-")),
        entry.get("reason", ""),
    )
