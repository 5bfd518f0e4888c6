"""The database: SQLite, or PostgreSQL by its DSN."""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from rxmweb.db import upgrade
from xman.errors import ConfigurationError, HypervisorError
from xman.throttle import Throttle

# A page is read while the collector writes; SQLite lets one writer at a time in, each for some milliseconds.
_BUSY_SECONDS = 15
# A connection that was used a moment ago is believed to be there.
_RESTED_SECONDS = 1.0
_RESTS = "rests since"
# A full disk is met at each look, several times a second, and the log lies on one as well.
_MOST_LINES, _MOST_LINES_IN_ALL, _LINES_SECONDS = 5, 20, 60.0
_lines = Throttle(_MOST_LINES, _MOST_LINES_IN_ALL, _LINES_SECONDS)
_saying = threading.Lock()


class StoreError(HypervisorError):
    """The database cannot be used; the message holds its own words."""


def open_store(dsn: str, *, kept_open: bool = False) -> Engine:
    """Open the database, and bring its schema up to date. With `kept_open`, connections are used again.

    Raises ConfigurationError and StoreError.
    """
    try:
        url = make_url(dsn)
    except ArgumentError as error:
        raise ConfigurationError(
            f"database: '{dsn}' is not a database's address (sqlite:///PATH, postgresql://...)"
        ) from error
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ConfigurationError(f"database: {kind} is not served; use sqlite:///PATH or postgresql://...")
    if kind == "postgresql":
        # psycopg is what is in Debian and kept; another driver in the address would be another dependency.
        engine = _pooled(url.set(drivername="postgresql+psycopg"))
    else:
        if url.database and url.database != ":memory:":
            _make_private(Path(url.database))
        kind_of_pool = QueuePool if kept_open and url.database else NullPool
        engine = create_engine(url, poolclass=kind_of_pool, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        upgrade.upgrade(engine)
    except (SQLAlchemyError, CommandError) as error:
        engine.dispose()
        raise StoreError(f"the database cannot be used: {plain(error)}") from error
    return engine


def reading(engine: Engine) -> Engine:
    """Return the same database for who only asks.

    PostgreSQL hears of no transaction then, two packets less each time, and its connections are kept apart, since each
    that changed between the two would have to be told. What is asked for one after another may be of different
    moments, as it may be in its transactions.
    """
    if engine.name != "postgresql":
        return engine
    return _pooled(engine.url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)


def _pooled(url: URL, **how: Any) -> Engine:
    """Return PostgreSQL with connections that are used again, as long as the server is there."""
    engine = create_engine(url, pool_size=5, max_overflow=10, **how)
    event.listen(engine, "checkin", _rests)
    event.listen(engine, "checkout", _still_there)
    return engine


def plain(error: Exception) -> str:
    """Return the database's own words in one line, without SQLAlchemy's around them."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def complain(logger: logging.Logger, error: SQLAlchemyError) -> None:
    """Log that the database cannot be used, a few times a minute; what is more is counted."""
    text = plain(error)
    with _saying:
        more, _kinds = _lines.held(time.monotonic())
        passes = _lines.passes(text)
    if more:
        logger.error("the database could not be used: %d more lines like these", more)
    if passes:
        logger.error("the database cannot be used: %s", text)


def _make_private(path: Path) -> None:
    """Make the file, which has people's names in it, for its owner only; SQLite gives its journal the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError(f"the database cannot be used: {path}: {error.strerror}") from error


def _rests(_connection: Any, record: Any) -> None:
    record.info[_RESTS] = time.monotonic()


def _still_there(connection: Any, record: Any, _proxy: object) -> None:
    """Ask the server whether a connection that has rested is still there; SQLAlchemy opens another one where not."""
    if time.monotonic() - record.info.get(_RESTS, time.monotonic()) < _RESTED_SECONDS:
        return
    try:
        usual, connection.autocommit = connection.autocommit, True
        connection.execute("")
        connection.autocommit = usual
    except connection.Error as error:
        raise DisconnectionError from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Readers and the writer do not wait for each other in WAL mode; a report lost in a power cut comes again.
    upgrade.write_ahead(connection, _BUSY_SECONDS)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
