"""What a host answers of the past as rows of a table: who changed what, in pages, and what happened. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rxmweb.db import report
from xman import outcome

ROWS = 100
# The fields of the filter; `since` is the host's to read.
FIELDS = ("who", "verb", "outcome", "q", "since")
_MOST_LETTERS = 200
_SHOWN = ("at", "principal", "peer", "verb", "domain", "reason", "class", "message")
_NOT_BAD = frozenset((outcome.class_name(outcome.OK), "running"))


@dataclass(frozen=True)
class Changes:
    """One page of an audit. `verbs` and `outcomes` are those that there are, for a choice."""

    wanted: Mapping[str, str]
    shown: list[dict[str, Any]]
    total: int
    page: int
    pages: int
    verbs: list[str]
    outcomes: list[str]
    template: str = "answer-log.html"


@dataclass(frozen=True)
class Happened:
    """What happened to a machine."""

    shown: list[dict[str, Any]]
    template: str = "answer-events.html"


def wanted(given: Mapping[str, str]) -> dict[str, str]:
    """Return the filter that an address has."""
    return {key: " ".join(given.get(key, "")[:_MOST_LETTERS].split()) for key in FIELDS}


def changes(result: dict[str, Any], given: Mapping[str, str]) -> Changes:
    """Return the page of `log` that an address asks for, latest first."""
    entries = result.get("entries", ())
    asked = wanted(given)
    whole = [_row(entry) for entry in entries if isinstance(entry, dict)]
    rows = [row for row in reversed(whole) if _fits(row, asked)]
    pages = max(1, -(-len(rows) // ROWS))
    word = given.get("page", "")
    page = min(int(word[:6]) if word.isascii() and word.isdigit() else 1, pages) or 1
    shown = rows[(page - 1) * ROWS : page * ROWS]
    verbs, outcomes = (sorted({row[key] for row in whole} - {""}) for key in ("verb", "class"))
    return Changes(asked, shown, len(rows), page, pages, verbs, outcomes)


def events(result: dict[str, Any], _given: Mapping[str, str]) -> Happened:
    """Return what `events` tells, latest first."""
    found = result.get("events", ())
    rows = [
        {key: report.text(one.get(key)) for key in ("at", "event", "detail")} | {"when": report.when(one.get("at"))}
        for one in found
        if isinstance(one, dict)
    ]
    return Happened(rows[::-1][: 5 * ROWS])


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {key: report.text(entry.get(key)) for key in _SHOWN}
    kind = "" if row["class"] in _NOT_BAD else "bad"
    return row | {"when": report.when(entry.get("at")), "kind": kind}


def _fits(row: dict[str, Any], asked: Mapping[str, str]) -> bool:
    """Whether a change is among those that are looked for: a name without a realm is that name in any."""
    who = asked["who"].casefold()
    if who and who not in (row["principal"].casefold(), row["principal"].casefold().partition("@")[0]):
        return False
    if asked["verb"] not in ("", row["verb"]) or asked["outcome"] not in ("", row["class"]):
        return False
    text = " ".join(str(row[key]) for key in _SHOWN).casefold()
    return all(word in text for word in asked["q"].casefold().split())
