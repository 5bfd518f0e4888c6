"""What each host said that a session's person may do there."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from rxmweb.db.schema import rights

# Stands for a host where all hosts have been asked; no host has an empty name.
_ALL = ""

Rights = Mapping[str, frozenset[str]]


def keep(engine: Engine, session: str, found: Mapping[str, frozenset[str]], *, all_asked: bool) -> None:
    """Keep what hosts answered; a session that has ended meanwhile keeps nothing."""
    rows = [{"session": session, "host": host, "verbs": json.dumps(sorted(verbs))} for host, verbs in found.items()]
    if all_asked:
        rows.append({"session": session, "host": _ALL, "verbs": "[]"})
    if not rows:
        return
    try:
        with engine.begin() as connection:
            mine = delete(rights).where(rights.c.session == session)
            connection.execute(mine.where(rights.c.host.in_([row["host"] for row in rows])))
            connection.execute(insert(rights), rows)
    except IntegrityError:
        return


def of(connection: Connection, session: str) -> tuple[dict[str, frozenset[str]], bool]:
    """Return (verbs by host, whether all hosts have been asked)."""
    # Most hosts say the same: one set for all of them.
    sets: dict[str, frozenset[str]] = {}
    found = {}
    for host, verbs in connection.execute(select(rights.c.host, rights.c.verbs).where(rights.c.session == session)):
        if verbs not in sets:
            sets[verbs] = frozenset(json.loads(verbs))
        found[host] = sets[verbs]
    asked = found.pop(_ALL, None) is not None
    return found, asked
