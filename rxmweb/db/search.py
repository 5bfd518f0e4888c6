"""What the table shows: a filter in words, a sort, a page, as one URL has them, made into SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, Select, case, func, select
from sqlalchemy.sql import ColumnElement

from rxmweb.db import filters
from rxmweb.db.changes import DEAD_INTERVALS, STALE_INTERVALS
from rxmweb.db.filters import STALE, is_stale, owned_by, page_number
from rxmweb.db.fleet import with_jobs
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
        sort = ("-" if changed.descending else "") + changed.sort
        pairs = {"q": changed.words, "state": changed.state, "group": changed.group}
        pairs |= {"sort": sort if sort != "name" else "", "page": str(changed.page) if changed.page > 1 else ""}
        given = {key: value for key, value in pairs.items() if value}
        return f"/?{urlencode(given)}" if given else "/"


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
    # One pass over the fleet for all counts.
    aged = case((old, 1), else_=0)
    everything = _joined(select(domains.c.state, aged, func.count(), func.count(domains.c.uuid)))
    grouped = connection.execute(everything.where(*conditions).group_by(domains.c.state, aged)).all()
    counts = {row[0]: row[3] for row in grouped if row[0] is not None and not row[1]}
    stale = sum(row[2] for row in grouped if row[1])
    if stale:
        counts[STALE] = stale
    wanted = [*conditions, *_state_filter(query.state, old)]
    total = sum(row[2] for row in grouped if _counted(query.state, row[0], old=bool(row[1])))
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
    chosen = _joined(select(*columns)).where(*wanted).order_by(*_order(query)).limit(ROWS).offset(offset)
    rows = [with_jobs(row) for row in connection.execute(chosen).mappings()]
    return Listing(rows, total, pages, counts, in_words.problems)


def matching(connection: Connection, query: Query, interval: float, now: float, most: int) -> list[dict[str, Any]]:
    """Return host, UUID and name of the domains on all pages of `query`, at most `most` and one more."""
    stale_before = now - STALE_INTERVALS * interval
    conditions = [filters.read(query.words, stale_before, now).condition, *_scope(query)]
    wanted = [*conditions, *_state_filter(query.state, is_stale(stale_before)), domains.c.uuid.is_not(None)]
    chosen = _joined(select(domains.c.host, domains.c.uuid, domains.c.name)).where(*wanted)
    return [dict(row) for row in connection.execute(chosen.order_by(*_order(query)).limit(most + 1)).mappings()]


def _joined(columns: Select[Any]) -> Select[Any]:
    """A host without domains has a row too: that it is empty, or was never reached, is worth knowing."""
    return columns.select_from(hosts.outerjoin(domains, domains.c.host == hosts.c.name))


def _order(query: Query) -> list[ColumnElement[Any]]:
    chosen = [column.desc() if query.descending else column.asc() for column in _SORTS[query.sort]]
    # Rows without a name last, whatever the database makes of NULL; a full order, or pages would overlap.
    absent = [case((column.is_(None), 1), else_=0) for column in _SORTS[query.sort]]
    return [*absent, *chosen, domains.c.name, hosts.c.position, domains.c.uuid]


def _state_filter(state: str, old: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """A state's chip shows what it counts: what is known to be so now."""
    if not state:
        return []
    return [old] if state == STALE else [domains.c.state == state, ~old]


def _counted(wanted: str, state: str | None, *, old: bool) -> bool:
    return not wanted or (old if wanted == STALE else state == wanted and not old)


def _scope(query: Query) -> list[ColumnElement[bool]]:
    """Return the conditions of who asks, and of the tab."""
    found: list[ColumnElement[bool]] = []
    if query.owner:
        found.append(owned_by(owners.c.owner == query.owner))
    if query.group:
        found.append(hosts.c.name.in_(select(groups.c.host).where(groups.c.name == query.group)))
    return found
