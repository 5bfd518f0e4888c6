"""What hosts said, on its way into the tables (`rxmweb.db.written`): what has changed, and many hosts' together."""

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from rxmweb.db import fleet, report, schema, written
from rxmweb.db.report import Report
from rxmweb.db.reported import Packed, Reported
from tests.portal.reports import UUID, domain, job, line
from xman import outcome

NOW = 1_795_248_000.0


def uuid(number: int) -> str:
    """Return the UUID that `domain` makes of a number."""
    return f"{UUID[:24]}{number:012d}"


def whole(host: str, *domains: dict[str, Any]) -> Reported:
    """Return a report of all domains of a host."""
    return Reported(report.read(line(host, *domains)), True, (), True)


def changed(host: str, *domains: dict[str, Any], gone: tuple[str, ...] = ()) -> Reported:
    """Return a report of those that have changed, and of the UUIDs of those that have left."""
    return Reported(report.read(line(host, *domains)), False, gone, bool(domains) or bool(gone))


def write(engine: Engine, *found: Reported) -> list[str]:
    """Write reports; return how each statement began that was not only a question."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: object) -> None:
        if not statement.startswith("SELECT"):
            statements.append(" ".join(statement.split()[:3]))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with engine.begin() as connection:
            written.write(connection, found, NOW)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return statements


def states(engine: Engine, host: str) -> dict[str, str]:
    """Return the states of a host's domains by their names."""
    with engine.connect() as connection:
        chosen = select(schema.domains.c.name, schema.domains.c.state).where(schema.domains.c.host == host)
        return {row[0]: row[1] for row in connection.execute(chosen)}


@pytest.fixture
def hosts(engine: Engine) -> Engine:
    """The tables with 120 hosts in them."""
    fleet.configure(engine, [f"h{number}" for number in range(120)], {})
    return engine


def test_what_one_host_said_is_written_in_its_order(hosts: Engine) -> None:
    write(
        hosts,
        whole("h1", domain("a", 1), domain("b", 2)),
        whole("h0", domain("z", 9)),
        changed("h1", domain("b", 2, "running", jobs=[job(1, "bob@R")]), domain("c", 3)),
        changed("h1", gone=(uuid(1), uuid(7))),
    )

    assert states(hosts, "h1") == {"b": "running", "c": "free"}
    assert states(hosts, "h0") == {"z": "free"}


def test_of_everything_only_what_has_changed_is_written(hosts: Engine) -> None:
    write(hosts, whole("h1", domain("a", 1), domain("b", 2, jobs=[job(1, "bob@R")]), domain("c", 3)))
    again = whole("h1", domain("a", 1), domain("b", 2, jobs=[job(1, "bob@R")]), domain("c", 3))

    assert write(hosts, again) == ["UPDATE hosts SET"]
    assert write(hosts, whole("h1", domain("a", 1, "running"), domain("b", 2, jobs=[job(1, "bob@R")]))) == [
        "UPDATE hosts SET",
        "DELETE FROM domains",
        "INSERT INTO domains",
    ]
    assert states(hosts, "h1") == {"a": "running", "b": "free"}


def test_many_hosts_take_no_more_statements_than_one(hosts: Engine) -> None:
    one = write(hosts, whole("h0", domain("a", 1, jobs=[job(1, "bob@R")], labels={"a": "b"})))
    many = [whole(f"h{number}", domain("a", 1, jobs=[job(1, "bob@R")], labels={"a": "b"})) for number in range(1, 41)]

    assert write(hosts, *many) == one
    assert write(hosts, *(changed(f"h{number}") for number in range(120))) == ["UPDATE hosts SET"]


def test_more_than_go_into_one_statement_are_all_written(hosts: Engine) -> None:
    write(hosts, *(whole(f"h{number}", domain("a", 1), domain("b", 2)) for number in range(120)))

    assert all(states(hosts, f"h{number}") == {"a": "free", "b": "free"} for number in range(120))


def test_one_that_is_configured_no_more_costs_the_others_nothing(hosts: Engine) -> None:
    write(hosts, whole("gone", domain("a", 1)), whole("h1", domain("a", 1)))

    assert (states(hosts, "gone"), states(hosts, "h1")) == ({}, {"a": "free"})


def test_a_failure_beside_what_others_said(hosts: Engine) -> None:
    failed = Reported(Report("h1", outcome.UNREACHABLE, "no answer in time."), False, (), True)
    ahead = whole("h1", domain("a", 1))
    write(hosts, replace(ahead, report=replace(ahead.report, age=-3600.0)))

    write(hosts, whole("h2", domain("a", 1)), failed)

    with hosts.connect() as connection:
        first, second = (fleet.host(connection, name) for name in ("h1", "h2"))
    assert first is not None
    assert second is not None
    # A clock that was ahead keeps it fresh no longer.
    assert (first["code"], first["problem"], first["received"]) == (outcome.UNREACHABLE, "no answer in time.", NOW)
    assert (second["code"], second["received"]) == (outcome.OK, NOW)


def test_a_report_that_waits_is_the_same_when_it_is_written() -> None:
    said = whole("h1", domain("a", 1, "running", jobs=[job(1, "bob@R")]), domain("ž", 2))

    packed = Packed.of(said)

    assert packed.unpacked() == said
    assert packed.domains == 2
    assert packed.without_news().unpacked() == said.without_news()


def test_a_report_that_waits_takes_a_tenth_of_its_memory() -> None:
    """All hosts report at once when their collector begins anew, faster than that can be written."""
    tracemalloc.start()
    packed = [Packed.of(whole("h1", *(domain(f"vm{number}", number) for number in range(20)))) for _host in range(20)]
    (waiting, _peak) = tracemalloc.get_traced_memory()
    said = [one.unpacked() for one in packed]
    (all_of_it, _peak) = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(said) == 20
    assert waiting < (all_of_it - waiting) / 5
