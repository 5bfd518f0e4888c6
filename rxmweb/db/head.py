"""What each request asks first, as one question: whose session it is, and which version of what pages show."""

import time

from sqlalchemy import Engine, true

from rxmweb.db import changes, sessions
from rxmweb.db.schema import sessions as table
from rxmweb.db.schema import versions
from rxmweb.db.sessions import Session

_HEAD = sessions.LIVES.add_columns(versions.c.kind, versions.c.number, changes.OLD.c.stale, changes.OLD.c.dead)
_ASKED = _HEAD.select_from(table.join(changes.OLD, true()).outerjoin(versions, true()))


def ask(engine: Engine, token: str, interval: float) -> tuple[Session | None, dict[str, str]]:
    """Return the session of a token with the versions; None and nothing where it has ended or never was."""
    if not token:
        return None, {}
    now = time.time()
    given = {"digest": sessions.digest(token), "now": now} | changes.old_before(interval, now)
    with engine.connect() as connection:
        rows = connection.execute(_ASKED, given).all()
    if not rows:
        return None, {}
    return sessions.read(rows[0]), changes.told(rows)
