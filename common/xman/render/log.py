"""`log`: a line for each change, in columns that awk can count: words without blanks, `-` where there is nothing."""

from typing import Any

from xman import times

# The time takes two words, as `events` has it.
_HEADER = ("Time", "Principal", "Verb", "Domain", "Outcome", "ms", "Reason")
_LEAST = (24, 10, 6, 6, 7, 6)


def log(data: dict[str, Any]) -> str:
    """Return the header and the lines, oldest first; the reason comes last, as it was given."""
    rows = [_HEADER, *(_row(entry) for entry in data["entries"])]
    widths = [max(least, *(len(row[column]) for row in rows)) for column, least in enumerate(_LEAST)]
    return "".join(f"{_line(row, widths)}\n" for row in rows)


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
