"""What `rxmweb check` finds of the database: it is neither made nor brought up to date here."""

import os
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import db
from rxmweb.check import files
from rxmweb.check.user import own_name
from rxmweb.db import upgrade
from xman import keytab
from xman.finding import BAD, NOTE, OK, Finding

_SECONDS = 10.0


def check(dsn: str) -> Finding:
    """Can it be used, by a start that brings its schema up to date?"""
    remedy = "is its address right, and may this user open it?"
    try:
        url = make_url(dsn)
        kind = url.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            return BAD, f"database: {kind} is not served; use sqlite:///PATH or postgresql://..."
        if kind == "sqlite" and (found := _file(url)) is not None:
            return found
        if kind == "postgresql":
            remedy = "is its address right, does it run, and may this user log in?"
            url = url.set(drivername="postgresql+psycopg").update_query_dict({"connect_timeout": f"{_SECONDS:.0f}"})
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                # Read, and not only opened: SQLite opens any file.
                inspect(connection).get_table_names()
                problem = _unwritable(connection) if kind == "postgresql" else ""
                revision = upgrade.revision(connection)
        finally:
            engine.dispose()
    except ImportError as error:
        return BAD, f"database: {error.name} is not installed; install python3-psycopg, or pip's xman[postgresql]"
    except (SQLAlchemyError, OSError) as error:
        return BAD, f"database: {db.plain(error)}; {remedy}"
    if problem:
        return BAD, f"database: {problem}"
    if revision is not None and revision not in upgrade.known():
        return NOTE, f"database: a later release has been here (schema {revision}); it is used as it is"
    return OK, f"database: {dsn.partition('@')[2] or dsn}"


def _file(url: URL) -> Finding | None:
    """Say what is to be said of SQLite's file before it is opened; None where it can be."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return BAD, "database: it is in memory, where each process has one of its own; write sqlite:////ABSOLUTE/PATH"
    path = Path(url.database)
    if not path.is_absolute():
        return BAD, f"database: '{path}' is relative; write the whole path behind three slashes, sqlite:////PATH"
    # Beside it stands its journal.
    kind, line = files.writable("database", str(path.parent))
    if kind != OK:
        return kind, line
    if not path.exists():
        return OK, f"database: {path}, which the portal will create"
    if keytab.is_no_file(str(path)):
        return BAD, f"database: {path} is not a file; move it away, or name the file"
    for each in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", "-journal"))):
        if each.exists() and not os.access(each, os.R_OK | os.W_OK):
            return BAD, f"database: {each} cannot be written by this user ({own_name()}); chown it to the portal's user"
    return None


def _unwritable(connection: Connection) -> str:
    """Return why a start could not bring PostgreSQL's schema up to date; empty where it could."""
    if connection.execute(text("SHOW transaction_read_only")).scalar() == "on":
        return "it can only be read: it is a standby, or default_transaction_read_only is set; name the primary"
    may = "SELECT current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE')"
    if not connection.execute(text(may)).scalar():
        return "its user may not create tables; make it the database's owner (ALTER DATABASE ... OWNER TO ...)"
    return ""
