"""`log`: a line for each change, in columns that awk can count: words without blanks, `-` where there is nothing."""

from typing import Any

from xman import times

# The time takes two words, as `events` has it.
_HEADER = ("Time", "Principal", "Verb", "Domain", "Outcome", "ms", "Reason")
_ROW = "%-24s %-24s %-10s %-20s %-14s %8s %s"


def log(data: dict[str, Any]) -> str:
    """Return the header and the lines, oldest first; the reason comes last, as it was given."""
    lines = [_ROW % _HEADER] + [_line(entry) for entry in data["entries"]]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _line(entry: dict[str, Any]) -> str:
    outcome = entry["class"] + ("*" if entry.get("recovered") else "")
    return _ROW % (
        times.local(entry["at"]), entry["principal"], entry["verb"], entry["domain"] or "-", outcome,
        "-" if entry.get("ms") is None else entry["ms"], entry.get("reason", ""),
    )  # fmt: skip
