"""Sessions: rows that a cookie's random token names. They can be ended, and end with the ticket at the latest."""

import hashlib
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from rxmweb.db.schema import sessions

# With constrained delegation, and behind a proxy, nobody says how long a ticket holds.
_SHORTEST_SECONDS = 60.0


@dataclass(frozen=True)
class Session:
    """One person's session. `ticket` names the cache to act with; where it is empty, `problem` says why."""

    principal: str
    csrf: str
    portal: str
    ticket: str
    problem: str
    created: float
    expires: float


def begin(
    engine: Engine, principal: str, portal: str, ticket: str, problem: str, seconds: float
) -> tuple[str, Session]:
    """Begin a session of at most `seconds`; return (the browser's token, the session)."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    session = Session(
        principal, secrets.token_urlsafe(24), portal, ticket, problem, now, now + max(seconds, _SHORTEST_SECONDS)
    )
    with engine.begin() as connection:
        connection.execute(insert(sessions).values(token=_digest(token), **vars(session)))
    return token, session


def find(engine: Engine, token: str) -> Session | None:
    """Return the session of a token, None where it has ended or never was."""
    if not token:
        return None
    columns = [column for column in sessions.c if column.name != "token"]
    with engine.connect() as connection:
        wanted = select(*columns).where(sessions.c.token == _digest(token), sessions.c.expires > time.time())
        row = connection.execute(wanted).mappings().first()
    return Session(**row) if row is not None else None


def end(engine: Engine, token: str) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.token == _digest(token)))


def tickets(engine: Engine, portal: str) -> set[str]:
    """Return the names of the caches that sessions of this portal still use."""
    with engine.connect() as connection:
        wanted = select(sessions.c.ticket).where(sessions.c.portal == portal, sessions.c.expires > time.time())
        return set(connection.execute(wanted).scalars())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
