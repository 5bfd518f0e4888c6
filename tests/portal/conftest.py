"""For the portal's tests: databases (SQLite, and PostgreSQL where it can be had), and what drives browsers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright
from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import schema
from tests.lab.portal import postgres
from tests.lab.process import kept


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Postgres]:
    """A PostgreSQL server of our own."""
    with kept():
        server = postgres.Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_database(postgresql: postgres.Postgres) -> str:
    """The address of one database on it: making one takes longer than most tests."""
    return postgresql.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database, of each kind that is served."""
    if request.param == "sqlite":
        opened = db.open_store(f"sqlite:///{tmp_path / 'portal.db'}")
    else:
        opened = db.open_store(request.getfixturevalue("shared_database"))
        with opened.begin() as connection:
            for table in reversed(schema.metadata.sorted_tables):
                connection.execute(table.delete())
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives browsers; there can be one at a time."""
    with sync_playwright() as started:
        yield started
