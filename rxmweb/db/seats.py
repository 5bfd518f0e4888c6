"""Seats: which machine each terminal was given. A terminal's browser holds a random token, and here is its digest.

A seat gives a way to one machine's screen and to nothing else; it is none of the sessions that people have.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from rxmweb.db import changes
from rxmweb.db.schema import seats

WORKING, READY, FAILED = "working", "ready", "failed"
# How long one that looks for a machine may take before another one looks: starts on hosts that hang.
WORK_SECONDS = 120.0
# How exactly it is known when somebody was there last.
_SEEN_SECONDS = 60.0


@dataclass(frozen=True)
class Seat:
    """One terminal's seat, as it is in the table."""

    terminal: str
    state: str
    proved: bool
    whence: str
    working: float
    problem: str
    host: str | None
    uuid: str | None
    machine: str | None
    since: float | None
    address: str | None
    screen: str | None
    token: str | None
    csrf: str | None
    expires: float | None
    seen: float | None


def of(connection: Connection, terminal: str) -> Seat | None:
    """Return a terminal's seat, None where it has never asked."""
    row = connection.execute(select(seats).where(seats.c.terminal == terminal)).mappings().first()
    return None if row is None else Seat(**row)


def every(connection: Connection) -> list[Seat]:
    """Return all seats."""
    return [Seat(**row) for row in connection.execute(select(seats)).mappings()]


def find(engine: Engine, token: str, now: float) -> Seat | None:
    """Return the seat of a token, None where it has ended or never was."""
    if not token:
        return None
    wanted = select(seats).where(seats.c.token == _digest(token), seats.c.expires > now, seats.c.state == READY)
    with engine.connect() as connection:
        row = connection.execute(wanted).mappings().first()
    return None if row is None else Seat(**row)


def begin(engine: Engine, terminal: str, whence: str, now: float, *, proved: bool) -> bool:
    """Say that a machine is looked for; return whether nobody else is at that. Who had the seat has it no more."""
    free = or_(seats.c.state != WORKING, seats.c.working < now)
    until = now + WORK_SECONDS
    values: dict[str, Any] = {"state": WORKING, "proved": proved, "whence": whence, "working": until, "problem": ""}
    emptied = dict.fromkeys(("host", "uuid", "machine", "since", "address", "screen", "token", "csrf", "expires"))
    with engine.begin() as connection:
        if connection.execute(
            update(seats).where(seats.c.terminal == terminal, free).values(**values, **emptied)
        ).rowcount:
            changes.note(connection, changes.FLEET)
            return True
    try:
        with engine.begin() as connection:
            connection.execute(insert(seats).values(terminal=terminal, **values))
            changes.note(connection, changes.FLEET)
    except IntegrityError:
        return False
    return True


def note(engine: Engine, terminal: str, **values: Any) -> None:
    """Write what has become of a seat."""
    with engine.begin() as connection:
        connection.execute(update(seats).where(seats.c.terminal == terminal).values(**values))
        changes.note(connection, changes.FLEET)


def fetch(engine: Engine, seat: Seat, now: float, seconds: float) -> tuple[str, Seat] | None:
    """Give the seat to who asks, for so many seconds; return (the token, the seat), None where somebody was faster."""
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    values = {"token": _digest(token), "csrf": csrf, "expires": now + seconds, "seen": now}
    ours = (seats.c.terminal == seat.terminal) & (seats.c.state == READY) & (seats.c.since == seat.since)
    with engine.begin() as connection:
        if not connection.execute(update(seats).where(ours, seats.c.token.is_(None)).values(**values)).rowcount:
            return None
        found = of(connection, seat.terminal)
    return None if found is None else (token, found)


def lives(engine: Engine, seat: Seat, now: float) -> bool:
    """Return whether the seat is still that of who had this token; note, once a minute, that he is there."""
    ours = (seats.c.terminal == seat.terminal) & (seats.c.token == seat.token) & (seats.c.expires > now)
    with engine.connect() as connection:
        seen = connection.execute(select(seats.c.seen).where(ours, seats.c.state == READY)).scalar()
    if seen is not None and seen < now - _SEEN_SECONDS:
        with engine.begin() as connection:
            connection.execute(update(seats).where(ours).values(seen=now))
    return seen is not None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
