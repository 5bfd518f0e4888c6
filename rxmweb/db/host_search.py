"""The hosts in pages: a filter in words, a sort, and for each what is on it and how much room it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, case, false, func, not_, or_, select
from sqlalchemy.sql import ColumnElement

from rxmweb.db.changes import STALE_INTERVALS
from rxmweb.db.filters import STALE, address, is_stale, like, ordered, page_number
from rxmweb.db.rows import dicts
from rxmweb.db.schema import domains, groups, hosts

ROWS = 100
MAINTENANCE, FREE, UNSEEN = "maintenance", "free", "unseen"
SHOWN = (STALE, MAINTENANCE, FREE, UNSEEN)
_MOST_WORDS = 20
_MOST_LETTERS = 500
# A domain that has the host's resources in batch work.
_OWNING = ("running", "running-preemptible")

_count = select(func.count()).where(domains.c.host == hosts.c.name).scalar_subquery()
_owning = domains.c.state.in_(_OWNING)
# One look at all domains, not one for each host: a database that has not counted its rows yet would choose badly.
_owned = hosts.c.name.in_(select(domains.c.host).where(_owning))
_busy = func.coalesce(hosts.c.load / func.nullif(hosts.c.cpus, 0), 0.0)
_SORTS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "host": (hosts.c.position,),
    "machines": (_count,),
    "free": (hosts.c.memory_free,),
    "load": (hosts.c.load,),
    "report": (hosts.c.received,),
}


@dataclass(frozen=True)
class HostQuery:
    """What is asked for."""

    words: str = ""
    show: str = ""
    group: str = ""
    sort: str = "host"
    descending: bool = False
    page: int = 1

    def url(self, **changes: Any) -> str:
        """Return the address of this query with `changes`; what is the default is left out."""
        changed = replace(self, **({"page": 1} | changes))
        chosen = {"q": changed.words, "show": changed.show, "group": changed.group}
        return address("/hosts", chosen, ordered(changed.sort, changed.descending, "host"), changed.page)


@dataclass(frozen=True)
class HostListing:
    """One page of hosts, and what there is besides."""

    rows: list[dict[str, Any]]
    total: int
    pages: int
    counts: dict[str, int]


def read(arguments: Mapping[str, str]) -> HostQuery:
    """Read an address's arguments; what makes no sense is as if it were not there."""
    sort, page = arguments.get("sort", ""), arguments.get("page", "")
    name, show = sort.removeprefix("-"), arguments.get("show", "")
    return HostQuery(
        words=" ".join(arguments.get("q", "")[:_MOST_LETTERS].split()),
        show=show if show in SHOWN else "",
        group=arguments.get("group", "")[:200],
        sort=name if name in _SORTS else "host",
        descending=sort.startswith("-") and name in _SORTS,
        page=page_number(page),
    )


def listing(
    connection: Connection, query: HostQuery, interval: float, now: float, expected: range = range(0)
) -> HostListing:
    """Return the page that `query` asks for; a page behind the last one is the last one.

    `expected` has the places of those hosts in the configuration that are not asked before they report.
    """
    stale = is_stale(now - STALE_INTERVALS * interval)
    conditions = _conditions(query)
    unseen = and_(
        hosts.c.received.is_(None),
        hosts.c.code.is_(None),
        hosts.c.position >= expected.start,
        hosts.c.position < expected.stop,
    )
    shown = {
        STALE: and_(stale, not_(unseen)),
        MAINTENANCE: hosts.c.maintenance_reason.is_not(None),
        FREE: and_(not_(stale), hosts.c.maintenance_reason.is_(None), not_(_owned)),
        UNSEEN: unseen,
    }
    sums = [func.sum(case((condition, 1), else_=0)) for condition in shown.values()]
    counted = connection.execute(select(func.count(), *sums).select_from(hosts).where(*conditions)).one()
    counts = {"": counted[0]} | {name: int(counted[place] or 0) for place, name in enumerate(shown, 1)}
    wanted = [*conditions, *([shown[query.show]] if query.show else [])]
    total = counts[query.show]
    pages = max(1, -(-total // ROWS))
    order = [column.desc() if query.descending else column.asc() for column in _SORTS[query.sort]]
    absent = [case((column.is_(None), 1), else_=0) for column in _SORTS[query.sort]]
    page = select(hosts).where(*wanted).order_by(*absent, *order, hosts.c.position).limit(ROWS)
    found = dicts(connection.execute(page.offset((min(query.page, pages) - 1) * ROWS)))
    return HostListing(_with_machines(connection, found), total, pages, counts)


def conditions(connection: Connection, after: str, most: int) -> Sequence[Any]:
    """Return hosts by name, behind `after`: name, when its last report came, and how it said that it is (JSON)."""
    wanted = select(hosts.c.name, hosts.c.received, hosts.c.condition).where(hosts.c.name > after)
    return connection.execute(wanted.order_by(hosts.c.name).limit(most)).all()


def _with_machines(connection: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return hosts with how many machines each has, and the first that has its resources."""
    owner = func.min(case((_owning, domains.c.name)))
    here = domains.c.host.in_([row["name"] for row in rows])
    counted = connection.execute(select(domains.c.host, func.count(), owner).where(here).group_by(domains.c.host))
    machines = {row[0]: {"domains": row[1], "owner": row[2]} for row in counted}
    return [row | machines.get(row["name"], {"domains": 0, "owner": None}) for row in rows]


def pairs(connection: Connection, names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the machines of each host by name, for the table in pairs as of 2007."""
    columns = (domains.c.host, domains.c.uuid, domains.c.name, domains.c.state)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    wanted = select(*columns).where(domains.c.host.in_(names)).order_by(domains.c.sort_name, domains.c.name)
    for row in dicts(connection.execute(wanted)):
        found[row["host"]].append(row)
    return found


def _conditions(query: HostQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.group:
        found.append(hosts.c.name.in_(select(groups.c.host).where(groups.c.name == query.group)))
    for word in query.words.split()[:_MOST_WORDS]:
        value = word.removeprefix("host:")
        pattern = value if "*" in value else f"*{value}*"
        said = [
            func.coalesce(like(column, pattern), false()) for column in (hosts.c.maintenance_reason, hosts.c.problem)
        ]
        found.append(or_(like(hosts.c.name, pattern), *said))
    return found
