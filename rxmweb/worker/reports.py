"""What hosts that report say, on its way into the tables: many hosts' reports in one transaction, and never
more than others who write have the patience for.

Nothing that a host said is kept in memory beyond that: what changed is written to the rows that are there.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb.db import changes, complain, reporters, written
from rxmweb.db.reported import Packed, read
from rxmweb.db.reporters import ACCEPTED, New
from xman import escape
from xman.reporting import Wish
from xman.throttle import Throttle

logger = logging.getLogger(__name__)

# The age of a report stands on pages: without other news they are made anew so often for it.
_AGES_SECONDS = 10.0
# One that nobody has accepted yet is told so soon to say everything.
_WAITING_SECONDS = 2.0
# Where too many wait, no other is noted for so long.
_CROWDED_SECONDS = 30.0
# Of one transaction: SQLite has one writer, for whom everybody else waits. Two hosts that say all of 4,000 machines are
# some seconds on a busy machine.
_MOST_ROWS = 5_000
# After so long others are let in for a moment: they look again ten times a second at the least (sqlite3_busy_timeout).
_HELD_SECONDS = 1.0
_LET_IN_SECONDS = 0.15
# How often it is said of a host in so many seconds that it reports to another collector at the same time, and of all.
_MOST_TWICE, _MOST_TWICE_IN_ALL, _TWICE_SECONDS = 1, 20, 60.0


@dataclass
class Batch:
    """What is to be written in the next transaction."""

    found: dict[str, list[Packed]] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    # Those that nobody has heard of before.
    new: dict[str, New] = field(default_factory=dict)
    # Own names of hosts that said nothing new, with their rows' names.
    alive: dict[str, str] = field(default_factory=dict)
    # Those whose last report came over the same connection, and was written.
    going_on: set[str] = field(default_factory=set)


class Reports:
    """All hosts' reports; used by one thread, but for `write` and `look`, which another one calls, one at a time."""

    def __init__(self, engine: Engine, interval: float, rows: Callable[[str], str | None]) -> None:
        self._engine = engine
        # How often hosts are to report.
        self.interval = min(max(interval, 0.2), 3600.0)
        self._rows = rows
        self._known: dict[str, tuple[str, str | None]] = {}
        self._number = -1
        self._batch = Batch()
        # Hosts of which something was lost, so that they have to say everything again; and when each was heard of.
        self._lost: set[str] = set()
        self._heard: dict[str, float] = {}
        self._aged = 0.0
        self._twice = Throttle(_MOST_TWICE, _MOST_TWICE_IN_ALL, _TWICE_SECONDS)
        # Until when there is no room for more that wait.
        self._crowded = 0.0

    def take(self, name: str, principal: str, address: str, octets: bytes, begins: bool) -> Wish:
        """Take a report of the host of this (own) name; return what is wanted of it next.

        `begins` says that it is the first of a connection. Raises NotAReportError.
        """
        state, row = self._known.get(name, ("", None))
        if state == "":
            # Written with the next batch: a transaction for each would hold up all others, where all come at once.
            row = self._rows(name)
            if row is None and time.monotonic() < self._crowded:
                return Wish(_WAITING_SECONDS * 30)
            self._batch.new[name] = New(principal, address, row)
            state = ACCEPTED if row is not None else state
        now = time.time()
        last, self._heard[name] = self._heard.get(name, 0.0), now
        self._batch.heard[name], self._batch.addresses[name] = now, address
        if not begins and name not in self._lost:
            self._batch.going_on.add(name)
        if state != ACCEPTED or row is None:
            # What it says is nobody's business yet; when it is accepted it says everything.
            self._lost.add(name)
            return Wish(min(self.interval, _WAITING_SECONDS))
        found = read(octets, row, now)
        # What was said before is not in the tables, or somebody else has written there meanwhile.
        gap = not begins and now - last > changes.STALE_INTERVALS * self.interval
        if (name in self._lost or gap) and not found.whole and found.report.code == 0:
            return Wish(self.interval, True)
        self._lost.discard(name)
        if found.news or begins or found.report.facts.get("condition"):
            said = self._batch.found.setdefault(name, [])
            if found.whole:  # what it said before of its domains is not so any more, or is said again
                said[:] = [one.without_news() for one in said]
            said.append(Packed.of(found))
        else:
            self._batch.alive[name] = row
        return Wish(self.interval)

    def look(self) -> None:
        """Learn which hosts are shown, where that has changed. Raises SQLAlchemyError."""
        with self._engine.connect() as connection:
            number = changes.number(connection, changes.REPORTERS)
            if number != self._number:
                self._known, self._number = reporters.states(connection), number

    def collected(self) -> Batch:
        """Return what has come since the last time."""
        batch, self._batch = self._batch, Batch()
        return batch

    def write(self, waiting: Batch) -> None:
        """Write what has come; what cannot be written has to be said again.

        As a rule in one transaction; where there is much, in several, so that others who write have their turns.
        """
        if not waiting.heard:
            return
        now = time.time()
        left = dict(waiting.found)
        held = time.monotonic()
        first = True
        for part in _parts(waiting.found):
            if time.monotonic() - held > _HELD_SECONDS:
                time.sleep(_LET_IN_SECONDS)
                held = time.monotonic()
            try:
                with self._engine.begin() as connection:
                    if first:
                        self._note(connection, waiting, now)
                    found = [one.unpacked() for each in part.values() for one in each]
                    written.write(connection, found, now)
                    if any(one.news for one in found) or now - self._aged >= _AGES_SECONDS:
                        self._aged = now
                        changes.note(connection, changes.FLEET)
            except SQLAlchemyError as error:
                self._lost.update(left)
                complain(logger, error)
                return
            first = False
            for name in part:
                del left[name]

    def _note(self, connection: Connection, waiting: Batch, now: float) -> None:
        """Write who was heard of."""
        if waiting.new and not reporters.met(connection, waiting.new):
            self._crowded = time.monotonic() + _CROWDED_SECONDS
        self._look_for_twins(connection, waiting)
        reporters.alive(connection, waiting.alive.values(), now)
        reporters.signs(connection, waiting.heard, waiting.addresses)

    def _look_for_twins(self, connection: Connection, waiting: Batch) -> None:
        """Say of whom the tables have another address than the one that we wrote, while its connection goes on."""
        self._twice.held(time.monotonic())
        mine = {name: waiting.addresses[name] for name in waiting.going_on}
        for name, address in reporters.elsewhere(connection, mine).items():
            if self._twice.passes(name):
                logger.warning(
                    "%s reports from %s, and to another collector from %s; where that goes on, two machines have this"
                    " key",
                    *map(escape.line, (name, mine[name], address)),
                )


def _parts(found: Mapping[str, list[Packed]]) -> Iterator[dict[str, list[Packed]]]:
    """Share reports out among transactions, each host's in one: an empty one where there are none."""
    part: dict[str, list[Packed]] = {}
    rows = 0
    for name, said in found.items():
        part[name] = said
        rows += sum(one.domains for one in said)
        if rows >= _MOST_ROWS:
            yield part
            part, rows = {}, 0
    if part or not found:
        yield part
