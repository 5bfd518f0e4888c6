"""Which day it is, for what is forgotten by age: believed only as far as time has really gone by.

A clock that is a year ahead, be it for one round, would have all that is kept of the past forgotten. So the day that
was seen last stands in the database: while a portal runs it goes on by the monotonic clock, and over a restart by a
day at most. A portal that was off for long keeps what is old for some more days.
"""

import time

from sqlalchemy import Engine, insert, select, update

from rxmweb.db.schema import leases

_MOST_AT_ONCE = 86_400.0
# Its row among the leases, which nobody takes.
_NAME = "calendar"


class Calendar:
    """The day, in seconds since 1970; of one portal, and shared by those that take its place."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def today(self, engine: Engine) -> float:
        """Return what is believed, and note it in the database; never later than the clock says."""
        now = time.time()
        with engine.begin() as connection:
            seen = connection.execute(select(leases.c.until).where(leases.c.name == _NAME)).scalar()
            if self._began is None:
                self._began = (now if seen is None else min(now, seen + _MOST_AT_ONCE)), time.monotonic()
            first, at = self._began
            believed = min(now, first + time.monotonic() - at)
            if seen is None:
                connection.execute(insert(leases).values(name=_NAME, holder="", until=believed))
            else:
                connection.execute(update(leases).where(leases.c.name == _NAME).values(until=believed))
        return believed
