"""What was changed, durably: each change is written down before it acts, and its answer after.

An SQLite file in `state_dir`. From it a retry gets its answer, a restart learns what it was torn out of, and `log`
tells who did what. A later release may only add columns (with defaults) to the table: the one before must be able to
read and write it.
"""

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xman import outcome
from xmand.answer import Answer
from xmand.journal import health, promised
from xmand.journal.calendar import Calendar
from xmand.journal.entries import COLUMNS, Begun, Change, ConflictError, Entry, Survey, entry_of, size
from xmand.journal.shares import SIZE, JournalFullError, Shares, log_pages

logger = logging.getLogger(__name__)

FILE = "journal.db"
SCHEMA_VERSION = 1
# A second xmand with the same state_dir, or somebody's sqlite3, holds the file; it is not worth waiting for long.
_BUSY_SECONDS = 2.0
# How often is looked for what is too old, in changes begun.
_TIDY_EVERY = 64
# What is read at a time, in lines and in octets of their words; and what is only counted.
_PAGE = 256
_PAGE_OCTETS = 128 << 10
_LOOKED = 2048
_MIB = 1 << 20
# A name may have been that of several domains, one after the other.
_MOST_CALLED = 100

_TABLE = """
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    principal TEXT NOT NULL,
    rid TEXT NOT NULL,
    digest TEXT NOT NULL,           -- of the words, so that a request id is not used for two requests
    peer TEXT NOT NULL,
    verb TEXT NOT NULL,
    domain TEXT NOT NULL,           -- as it was named
    uuid TEXT NOT NULL DEFAULT '',  -- once it is known
    reason TEXT NOT NULL,
    asked TEXT NOT NULL,            -- the other words, as JSON
    begun REAL NOT NULL,            -- seconds since 1970
    ended REAL,
    code INTEGER,
    answer TEXT,                    -- as JSON
    recovered INTEGER NOT NULL DEFAULT 0,  -- settled after a crash
    again INTEGER NOT NULL DEFAULT 0,      -- nothing came of it: a retry may act
    UNIQUE (principal, rid)
)"""
_CLOCK = "CREATE TABLE IF NOT EXISTS clock (seen REAL NOT NULL)"


class JournalError(Exception):
    """Nothing can be written down, or read; the text says why."""


class Journal:
    """The file. Any thread may use it; all methods block on the disk, and raise JournalError where it fails.

    After a failure the file is opened anew at the next call, so that it recovers by itself.
    """

    def __init__(
        self, directory: str, keep_days: float, most_mib: int, listed: Callable[[str], bool] = lambda _principal: True
    ) -> None:
        self._directory = Path(directory)
        self._keep_seconds = keep_days * 86_400
        self._most_octets = most_mib * _MIB
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        # Answers that could not be written down yet.
        self._owed: dict[int, tuple[Answer, str, bool, bool, float]] = {}
        self._begun = 0
        self._clock = Calendar()
        self._news = ""
        self._shares = Shares(self._most_octets, listed)

    def begin(self, change: Change) -> Begun:
        """Write down that `change` is about to act, durably. Raises ConflictError."""
        with self._use() as db:
            self._pay(db)
            if self._begun % _TIDY_EVERY == 0:
                self._tidy(db)
            self._begun += 1
            db.execute("BEGIN IMMEDIATE")
            found = db.execute(
                f"SELECT {COLUMNS} FROM change WHERE principal = ? AND rid = ?",  # noqa: S608  # our own columns
                (change.principal, change.rid),
            ).fetchone()
            if found is None:
                self._shares.begins(db, change.principal, size(change))
                return self._insert(db, change)
            entry = entry_of(found)
            if entry.change.digest != change.digest:
                raise ConflictError
            if entry.ended is None:
                return Begun(entry.id, pending=True)
            if not entry.again:
                return Begun(entry.id, answer=entry.answer)
            db.execute(
                "UPDATE change SET uuid = '', begun = ?, ended = NULL, code = NULL, answer = NULL, recovered = 0,"
                " again = 0 WHERE id = ?",
                (time.time(), entry.id),
            )
            in_doubt = entry.answer is not None and entry.answer.code == outcome.UNKNOWN
            return Begun(entry.id, doubt=entry.answer if in_doubt else None)

    def intend(
        self,
        identifier: int,
        name: str,
        uuid: str,
        *,
        replaces: bool = False,
        makes: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Write down which domain the change `identifier` is about to define, durably; `replaces` one that is there.

        `makes` are volumes that are made for it first, each with its pool and name.
        """
        added = {"replaces": replaces} | ({"makes": list(makes)} if makes else {})
        with self._use() as db:
            db.execute(
                "UPDATE change SET domain = ?, uuid = ?, asked = json_patch(asked, json(?)) WHERE id = ?",
                (name, uuid, json.dumps(added), identifier),
            )

    def promise(self, identifier: int, facts: dict[str, Any]) -> None:
        """Write down what the change `identifier` is to do later, durably (`xmand.journal.promised`)."""
        with self._use() as db:
            db.execute(
                f"UPDATE change SET asked = json_set(asked, '$.{promised.KEY}', json(?)) WHERE id = ?",  # noqa: S608
                (json.dumps(facts), identifier),
            )

    def end(
        self, identifier: int, how: Answer, uuid: str = "", *, recovered: bool = False, again: bool = False
    ) -> None:
        """Write down how a change ended, or keep that in memory until it can be; never raises JournalError."""
        with self._lock:
            self._owed[identifier] = (how, uuid, recovered, again, time.time())
        with contextlib.suppress(JournalError), self._use() as db:
            self._pay(db)

    def pending(self) -> list[Entry]:
        """Return what was begun and has no end, oldest first."""
        with self._use() as db:
            self._pay(db)
            return self._select(db, "ended IS NULL ORDER BY id", [])

    def read(self, since: float = 0.0, principal: str = "", domain: str = "", most: int = 10_000) -> list[Entry]:
        """Return the last `most` changes begun at `since` (seconds since 1970) or later, oldest first.

        `domain` is a name, as it was given, or a UUID; by its name, also what was asked of it by its UUID.
        """
        return [entry for page in self.pages(self.survey(since, principal, domain, most)) for entry in page]

    def _called(self, name: str) -> list[str]:
        """Return the UUIDs of domains that changes, or answers to changes by UUID, call `name`; the latest ones."""
        answered = "lower(domain) = uuid AND json_extract(answer, '$.done.domain') = ?"
        rows = self._ask(
            f"SELECT uuid, length(uuid) FROM change WHERE uuid <> '' AND (domain = ? OR ({answered}))"  # noqa: S608  # our own words
            " GROUP BY uuid ORDER BY max(id) DESC LIMIT ?",
            [name, name, _MOST_CALLED],
        )
        return [uuid for uuid, _octets in rows]

    def survey(
        self,
        since: float,
        principal: str,
        domain: str,
        most: int | None = None,
        most_octets: int | None = None,
        *,
        reader: str = "",
    ) -> Survey:
        """Look what there is of the same without keeping it: all, or the last ones, so many and of so many octets.

        Looked at in pages, between which others may write.
        """
        where, values = ["begun >= ?"], list[Any]((since,))
        if principal:
            where.append("principal = ?")
            values.append(principal)
        if domain:
            # Programs such as the portal name domains by their UUIDs; what they asked for is the named domain's too.
            called = self._called(domain)
            by_uuid = f" OR (lower(domain) = uuid AND uuid IN ({', '.join('?' * len(called))}))"
            where.append(f"(domain = ? OR uuid = ?{by_uuid if called else ''})")
            values += [domain, domain.lower(), *called]
        found = Survey(" AND ".join(where), tuple(values))
        before, octets = 1 << 62, 0
        while True:
            # One more than is wanted tells that there are more; words that nobody asked for are not read.
            looked = _LOOKED if most is None else min(_LOOKED, most - found.count + 1)
            rows = self._ask(
                f"SELECT id, {SIZE}, length(principal), length(domain), principal <> ? AND reason <> '' FROM change"  # noqa: S608  # our own columns
                f" WHERE {found.where} AND id < ? ORDER BY id DESC LIMIT ?",
                [reader, *values, before, looked],
            )
            for identifier, words, principals, domains, reason in rows:
                octets += words
                if found.count == most or (most_octets is not None and octets > most_octets):
                    return replace(found, more=True)
                found = replace(
                    found,
                    count=found.count + 1,
                    first=identifier,
                    last=found.last or identifier,
                    widths=(max(found.widths[0], principals), max(found.widths[1], domains)),
                    reasons=found.reasons or bool(reason),
                )
            if len(rows) < looked:
                return found
            before = rows[-1][0]

    def pages(self, found: Survey) -> Iterator[list[Entry]]:
        """Give what `survey` found, oldest first, in pages; what has gone meanwhile is not among them."""
        after = found.first - 1
        while after < found.last:
            rows = self._ask(
                f"SELECT {COLUMNS}, {SIZE} FROM change WHERE {found.where} AND id > ? AND id <= ?"  # noqa: S608
                " ORDER BY id LIMIT ?",
                [*found.values, after, found.last, _PAGE],
                _PAGE_OCTETS,
            )
            if not rows:
                return
            try:
                page = [entry_of(row[:-1]) for row in rows]
            except ValueError as error:
                raise JournalError(f"{self._directory / FILE}: {health.explain(error)}") from error
            yield page
            after = page[-1].id

    def _ask(self, query: str, values: list[Any], most_octets: int | None = None) -> list[tuple[Any, ...]]:
        """Return rows, as far as they are of so many octets together (the last column) and at least one."""
        rows: list[tuple[Any, ...]] = []
        octets = 0
        with self._use() as db:
            self._pay(db)
            for row in db.execute(query, values):
                octets += row[-1]
                if most_octets is not None and rows and octets > most_octets:
                    break
                rows.append(row)
        return rows

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    @contextlib.contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        """Give the open file; what was done is committed at the end, or nothing of it."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
            except JournalFullError as error:
                raise JournalError(str(error)) from error
            except (sqlite3.Error, OSError, ValueError) as error:
                self._close()
                raise JournalError(f"{self._directory / FILE}: {health.explain(error)}") from error
            finally:
                if self._connection is not None and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / FILE
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        health.require_file(path)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            # A second xmand on the same file would settle what the first one still does: it must not get in.
            for pragma in (
                "locking_mode = EXCLUSIVE",
                "journal_mode = WAL",
                "synchronous = FULL",
                f"wal_autocheckpoint = {log_pages(self._most_octets)}",
            ):
                connection.execute(f"PRAGMA {pragma}")
            if not health.require_ours(connection):
                self._begin_anew()
            connection.execute(_TABLE)
            connection.execute(_CLOCK)
            self._clock.opened(connection)
            connection.execute("CREATE INDEX IF NOT EXISTS change_ended ON change (ended)")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version < SCHEMA_VERSION:
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._shares.count(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_anew(self) -> None:
        said = health.begun_anew(self._directory)
        if said:
            logger.error("%s", said)
            self._news = said

    def news(self) -> str:
        """Return, once, what is to be told of the file itself; else nothing."""
        with self._lock:
            said, self._news = self._news, ""
            return said

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _insert(self, db: sqlite3.Connection, change: Change) -> Begun:
        asked = json.dumps(change.asked, separators=(",", ":"))
        cursor = db.execute(
            "INSERT INTO change (principal, rid, digest, peer, verb, domain, reason, asked, begun)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                change.principal,
                change.rid,
                change.digest,
                change.peer,
                change.verb,
                change.domain,
                change.reason,
                asked,
                time.time(),
            ),
        )
        assert cursor.lastrowid is not None  # noqa: S101  # an INSERT has one
        return Begun(cursor.lastrowid)

    def _pay(self, db: sqlite3.Connection) -> None:
        """Write down the answers that are owed."""
        for identifier, (how, uuid, recovered, again, when) in list(self._owed.items()):
            text = how.dumps()
            self._shares.ends(db, identifier, len(text))
            db.execute(
                "UPDATE change SET ended = ?, code = ?, answer = ?, recovered = ?, again = ?,"
                " uuid = CASE WHEN ? = '' THEN uuid ELSE ? END WHERE id = ?",
                (when, how.code, text, recovered, again, uuid, uuid, identifier),
            )
            del self._owed[identifier]

    def _select(self, db: sqlite3.Connection, rest: str, parameters: list[Any]) -> list[Entry]:
        return [entry_of(row) for row in db.execute(f"SELECT {COLUMNS} FROM change WHERE {rest}", parameters)]  # noqa: S608

    def _tidy(self, db: sqlite3.Connection) -> None:
        """Forget what is too old. What has not ended stays."""
        oldest = self._clock.today(db) - self._keep_seconds
        if db.execute("DELETE FROM change WHERE ended < ?", (oldest,)).rowcount > 0:
            self._shares.count(db)
