"""What the table shows: a filter in words, a sort, a page, as one URL has them, made into SQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Double, Select, bindparam, case, func, not_, select
from sqlalchemy.sql import ColumnElement

from rxmweb.db import filters
from rxmweb.db.changes import DEAD_INTERVALS, STALE_INTERVALS
from rxmweb.db.filters import STALE, address, is_stale, ordered, owned_by, page_number
from rxmweb.db.fleet import with_jobs
from rxmweb.db.rows import dicts
from rxmweb.db.schema import domains, groups, hosts, owners

ROWS = 100
_MOST_LETTERS = 500

_SORTS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "name": (domains.c.sort_name,),
    "state": (domains.c.state,),
    "host": (hosts.c.position,),
    "memory": (domains.c.memory,),
    "vcpus": (domains.c.vcpus,),
    "since": (domains.c.since,),
    "report": (hosts.c.received,),
}
SORTS = tuple(_SORTS)
# What hosts without domains are sorted by as well; and what no domain is without.
_OF_HOSTS = ("host", "report")
_ALWAYS = ("name", "state")


@dataclass(frozen=True)
class Query:
    """What is asked for. `owner`, where not empty, is the only owner whose domains may be seen."""

    words: str = ""
    state: str = ""
    group: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 1
    owner: str = ""

    def url(self, **changes: Any) -> str:
        """Return the address of this query with `changes`; what is the default is left out."""
        changed = replace(self, **({"page": 1} | changes))
        chosen = {"q": changed.words, "state": changed.state, "group": changed.group}
        return address("/", chosen, ordered(changed.sort, changed.descending, "name"), changed.page)


@dataclass(frozen=True)
class Listing:
    """One page of the table, and what there is besides."""

    rows: list[dict[str, Any]]
    total: int
    pages: int
    # Domains by state, whatever state was asked for, of hosts whose report is fresh; rows of the others under `STALE`.
    counts: dict[str, int]
    # What is wrong with which word of the filter.
    problems: list[tuple[str, str, str]]


def read(arguments: Mapping[str, str], owner: str = "") -> Query:
    """Read an address's arguments; what makes no sense is as if it were not there."""
    sort = arguments.get("sort", "")
    page = arguments.get("page", "")
    name = sort.removeprefix("-")
    return Query(
        words=" ".join(arguments.get("q", "")[:_MOST_LETTERS].split()),
        state=arguments.get("state", "")[:64],
        group=arguments.get("group", "")[:200],
        sort=name if name in _SORTS else "name",
        descending=sort.startswith("-") and name in _SORTS,
        page=page_number(page),
        owner=owner,
    )


def listing(connection: Connection, query: Query, interval: float, now: float) -> Listing:
    """Return the page that `query` asks for; a page behind the last one is the last one."""
    stale_before, dead_before = now - STALE_INTERVALS * interval, now - DEAD_INTERVALS * interval
    in_words = filters.read(query.words, stale_before, now)
    conditions = [in_words.condition, *_scope(query)]
    old = is_stale(stale_before)
    everything = not query.words and not query.owner and not query.group
    counted = _counted_all(connection, stale_before) if everything else _counted_some(connection, old, conditions)
    counts = {one.state: one.domains for one in counted if one.state is not None and not one.old}
    stale = sum(one.rows for one in counted if one.old)
    if stale:
        counts[STALE] = stale
    wanted = [*conditions, *_state_filter(query.state, old)]
    asked_for = [one for one in counted if _is_counted(query.state, one)]
    total = sum(one.rows for one in asked_for)
    pages = max(1, -(-total // ROWS))
    offset = (min(query.page, pages) - 1) * ROWS
    age = case((hosts.c.received.is_(None) | (hosts.c.received < dead_before), "dead"), (old, "stale"), else_="fresh")
    columns = [
        *(column for column in domains.c if column.name != "host"),
        hosts.c.name.label("host"),
        hosts.c.received,
        hosts.c.code,
        hosts.c.problem,
        hosts.c.maintenance_reason,
        hosts.c.maintenance_by,
        hosts.c.maintenance_since,
        age.label("freshness"),
    ]
    chosen = select(*columns).where(*wanted)
    if query.sort in _OF_HOSTS:
        found = _rows(connection, _joined(chosen).order_by(*_order(query)), offset, ROWS)
        return Listing(found, total, pages, counts, in_words.problems)
    # Hosts without domains have nothing to be sorted by, and come last: the others are found by an index then.
    filled = sum(one.domains for one in asked_for)
    found = []
    if offset < filled:
        both = chosen.select_from(domains.join(hosts, domains.c.host == hosts.c.name))
        found = _rows(connection, both.order_by(*_order(query)), offset, ROWS)
    if offset + ROWS > filled and total > filled:
        empty = _joined(chosen).where(domains.c.uuid.is_(None)).order_by(hosts.c.position)
        found += _rows(connection, empty, max(0, offset - filled), ROWS - len(found))
    return Listing(found, total, pages, counts, in_words.problems)


class _Count(NamedTuple):
    """How many rows there are of a state, and how many of them are domains; None are hosts without any."""

    state: str | None
    old: bool
    rows: int
    domains: int


def _counted_some(
    connection: Connection, old: ColumnElement[bool], conditions: list[ColumnElement[bool]]
) -> list[_Count]:
    """One pass over the fleet for all counts."""
    return _counted(connection.execute(_counting(old, conditions)))


def _counted_all(connection: Connection, stale_before: float) -> list[_Count]:
    """Do as `_counted_some` without a condition: all states by their index alone, less those of the few old hosts."""
    is_old = _counted(connection.execute(_OLD_ONES, {"stale": stale_before}))
    less = {one.state: one.domains for one in is_old}
    grouped = connection.execute(_STATES)
    # Between the two a report may have come: then a count is off by it until the next look, but never below none.
    fresh = [_Count(state, False, left, left) for state, count in grouped if (left := count - less.get(state, 0)) > 0]
    bare = connection.execute(_BARE, {"stale": stale_before}).scalar_one()
    return [*is_old, *fresh, *([_Count(None, False, bare, 0)] if bare else [])]


def _counting(old: ColumnElement[bool], conditions: list[ColumnElement[bool]]) -> Select[Any]:
    aged = case((old, 1), else_=0)
    wanted = _joined(select(domains.c.state, aged, func.count(), func.count(domains.c.uuid)))
    return wanted.where(*conditions).group_by(domains.c.state, aged)


def _counted(grouped: Iterable[Sequence[Any]]) -> list[_Count]:
    return [_Count(state, bool(is_old), rows, filled) for state, is_old, rows, filled in grouped]


def _rows(connection: Connection, chosen: Select[Any], offset: int, most: int) -> list[dict[str, Any]]:
    return [with_jobs(row) for row in dicts(connection.execute(chosen.limit(most).offset(offset)))]


def matching(connection: Connection, query: Query, interval: float, now: float, most: int) -> list[dict[str, Any]]:
    """Return host, UUID and name of the domains on all pages of `query`, at most `most` and one more."""
    stale_before = now - STALE_INTERVALS * interval
    conditions = [filters.read(query.words, stale_before, now).condition, *_scope(query)]
    wanted = [*conditions, *_state_filter(query.state, is_stale(stale_before)), domains.c.uuid.is_not(None)]
    chosen = _joined(select(domains.c.host, domains.c.uuid, domains.c.name)).where(*wanted)
    return dicts(connection.execute(chosen.order_by(*_order(query)).limit(most + 1)))


def _joined(columns: Select[Any]) -> Select[Any]:
    """A host without domains has a row too: that it is empty, or was never reached, is worth knowing."""
    return columns.select_from(hosts.outerjoin(domains, domains.c.host == hosts.c.name))


# Made once: every look at the whole table asks these.
_OLD = is_stale(bindparam("stale", type_=Double))
_OLD_ONES = _counting(_OLD, [_OLD])
_STATES = select(domains.c.state, func.count()).group_by(domains.c.state)
_BARE = (
    select(func.count())
    .select_from(hosts)
    .where(not_(_OLD), not_(select(domains.c.host).where(domains.c.host == hosts.c.name).exists()))
)


def _order(query: Query) -> list[ColumnElement[Any]]:
    chosen = [column.desc() if query.descending else column.asc() for column in _SORTS[query.sort]]
    # Rows without a name last, whatever the database makes of NULL; a full order, or pages would overlap.
    absent = [case((column.is_(None), 1), else_=0) for column in _SORTS[query.sort] if query.sort not in _ALWAYS]
    return [*absent, *chosen, domains.c.name, hosts.c.position, domains.c.uuid]


def _state_filter(state: str, old: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """A state's chip shows what it counts: what is known to be so now."""
    if not state:
        return []
    return [old] if state == STALE else [domains.c.state == state, ~old]


def _is_counted(wanted: str, one: _Count) -> bool:
    return not wanted or (one.old if wanted == STALE else one.state == wanted and not one.old)


def _scope(query: Query) -> list[ColumnElement[bool]]:
    """Return the conditions of who asks, and of the tab."""
    found: list[ColumnElement[bool]] = []
    if query.owner:
        found.append(owned_by(owners.c.owner == query.owner))
    if query.group:
        found.append(hosts.c.name.in_(select(groups.c.host).where(groups.c.name == query.group)))
    return found
