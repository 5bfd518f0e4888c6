"""Versions of the schema: an older database is brought up to date at start, by Alembic's steps in `versions`.

A step only adds (tables, columns that may be NULL or have a default, indexes), so that the release before goes on
working beside it; what nobody uses any more is removed a release later. Of several processes that start together one
takes the steps, under a lock, and the others find them taken. All steps of a start are one transaction.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

logger = logging.getLogger(__name__)

# Of PostgreSQL's advisory locks; a number of our own choice.
_LOCK = 0x786D616E
# How long a start waits for another one's steps. Adding an index to millions of rows takes a minute.
_SECONDS = 300.0
_AGAIN_SECONDS = 0.05


def steps() -> ScriptDirectory:
    """Return the steps that this release knows."""
    configured = Config()
    # Read as this package's own files, also where it was installed without its sources' folder.
    configured.set_main_option("script_location", "rxmweb.db:versions")
    configured.set_main_option("version_locations", "rxmweb.db:versions")
    configured.set_main_option("path_separator", "space")
    return ScriptDirectory.from_config(configured)


def known() -> frozenset[str]:
    """Return the names of those steps."""
    return frozenset(step.revision for step in steps().walk_revisions())


def upgrade(engine: Engine, to: str = "head") -> None:
    """Take the steps that the database lacks. Raises SQLAlchemyError; then nothing has changed."""
    script = steps()
    with engine.connect() as connection:
        if revision(connection) == script.get_current_head() and to == "head":
            return
    with _alone(engine) as connection:
        found = revision(connection)
        if found is not None and found not in known():
            # A later release has been here. It has only added, and this one goes on with what it knows.
            logger.warning("the database has a later release's schema (%s); it is used as it is", found)
            return
        with EnvironmentContext(
            Config(), script, fn=lambda revision, _context: _taken(script, to, revision), destination_rev=to
        ) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            environment.run_migrations()
        logger.info("the database's schema is %s", revision(connection))


def _taken(script: ScriptDirectory, to: str, revision: Any) -> Any:
    return script._upgrade_revs(to, revision)


def revision(connection: Connection) -> str | None:
    """Return the step that the database has come to; None where it has taken none."""
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction while no other start has one."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{_SECONDS:.0f}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection
        return
    own = create_engine(engine.url, poolclass=NullPool, connect_args={"timeout": _SECONDS})
    event.listen(own, "connect", _manual)
    event.listen(own, "begin", _begin)
    try:
        with own.begin() as connection:
            yield connection
    finally:
        own.dispose()


def write_ahead(connection: Any, seconds: float) -> None:
    """Let SQLite's `connection` write ahead, if the database does not yet, waiting for others that are at it.

    SQLite itself waits for nobody there: of two that start with a new database one was told that it is locked.
    Raises sqlite3.OperationalError after so many seconds.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _manual(connection: Any, _record: object) -> None:
    # Python's module would begin no transaction before a CREATE. Without foreign keys, since Alembic changes a table by
    # copying it, and dropping the old one would delete all that refers to it.
    connection.isolation_level = None
    write_ahead(connection, _SECONDS)
    connection.execute("PRAGMA foreign_keys=OFF").close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
