"""A change as it is written down, and as it is read: pure values."""

import json
from dataclasses import dataclass
from typing import Any

from xmand import answer
from xmand.answer import Answer

COLUMNS = (
    "id, principal, rid, digest, peer, verb, domain, uuid, reason, asked, begun, ended, code, answer, recovered, again"
)


class ConflictError(Exception):
    """The request id was used before, for other words."""


@dataclass(frozen=True)
class Change:
    """A change that somebody asks for; `asked` holds what was said beside DOMAIN, never a FILE."""

    principal: str
    rid: str
    digest: str
    peer: str
    verb: str
    domain: str
    reason: str
    asked: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A change as it is written down; times in seconds since 1970, None where it has not ended."""

    id: int
    change: Change
    uuid: str
    begun: float
    ended: float | None
    answer: Answer | None
    recovered: bool
    again: bool


@dataclass(frozen=True)
class Begun:
    """What `begin` found: a change that may act now, one that was answered before, or one that has no end yet.

    `doubt` is what a restart found of one that may act again, where it could not rule out that it had happened.
    """

    id: int
    answer: Answer | None = None
    pending: bool = False
    doubt: Answer | None = None


@dataclass(frozen=True)
class Survey:
    """Which changes are asked for: how many, from and to which id, and whether there are `more` before them.

    `widths`: the longest principal and the longest domain, in characters; `reasons`: whether others gave some.
    """

    where: str
    values: tuple[Any, ...]
    count: int = 0
    first: int = 0
    last: int = 0
    widths: tuple[int, int] = (0, 0)
    reasons: bool = False
    more: bool = False


def size(change: Change) -> int:
    """Return how many octets of words a change has."""
    words = (change.principal, change.rid, change.digest, change.peer, change.verb, change.domain, change.reason)
    return sum(len(word) for word in words) + len(json.dumps(change.asked))


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return a row of the table. Raises ValueError."""
    identifier, principal, rid, digest, peer, verb, domain, uuid, reason, asked, begun, ended, _code, kept = row[:14]
    change = Change(principal, rid, digest, peer, verb, domain, reason, json.loads(asked))
    how = answer.loads(kept) if kept is not None else None
    return Entry(identifier, change, uuid, begun, ended, how, bool(row[14]), bool(row[15]))
