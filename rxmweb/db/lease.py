"""Who does what only one may do at a time, of all portals that share a database."""

import time

from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import IntegrityError

from rxmweb.db.schema import leases

# Of a lease's length, so much is left where clocks of several portals differ.
_TIMES = 2.0


def take(engine: Engine, name: str, holder: str, seconds: float) -> bool:
    """Take or prolong the lease called `name`; return whether it is `holder`'s for the next `seconds`."""
    now = time.time()
    with engine.begin() as connection:
        # Nobody takes it for longer than that: a clock was ahead when it was taken.
        over = (leases.c.until < now) | (leases.c.until > now + _TIMES * seconds)
        mine = (leases.c.holder == holder) | over
        changed = update(leases).where(leases.c.name == name, mine).values(holder=holder, until=now + seconds)
        if connection.execute(changed).rowcount:
            return True
    try:
        with engine.begin() as connection:
            connection.execute(insert(leases).values(name=name, holder=holder, until=now + seconds))
    except IntegrityError:
        return False
    return True


def release(engine: Engine, name: str, holder: str) -> None:
    """Give a lease back, so that the next need not wait for its end."""
    with engine.begin() as connection:
        mine = (leases.c.name == name) & (leases.c.holder == holder)
        connection.execute(update(leases).where(mine).values(until=0.0))
