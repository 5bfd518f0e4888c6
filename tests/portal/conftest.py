"""For the portal's tests: databases (SQLite, and PostgreSQL where it can be had), and what drives browsers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright
from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import schema
from tests.lab.kerberos.realm import Realm
from tests.lab.portal import postgres
from tests.lab.process import kept
from tests.portal.made_up import MadeUp


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


@pytest.fixture(scope="module")
def made_up(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeUp]:
    """A portal with a made-up fleet, one for a module."""
    made = MadeUp(realm, tmp_path_factory.mktemp("pages"))
    yield made
    made.stop()
    assert "Traceback" not in made.portal.said()


@pytest.fixture(scope="module")
def browsing(made_up: MadeUp, playwright: Playwright) -> Iterator[BrowserContext]:
    """There the browser of who sees and may all, which is the terminal with a machine as well."""
    context = made_up.enter(playwright)
    made_up.sit_down(context)
    yield context
    if context.browser is not None:
        context.browser.close()


@pytest.fixture
def page(made_up: MadeUp, browsing: BrowserContext) -> Iterator[Page]:
    """A page in that browser, at the table."""
    opened = browsing.new_page()
    opened.goto(f"{made_up.url}/")
    expect(opened.locator("html.script")).to_have_count(1)
    yield opened
    opened.close()
