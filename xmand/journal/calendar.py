"""Which day it is, for what is forgotten by age: believed only as far as time has really gone by.

A clock that is a year ahead, be it for one change, would have all that is kept forgotten, and requests act again that
were answered. So the day that was seen last stands in the journal: while xmand runs it goes on by the monotonic clock,
and over a restart by a day at most. A host that was off for long keeps what is old for some more days.
"""

import sqlite3
import time

_MOST_AT_ONCE = 86_400.0


class Calendar:
    """The day, in seconds since 1970."""

    def __init__(self) -> None:
        self._at_open = (0.0, 0.0)

    def opened(self, db: sqlite3.Connection) -> None:
        """Begin with what the journal has seen last: its own note, or the newest of its changes."""
        (seen,) = db.execute("SELECT max(seen) FROM clock").fetchone()
        if seen is None:
            # The second newest: the newest may be of a wrong clock.
            found = db.execute("SELECT ended FROM change WHERE ended NOT NULL ORDER BY id DESC LIMIT 2").fetchall()
            seen = found[-1][0] if found else None
        now = time.time()
        self._at_open = (now if seen is None else min(now, max(seen, 0.0) + _MOST_AT_ONCE), time.monotonic())

    def today(self, db: sqlite3.Connection) -> float:
        """Return what is believed, and note it in the journal; never later than the wall clock says."""
        seen, at = self._at_open
        believed = min(time.time(), seen + time.monotonic() - at)
        db.execute("DELETE FROM clock")
        db.execute("INSERT INTO clock VALUES (?)", (believed,))
        return believed
