"""A filter in words, made into SQL: `host:skirit[80-84] NOT state:free OR memory>4G`.

Words stand together and all have to fit; OR parts alternatives, NOT (or !) turns the word behind it round. What cannot
be understood is told in `problems`, as (what is wrong, the word), and looked for as it stands or left out.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import and_, false, func, not_, or_, select, true, tuple_
from sqlalchemy.sql import ColumnElement

from rxm.targets import expand
from rxmweb.db.report import OUTSIDE
from rxmweb.db.schema import domains, groups, hosts, labels, owners
from xman import values
from xman.errors import UsageError

STALE = "stale"
KEYS = (
    "name",
    "host",
    "owner",
    "state",
    "libvirt",
    "job",
    "uuid",
    "priority",
    "group",
    "label",
    "memory",
    "vcpus",
    "since",
)
# What may be wrong with a word.
NO_KEY, NO_FIGURE, NO_SET = "key", "figure", "set"
# Of what a person types; more is no filter.
_MOST_WORDS = 20
_MOST_FIGURES = 6
# Of all sets together: each name is a condition, of which no database takes any number.
_MOST_OF_SETS = 200
_COMPARED: dict[str, ColumnElement[Any]] = {
    "memory": domains.c.memory,
    "vcpus": domains.c.vcpus,
    "since": domains.c.since,
}
_COMPARISON = re.compile("(memory|vcpus|since):?(<=|>=|<|>|=|:)(.+)")
_KEY = re.compile("([a-z]{2,12}):(.+)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_COMPARE: dict[str, Callable[[Any, float], ColumnElement[bool]]] = {
    "<": lambda column, value: column < value,
    ">": lambda column, value: column > value,
    "<=": lambda column, value: column <= value,
    ">=": lambda column, value: column >= value,
    "=": lambda column, value: column == value,
    ":": lambda column, value: column == value,
}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass
class Filter:
    """What the words became: `condition`, and what was wrong with which word, and what was perhaps meant."""

    condition: ColumnElement[bool]
    problems: list[tuple[str, str, str]] = field(default_factory=list)


class _Read:
    """What is known while words are read: `names` have been meant by sets so far, of all words together."""

    def __init__(self, stale_before: float, now: float) -> None:
        self.stale_before, self.now = stale_before, now
        self.problems: list[tuple[str, str, str]] = []
        self.names = 0


def read(words: str, stale_before: float, now: float) -> Filter:
    """Return the condition of `words`; without any, everything fits."""
    known = _Read(stale_before, now)
    parts: list[list[ColumnElement[bool]]] = [[]]
    turned = False
    for word in words.split()[:_MOST_WORDS]:
        if word in ("OR", "|"):
            parts.append([])
        elif word == "AND":
            continue
        elif word in ("NOT", "!"):
            turned = not turned
        else:
            bare = word[1:] if word.startswith("!") else word
            condition = _word(bare, known)
            if (word != bare) != turned:
                # What is not known is not so either: a host without machines has no state.
                condition = not_(func.coalesce(condition, false()))
            parts[-1].append(condition)
            turned = False
    wanted = [and_(*part) for part in parts if part]
    return Filter(or_(*wanted) if wanted else true(), known.problems)


def owned_by(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether somebody that fits has a job in the domain."""
    # Looked up once, not once for each domain.
    return tuple_(domains.c.host, domains.c.uuid).in_(select(owners.c.host, owners.c.uuid).where(condition))


def is_stale(stale_before: float | ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether the host's last good report is old."""
    return hosts.c.received.is_(None) | (hosts.c.received < stale_before)


def _word(word: str, known: _Read) -> ColumnElement[bool]:
    compared = _COMPARISON.fullmatch(word)
    if compared:
        return _comparison(compared[1], compared[2], compared[3], known)
    keyed = _KEY.fullmatch(word)
    if keyed is None:
        return _anywhere(word)
    key, value = keyed[1], keyed[2]
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, 1)
        known.problems.append((NO_KEY, key, near[0] if near else ""))
        return _anywhere(word)
    if key == "state":
        return or_(*(_state(one, known.stale_before) for one in value.split(",") if one))
    if key == "host":
        return _host(value, known)
    return _KEYED[key](value)


def _comparison(key: str, sign: str, text: str, known: _Read) -> ColumnElement[bool]:
    column = _COMPARED[key]
    try:
        if key == "since":
            age = _AGE.fullmatch(text)
            if age is None:
                raise UsageError(text)
            # since>2d: for longer than two days, so that it began before.
            return _COMPARE[_TURNED.get(sign, "<=")](column, known.now - int(age[1]) * _UNITS[age[2]])
        value = values.memory(text) if key == "memory" else values.count(text)
    except UsageError:
        known.problems.append((NO_FIGURE, text, key))
        return true()
    return _COMPARE[sign](column, value)


def _state(value: str, stale_before: float) -> ColumnElement[bool]:
    return is_stale(stale_before) if value == STALE else like(domains.c.state, value)


def _host(value: str, known: _Read) -> ColumnElement[bool]:
    if "[" in value or "," in value:
        try:
            names = expand(value)
        except UsageError:
            names = []
        known.names += len(names)
        if not names or known.names > _MOST_OF_SETS:
            known.problems.append((NO_SET, value, ""))
            return true()
        # A name without a dot is a host's first label, as people say it.
        return or_(hosts.c.name.in_(names), *(like(hosts.c.name, f"{name}.*") for name in names if "." not in name))
    if "*" in value or "." in value:
        return like(hosts.c.name, value)
    return or_(like(hosts.c.name, value), like(hosts.c.name, f"{value}.*"))


def _owner(value: str) -> ColumnElement[bool]:
    # A name without a realm is that name in any realm.
    whole = value if "@" in value or value.endswith("*") else f"{value}@*"
    return owned_by(like(owners.c.owner, whole) | (owners.c.owner == value))


def _job(value: str) -> ColumnElement[bool]:
    # The list is JSON with blanks after its colons, as Python writes it; an id in it stands in quotes.
    closed = "" if value.endswith("*") else '"'
    return like(domains.c.jobs, f'*"id": "{value.replace(chr(34), "")}{closed}*')


def _libvirt(value: str) -> ColumnElement[bool]:
    return and_(domains.c.state.in_((OUTSIDE, "frozen")), like(domains.c.reason, value))


def _group(value: str) -> ColumnElement[bool]:
    return hosts.c.name.in_(select(groups.c.host).where(like(groups.c.name, value)))


def _label(value: str) -> ColumnElement[bool]:
    key, equals, pattern = value.partition("=")
    same = and_(labels.c.host == domains.c.host, labels.c.uuid == domains.c.uuid)
    found = select(true()).select_from(labels).where(same, like(labels.c.key, key))
    return (found.where(like(labels.c.value, pattern)) if equals else found).exists()


def _anywhere(word: str) -> ColumnElement[bool]:
    pattern = word if "*" in word else f"*{word}*"
    return or_(like(domains.c.name, pattern), like(hosts.c.name, pattern), owned_by(like(owners.c.owner, pattern)))


_KEYED: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "name": lambda value: like(domains.c.name, value),
    "uuid": lambda value: like(domains.c.uuid, value),
    "priority": lambda value: like(domains.c.priority, value),
    "owner": _owner,
    "job": _job,
    "libvirt": _libvirt,
    "group": _group,
    "label": _label,
}


def like(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Compare with `*` for anything, whatever else SQL takes for a pattern; letters of either case."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return func.lower(column).like(escaped.lower(), escape="\\")


def address(path: str, chosen: dict[str, str], sort: str, page: int) -> str:
    """Return the address of a page of a table, of what is `chosen`, in an order; what is the default is left out."""
    pairs = chosen | {"sort": sort, "page": str(page) if page > 1 else ""}
    given = {key: value for key, value in pairs.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def ordered(column: str, descending: bool, usual: str) -> str:
    """Return an order as an address has it, empty for the usual one."""
    sort = ("-" if descending else "") + column
    return sort if sort != usual else ""


def page_number(word: str) -> int:
    """Return the page that an address asks for; the first where that is none. No database's integers overflow."""
    return max(1, int(word[:_MOST_FIGURES])) if word.isascii() and word.isdigit() else 1
