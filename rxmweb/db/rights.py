"""What each host said that a session's person may do there."""

import json
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from rxmweb.db.schema import owners, rights

# Stands for a host where all hosts have been asked, and has for which machines; no host has an empty name.
_ALL = ""

Rights = Mapping[str, frozenset[str]]
# A person's own machines, as HOST/UUID: what an owner may hangs on them.
Machines = frozenset[str]


def machines(connection: Connection, principal: str) -> Machines:
    """Return a person's own machines."""
    wanted = select(owners.c.host, owners.c.uuid).where(owners.c.owner == principal)
    return frozenset(f"{row.host}/{row.uuid}" for row in connection.execute(wanted))


def keep(
    engine: Engine,
    session: str,
    found: Mapping[str, frozenset[str]],
    *,
    own: Machines | None = None,
    asked: Collection[str] = (),
) -> None:
    """Keep what hosts answered; a session that has ended meanwhile keeps nothing.

    `own` says, where all hosts have been asked, which machines the person had then. What hosts said that were `asked`
    and have not answered is forgotten.
    """
    rows = [{"session": session, "host": host, "verbs": json.dumps(sorted(verbs))} for host, verbs in found.items()]
    if own is not None:
        rows.append({"session": session, "host": _ALL, "verbs": json.dumps(sorted(own))})
    if not rows:
        return
    try:
        with engine.begin() as connection:
            mine = delete(rights).where(rights.c.session == session)
            connection.execute(mine.where(rights.c.host.in_([*asked, *(row["host"] for row in rows)])))
            connection.execute(insert(rights), rows)
    except IntegrityError:
        return


def of(connection: Connection, session: str) -> tuple[Rights, Machines | None]:
    """Return verbs by host, and the person's machines when all hosts had been asked; None where they have not been."""
    # Most hosts say the same: one set for all of them.
    sets: dict[str, frozenset[str]] = {}
    found = {}
    for host, verbs in connection.execute(select(rights.c.host, rights.c.verbs).where(rights.c.session == session)):
        if verbs not in sets:
            sets[verbs] = frozenset(json.loads(verbs))
        found[host] = sets[verbs]
    own = found.pop(_ALL, None)
    return found, own
