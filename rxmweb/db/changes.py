"""Which kinds of what pages show have changed: a number for each, raised in the transaction that changes it."""

from sqlalchemy import Connection, func, insert, select, update

from rxmweb.db.schema import hosts, versions

# PROGRESS is what an action says while it runs, and of its targets one by one.
FLEET, ACTIONS, PROGRESS, SAMPLES = "fleet", "actions", "progress", "samples"
# Intervals without a good report after which a host's rows are grey, and after which it counts as dead.
STALE_INTERVALS = 3
DEAD_INTERVALS = 10


def note(connection: Connection, kind: str) -> None:
    """Raise the number of a kind. Last in its transaction, since others' changes of the same kind wait for it."""
    raised = update(versions).where(versions.c.kind == kind).values(number=versions.c.number + 1)
    if not connection.execute(raised).rowcount:
        connection.execute(insert(versions).values(kind=kind, number=1))


def numbers(connection: Connection, interval: float, now: float) -> dict[str, str]:
    """Return what stands for the present version of each kind.

    What is known of hosts changes by itself as well: it grows old.
    """
    found = {row.kind: str(row.number) for row in connection.execute(select(versions))}
    stale, dead = (
        connection.execute(select(func.count()).where(hosts.c.received < now - intervals * interval)).scalar_one()
        for intervals in (STALE_INTERVALS, DEAD_INTERVALS)
    )
    told = {kind: found.get(kind, "0") for kind in (ACTIONS, PROGRESS, SAMPLES)}
    return told | {FLEET: f"{found.get(FLEET, '0')}.{stale}.{dead}"}
