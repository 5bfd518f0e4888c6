"""What the table shows: a filter in words, a sort, a page, as one URL has them, made into SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, Select, and_, case, func, or_, select, true
from sqlalchemy.sql import ColumnElement

from rxmweb.db.fleet import DEAD_INTERVALS, STALE_INTERVALS, with_jobs
from rxmweb.db.schema import domains, groups, hosts, owners

ROWS = 200
# Of what a person types; more is no filter.
_MOST_WORDS = 20
_MOST_LETTERS = 500
KEYS = ("state", "host", "owner", "name", "uuid", "job", "priority")
STALE = "stale"

_SORTS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "name": (domains.c.name,),
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
    # Domains by state, whatever state was asked for, and hosts whose report is old under `STALE`.
    counts: dict[str, int]


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
        page=int(page) if page.isascii() and page.isdigit() and int(page[:9]) > 0 else 1,
        owner=owner,
    )


def listing(connection: Connection, query: Query, interval: float, now: float) -> Listing:
    """Return the page that `query` asks for; a page behind the last one is the last one."""
    stale_before, dead_before = now - STALE_INTERVALS * interval, now - DEAD_INTERVALS * interval
    filters = _filters(query, stale_before)
    everything = _joined(select(domains.c.state, func.count(domains.c.uuid))).where(*filters).group_by(domains.c.state)
    counts = {row[0]: row[1] for row in connection.execute(everything) if row[0] is not None}
    old = hosts.c.received.is_(None) | (hosts.c.received < stale_before)
    stale = connection.execute(_joined(select(func.count()).select_from(hosts)).where(*filters, old)).scalar_one()
    if stale:
        counts[STALE] = stale
    wanted = [*filters, *_state_filter(query.state, old)]
    total = connection.execute(_joined(select(func.count()).select_from(hosts)).where(*wanted)).scalar_one()
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
    return Listing(rows, total, pages, counts)


def matching(connection: Connection, query: Query, interval: float, now: float, most: int) -> list[dict[str, Any]]:
    """Return host, UUID and name of the domains on all pages of `query`, at most `most` and one more."""
    stale_before = now - STALE_INTERVALS * interval
    old = hosts.c.received.is_(None) | (hosts.c.received < stale_before)
    wanted = [*_filters(query, stale_before), *_state_filter(query.state, old), domains.c.uuid.is_not(None)]
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
    if not state:
        return []
    return [old] if state == STALE else [domains.c.state == state]


def _filters(query: Query, stale_before: float) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.owner:
        found.append(_owned_by(owners.c.owner == query.owner))
    if query.group:
        members = select(groups.c.host).where(groups.c.name == query.group)
        found.append(hosts.c.name.in_(members))
    for word in query.words.split()[:_MOST_WORDS]:
        key, colon, value = word.partition(":")
        found.append(_word(key, value, stale_before) if colon and key in KEYS and value else _anywhere(word))
    return found


def _word(key: str, value: str, stale_before: float) -> ColumnElement[bool]:
    if key == "owner":
        # A name without a realm is that name in any realm.
        like = _like(owners.c.owner, value if "@" in value or value.endswith("*") else f"{value}@*")
        return _owned_by(like | (owners.c.owner == value))
    if key == "state":
        if value == STALE:
            return hosts.c.received.is_(None) | (hosts.c.received < stale_before)
        return or_(*(domains.c.state == one for one in value.split(",")))
    if key == "job":
        # The list is JSON with blanks after its colons, as Python writes it; an id in it stands in quotes.
        escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace('"', "")
        return domains.c.jobs.like(f'%"id": "{escaped}"%', escape="\\")
    column = {"host": hosts.c.name, "name": domains.c.name, "uuid": domains.c.uuid, "priority": domains.c.priority}[key]
    return _like(column, value)


def _anywhere(word: str) -> ColumnElement[bool]:
    pattern = word if "*" in word else f"*{word}*"
    return or_(_like(domains.c.name, pattern), _like(hosts.c.name, pattern), _owned_by(_like(owners.c.owner, pattern)))


def _owned_by(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    same = and_(owners.c.host == domains.c.host, owners.c.uuid == domains.c.uuid)
    return select(true()).select_from(owners).where(same, condition).exists()


def _like(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Compare with `*` for anything, whatever else SQL takes for a pattern; letters of either case."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return func.lower(column).like(escaped.lower(), escape="\\")
