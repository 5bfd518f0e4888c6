"""Which kinds of what pages show have changed: a number for each, raised in the transaction that changes it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Double, Table, bindparam, case, func, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from rxmweb.db.schema import hosts, versions

# PROGRESS is what an action says while it runs, and of its targets one by one.
FLEET, ACTIONS, PROGRESS, SAMPLES = "fleet", "actions", "progress", "samples"
# Which hosts report by themselves, and which of these are shown.
REPORTERS = "reporters"
# Intervals without a good report after which a host's rows are grey, and after which it counts as dead.
STALE_INTERVALS = 3
DEAD_INTERVALS = 10


# Hosts that are old, and those of them that count as dead: in one look at all.
OLD = (
    select(
        func.count().label("stale"),
        func.sum(case((hosts.c.received < bindparam("dead", type_=Double), 1), else_=0)).label("dead"),
    )
    .where(hosts.c.received < bindparam("stale", type_=Double))
    .subquery()
)
# One question, made once: it is asked at each poll.
_NUMBERS = select(versions, OLD.c.stale, OLD.c.dead).join(OLD, true())


def note(connection: Connection, kind: str) -> None:
    """Raise the number of a kind. Last in its transaction, since others' changes of the same kind wait for it."""
    raised = update(versions).where(versions.c.kind == kind).values(number=versions.c.number + 1)
    if not connection.execute(raised).rowcount:
        first = adding(connection, versions).values(kind=kind, number=1)
        raised_again = {"number": versions.c.number + 1}
        connection.execute(first.on_conflict_do_update(index_elements=[versions.c.kind], set_=raised_again))


def adding(connection: Connection, table: Table) -> Any:
    """Return an INSERT that can be told what to do where somebody else has added the same row meanwhile.

    Collectors that share a database begin at once, and so do the two parts of one that know the hosts.
    """
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def number(connection: Connection, kind: str) -> int:
    """Return how often a kind has changed."""
    found = connection.execute(select(versions.c.number).where(versions.c.kind == kind)).scalar()
    return int(found or 0)


def numbers(connection: Connection, interval: float, now: float) -> dict[str, str]:
    """Return what stands for the present version of each kind.

    What is known of hosts changes by itself as well: it grows old.
    """
    return told(connection.execute(_NUMBERS, old_before(interval, now)).all())


def old_before(interval: float, now: float) -> dict[str, float]:
    """Return the times that `OLD` asks for."""
    return {"stale": now - STALE_INTERVALS * interval, "dead": now - DEAD_INTERVALS * interval}


def told(rows: Sequence[Any]) -> dict[str, str]:
    """Return the versions out of rows of `versions` beside what `OLD` has."""
    found = {row.kind: str(row.number) for row in rows}
    stale, dead = (rows[0].stale, rows[0].dead or 0) if rows else (0, 0)
    numbered = {kind: found.get(kind, "0") for kind in (ACTIONS, PROGRESS, SAMPLES)}
    return numbered | {FLEET: f"{found.get(FLEET, '0')}.{stale}.{dead}"}
