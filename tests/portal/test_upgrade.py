"""Versions of the schema: databases of earlier releases, and several processes that start together."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import Script
from sqlalchemy import Engine, create_engine, func, inspect, select, text
from sqlalchemy.pool import NullPool

from rxmweb import db
from rxmweb.db import fleet, report, schema, upgrade
from rxmweb.db.search import Query, listing
from tests.portal.reports import domain, job, line

NOW = 1_795_248_000.0


@pytest.fixture
def fresh(engine: Engine) -> Engine:
    """A database in which nothing has been made yet."""
    with engine.begin() as connection:
        for name in reversed(inspect(connection).get_table_names()):
            cascade = "CASCADE" if engine.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TABLE {name} {cascade}"))
    # Another one: an open connection of SQLite's may remember tables.
    return create_engine(engine.url, poolclass=NullPool)


def address(engine: Engine) -> str:
    """Return what the configuration would have."""
    return engine.url.render_as_string(hide_password=False).replace("+psycopg", "")


def first_release() -> Any:
    """Return the tables of the release of 2026-11-21."""
    step = upgrade.steps().get_revision("0001")
    assert isinstance(step, Script)
    return step.module.metadata


def of_the_first_release(engine: Engine) -> None:
    """Make the database as that release did, with a host, a machine and who owns a job in it."""
    tables = first_release().tables
    first_release().create_all(engine)
    one = report.read(line("h1", domain("vm1", 1, "running", jobs=[job(7, "bob@R")])))
    old = {column.name for column in tables["domains"].columns}
    with engine.begin() as connection:
        connection.execute(tables["hosts"].insert().values(name="h1", position=0, received=NOW, code=0))
        for row in one.domains:
            kept = {key: value for key, value in row.items() if key in old}
            connection.execute(tables["domains"].insert().values(**kept))
            connection.execute(tables["owners"].insert().values(host="h1", uuid=row["uuid"], owner="bob@R"))


def revision(engine: Engine) -> str | None:
    """Return the version that the database says it has."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def names(engine: Engine) -> list[Any]:
    """Return the machines that bob sees."""
    with engine.connect() as connection:
        return [row["name"] for row in listing(connection, Query(owner="bob@R"), 60.0, NOW).rows]


def test_the_steps_lead_to_the_tables_that_the_code_has(engine: Engine) -> None:
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert difference == []
    assert revision(engine) == upgrade.steps().get_current_head()


def test_a_database_of_the_first_release_is_brought_up_to_date(fresh: Engine) -> None:
    of_the_first_release(fresh)

    db.open_store(address(fresh)).dispose()

    assert revision(fresh) == upgrade.steps().get_current_head()
    assert names(fresh) == ["vm1"]
    fleet.take(fresh, [report.read(line("h1", domain("vm2", 2, jobs=[job(8, "bob@R")])))], NOW)
    assert names(fresh) == ["vm2"]


def test_the_release_before_can_go_on_beside_it(fresh: Engine) -> None:
    """It only knows its own columns: whatever was added is nothing that it would have to say."""
    db.open_store(address(fresh)).dispose()

    of_the_first_release(fresh)

    assert names(fresh) == ["vm1"]


def test_several_that_start_together_find_one_schema(fresh: Engine) -> None:
    of_the_first_release(fresh)
    failures: list[BaseException] = []

    def start() -> None:
        try:
            db.open_store(address(fresh)).dispose()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert names(fresh) == ["vm1"]
    with fresh.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_who_begins_with_a_database_that_another_one_begins_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits for nobody where it is to write ahead."""
    file = tmp_path / "rxmweb.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE theirs (one INTEGER)")
    monkeypatch.setattr(
        "rxmweb.db.upgrade.time.sleep", lambda _seconds: other.in_transaction and other.execute("COMMIT")
    )

    engine = db.open_store(f"sqlite:///{file}")

    assert {"theirs", "hosts"} <= set(inspect(engine).get_table_names())
    engine.dispose()
    other.close()


def test_a_later_releases_schema_is_left_as_it_is(fresh: Engine) -> None:
    db.open_store(address(fresh)).dispose()
    with fresh.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    db.open_store(address(fresh)).dispose()

    assert revision(fresh) == "9999"


def test_a_step_that_fails_changes_nothing(fresh: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    of_the_first_release(fresh)
    script = upgrade.steps()
    last = script.get_revision("head")
    assert isinstance(last, Script)

    def fail() -> None:
        op.execute("CREATE TABLE half (done INTEGER)")
        op.execute("no SQL at all")

    monkeypatch.setattr(last.module, "upgrade", fail)
    monkeypatch.setattr(upgrade, "steps", lambda: script)

    with pytest.raises(db.StoreError, match="cannot be used"):
        db.open_store(address(fresh))

    assert revision(fresh) is None
    with fresh.connect() as connection:
        assert "half" not in inspect(connection).get_table_names()
        assert connection.execute(select(func.count()).select_from(schema.owners)).scalar_one() == 1
