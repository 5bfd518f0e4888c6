"""Sessions: rows that a cookie's random token names. They can be ended, and end with the ticket at the latest.

Whoever shows the same ticket once more, without the cookie, gets the same session: its token is made again of a random
number in its row and of a key that is not in the database, so that reading this table gives nobody a session.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Double, Engine, bindparam, delete, insert, select

from rxmweb.db.schema import sessions

# With constrained delegation, and behind a proxy, nobody says how long a ticket holds.
_SHORTEST_SECONDS = 60.0
# Behind a proxy nobody shows us the ticket. Two ends that are closer are taken for one ticket's, whose life is told in
# whole seconds; a cache is a new one each time, of a ticket that the browser has got for the proxy just now.
_SAME_SECONDS = 2.0
# Of one person on one portal: as many browsers and tickets as somebody may have. The oldest ends for another one.
MOST_OF_ONE = 32
# What one question to the database names at most.
_AT_A_TIME = 500


@dataclass(frozen=True)
class Session:
    """One person's session. `ticket` names the cache to act with; where it is empty, `problem` says why.

    `id` is the digest of its token.
    """

    id: str
    principal: str
    csrf: str
    portal: str
    ticket: str
    problem: str
    created: float
    expires: float


_COLUMNS = (sessions.c.token.label("id"), *(sessions.c[name] for name in Session.__dataclass_fields__ if name != "id"))

# Made once: it is asked at each request.
LIVES = select(*_COLUMNS).where(
    sessions.c.token == bindparam("digest"), sessions.c.expires > bindparam("now", type_=Double)
)


def same(
    engine: Engine, key: bytes, principal: str, portal: str, *, delegated: bool, shown: str = "", ends: float | None
) -> tuple[str, Session] | None:
    """Return (token, session) of what was begun with the same ticket, None where that has ended or never was.

    The ticket is known by `shown`; where that is empty, since a proxy has seen it, by when it ends.
    """
    by_end = (
        sessions.c.ends.is_(None)
        if ends is None
        else sessions.c.ends.between(ends - _SAME_SECONDS, ends + _SAME_SECONDS)
    )
    chosen = select(*_COLUMNS, sessions.c.nonce).where(
        sessions.c.principal == principal,
        sessions.c.portal == portal,
        sessions.c.expires > time.time(),
        sessions.c.nonce.is_not(None),
        (sessions.c.ticket != "") if delegated else (sessions.c.ticket == ""),
        sessions.c.shown == shown if shown else sessions.c.shown.is_(None) & by_end,
    )
    with engine.connect() as connection:
        found = connection.execute(chosen.order_by(sessions.c.created.desc()).limit(1)).mappings().first()
    if found is None:
        return None
    row = dict(found)
    token = _token(key, row.pop("nonce"))
    # Another key is another portal's, or one of before the machine was started.
    return (token, Session(**row)) if digest(token) == row["id"] else None


def begin(
    engine: Engine,
    principal: str,
    portal: str,
    ticket: str,
    problem: str,
    seconds: float,
    *,
    key: bytes = b"",
    shown: str = "",
    ends: float | None = None,
) -> tuple[str, Session]:
    """Begin a session of at most `seconds`; return (the browser's token, the session).

    Without `key`, `same` never finds it.
    """
    nonce = secrets.token_urlsafe(32)
    token = _token(key, nonce) if key else secrets.token_urlsafe(32)
    now = time.time()
    session = Session(
        digest(token),
        principal,
        secrets.token_urlsafe(24),
        portal,
        ticket,
        problem,
        now,
        now + max(seconds, _SHORTEST_SECONDS),
    )
    values = {name: value for name, value in vars(session).items() if name != "id"}
    with engine.begin() as connection:
        _make_room(connection, principal, portal)
        again = {"nonce": nonce if key else None, "shown": shown or None, "ends": ends}
        connection.execute(insert(sessions).values(token=session.id, **again, **values))
    return token, session


def find(engine: Engine, token: str) -> Session | None:
    """Return the session of a token, None where it has ended or never was."""
    if not token:
        return None
    with engine.connect() as connection:
        row = connection.execute(LIVES, {"digest": digest(token), "now": time.time()}).first()
    return read(row) if row is not None else None


def read(row: Any) -> Session:
    """Return the session of a row that `LIVES` has found."""
    return Session(*(getattr(row, name) for name in Session.__dataclass_fields__))


def living(connection: Connection, ids: frozenset[str]) -> frozenset[str]:
    """Return which of the sessions have not ended."""
    found: set[str] = set()
    every = sorted(ids)
    for start in range(0, len(every), _AT_A_TIME):
        wanted = select(sessions.c.token).where(sessions.c.token.in_(every[start : start + _AT_A_TIME]))
        found |= set(connection.execute(wanted.where(sessions.c.expires > time.time())).scalars())
    return frozenset(found)


def end(engine: Engine, token: str) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.token == digest(token)))


def tickets(engine: Engine, portal: str) -> set[str]:
    """Return the names of the caches that sessions of this portal still use."""
    with engine.connect() as connection:
        wanted = select(sessions.c.ticket).where(sessions.c.portal == portal, sessions.c.expires > time.time())
        return set(connection.execute(wanted).scalars())


def _make_room(connection: Connection, principal: str, portal: str) -> None:
    """End a person's oldest sessions beyond the cap; their caches go with the next sweep."""
    here = (sessions.c.principal == principal) & (sessions.c.portal == portal)
    newest_first = select(sessions.c.token).where(here).order_by(sessions.c.created.desc())
    old = connection.execute(newest_first.offset(MOST_OF_ONE - 1)).scalars().all()
    if old:
        connection.execute(delete(sessions).where(sessions.c.token.in_(old)))


def _token(key: bytes, nonce: str) -> str:
    return hmac.new(key, nonce.encode(), hashlib.sha256).hexdigest()


def digest(token: str) -> str:
    """Return what the table knows a token by."""
    return hashlib.sha256(token.encode()).hexdigest()
