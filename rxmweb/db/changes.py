"""Which kinds of what pages show have changed: a number for each, raised in the transaction that changes it."""

from typing import Any

from sqlalchemy import Connection, Double, bindparam, func, insert, select, update

from rxmweb.db.schema import hosts, versions

# PROGRESS is what an action says while it runs, and of its targets one by one.
FLEET, ACTIONS, PROGRESS, SAMPLES = "fleet", "actions", "progress", "samples"
# Which hosts report by themselves, and which of these are shown.
REPORTERS = "reporters"
# Intervals without a good report after which a host's rows are grey, and after which it counts as dead.
STALE_INTERVALS = 3
DEAD_INTERVALS = 10


def _older(than: str) -> Any:
    return (
        select(func.count())
        .select_from(hosts)
        .where(hosts.c.received < bindparam(than, type_=Double))
        .scalar_subquery()
    )


# One question, made once: it is asked at each poll.
_NUMBERS = select(versions, _older("stale").label("stale_hosts"), _older("dead").label("dead_hosts"))


def note(connection: Connection, kind: str) -> None:
    """Raise the number of a kind. Last in its transaction, since others' changes of the same kind wait for it."""
    raised = update(versions).where(versions.c.kind == kind).values(number=versions.c.number + 1)
    if not connection.execute(raised).rowcount:
        connection.execute(insert(versions).values(kind=kind, number=1))


def number(connection: Connection, kind: str) -> int:
    """Return how often a kind has changed."""
    found = connection.execute(select(versions.c.number).where(versions.c.kind == kind)).scalar()
    return int(found or 0)


def numbers(connection: Connection, interval: float, now: float) -> dict[str, str]:
    """Return what stands for the present version of each kind.

    What is known of hosts changes by itself as well: it grows old.
    """
    before = {"stale": now - STALE_INTERVALS * interval, "dead": now - DEAD_INTERVALS * interval}
    rows = connection.execute(_NUMBERS, before).all()
    found = {row.kind: str(row.number) for row in rows}
    stale, dead = (rows[0].stale_hosts, rows[0].dead_hosts) if rows else (0, 0)
    told = {kind: found.get(kind, "0") for kind in (ACTIONS, PROGRESS, SAMPLES)}
    return told | {FLEET: f"{found.get(FLEET, '0')}.{stale}.{dead}"}
