"""Hosts that report, in the tables: who is shown, who is asked, and ten thousand of them."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, update
from sqlalchemy.exc import OperationalError

from rxmweb import db
from rxmweb.db import changes, fleet, reporters, sessions, written
from rxmweb.db.report import NotAReportError
from rxmweb.db.schema import domains, groups, hosts
from rxmweb.db.schema import reporters as table
from rxmweb.worker import reports as worker_reports
from rxmweb.worker.reports import Reports
from tests.portal.reports import domain
from xman import result
from xman.result import Result
from xman.throttle import Throttle

INTERVAL = 60.0
# A PostgreSQL of the tests' own is slower by the statement; what is looked at there is that they are the right ones.
MANY = {"sqlite": 10_000, "postgresql": 500}


def reports(engine: Engine, *configured: str) -> Reports:
    """Return what takes reports, of a portal that knows these hosts."""
    fleet.configure(engine, list(configured), {})
    made = Reports(engine, INTERVAL, {name.lower(): name for name in configured}.get)
    made.look()
    return made


def said(*rows: dict[str, Any], whole: bool = True, gone: tuple[str, ...] = (), **condition: object) -> bytes:
    """Return a report."""
    left = [{"name": "x", "uuid": uuid} for uuid in gone]
    data = {"host_id": "h", "domains": list(rows), "others": [], "whole": whole} | ({"gone": left} if left else {})
    envelope = result.succeeded("h", "state", Result(data), 0)
    if condition:
        envelope["condition"] = {"name": "h", "state": "up"} | condition
    return json.dumps(envelope).encode()


def take(made: Reports, name: str, octets: bytes, *, begins: bool = False) -> Any:
    """Have a report taken and written; return the answer."""
    answer = made.take(name, f"host/{name}@R", "192.0.2.1", octets, begins)
    made.write(made.collected())
    return answer


def names(engine: Engine, host: str) -> set[str]:
    """Return the machines of a host that the tables have."""
    with engine.connect() as connection:
        return set(connection.execute(select(domains.c.name).where(domains.c.host == host)).scalars())


def row(engine: Engine, host: str) -> dict[str, Any]:
    """Return a host's row."""
    with engine.connect() as connection:
        found = fleet.host(connection, host)
    assert found is not None
    return found


def asked_in_a_round(engine: Engine, now: float) -> tuple[list[str], list[str]]:
    """Return whom a round asks, and who is asked because of silence."""
    with engine.connect() as connection:
        known = list(connection.execute(select(hosts.c.name).order_by(hosts.c.name)).scalars())
        return reporters.polled(connection, known, INTERVAL, now), reporters.silent(connection, INTERVAL, now)


def test_a_configured_host_is_known_by_its_name_in_any_case(engine: Engine) -> None:
    made = reports(engine, "Skirit80.example.org", "other")

    take(made, "skirit80.example.org", said(domain("vm1", 1, "free")), begins=True)

    assert names(engine, "Skirit80.example.org") == {"vm1"}
    assert asked_in_a_round(engine, time.time()) == (["other"], [])


def test_changes_are_written_row_by_row(engine: Engine) -> None:
    made = reports(engine, "h1")
    first, second = domain("vm1", 1, "free"), domain("vm2", 2, "free")
    take(made, "h1", said(first, second), begins=True)

    take(made, "h1", said(domain("vm3", 3, "free"), first | {"name": "new"}, whole=False, gone=(second["uuid"],)))

    assert names(engine, "h1") == {"new", "vm3"}


def test_of_what_a_host_said_of_its_machines_in_one_go_only_the_last_is_written(engine: Engine) -> None:
    made = reports(engine, "h1")
    inserted: list[int] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith("INSERT INTO domains"):
            inserted.append(len(parameters) if many else 1)

    event.listen(engine, "before_cursor_execute", note)
    for state in ("free", "running", "down"):
        made.take("h1", "host/h1@R", "192.0.2.1", said(*[domain(f"vm{n}", n, state) for n in range(3)]), False)
    made.take("h1", "host/h1@R", "192.0.2.1", said(domain("vm9", 9, "free"), whole=False, nr_cpus=7), False)
    made.take("h1", "host/h1@R", "192.0.2.1", said(domain("vm1", 1, "free"), domain("vm2", 2, "free")), False)
    made.write(made.collected())

    assert names(engine, "h1") == {"vm1", "vm2"}
    assert sum(inserted) == 2
    assert row(engine, "h1")["cpus"] == 7, "what it said of itself is not lost"


def test_others_who_write_have_their_turns_where_hosts_say_much(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = reports(engine, "h1", "h2", "h3")
    monkeypatch.setattr(worker_reports, "_MOST_ROWS", 2)
    monkeypatch.setattr(worker_reports, "_HELD_SECONDS", -1.0)
    seen: list[set[str]] = []

    def let_in(_seconds: float) -> None:
        # Another one's transaction, which would wait for ours until it is given up.
        sessions.begin(engine, "alice@R", "portal", "", "", 60.0)
        seen.append(names(engine, "h1") | names(engine, "h2") | names(engine, "h3"))

    monkeypatch.setattr(time, "sleep", let_in)
    for host in ("h1", "h2", "h3"):
        rows = [domain(f"{host}-{n}", n, "free") for n in range(3)]
        made.take(host, f"host/{host}@R", "192.0.2.1", said(*rows), True)
    made.write(made.collected())

    assert [len(each) for each in seen] == [0, 3, 6]
    assert len(names(engine, "h3")) == 3


def test_what_was_not_written_is_asked_for_again_and_nothing_else(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = reports(engine, "h1", "h2")
    monkeypatch.setattr(worker_reports, "_MOST_ROWS", 1)
    write, calls = written.write, []

    def fails(connection: Any, found: Any, now: float) -> None:
        calls.append(found)
        if len(calls) == 2:
            raise OperationalError("", {}, Exception("database is locked"))
        write(connection, found, now)

    monkeypatch.setattr(written, "write", fails)
    for host in ("h1", "h2"):
        made.take(host, f"host/{host}@R", "192.0.2.1", said(domain(f"{host}-1", 1, "free")), True)
    made.write(made.collected())
    made.look()

    asked = {
        host: made.take(host, f"host/{host}@R", "192.0.2.1", said(whole=False), False).everything
        for host in ("h1", "h2")
    }

    assert asked == {"h1": False, "h2": True}


def test_a_full_disk_is_said_a_few_times_and_all_is_asked_for_once_there_is_room(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = reports(engine, "h1")
    monkeypatch.setattr(db, "_lines", Throttle(db._MOST_LINES, db._MOST_LINES_IN_ALL, db._LINES_SECONDS))

    def fails(*_all: Any) -> None:
        raise OperationalError("", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(written, "write", fails)
        take(made, "h1", said(domain("vm1", 1, "free")), begins=True)
        while_full = [take(made, "h1", said(domain("vm1", 1, "free"))).everything for _number in range(30)]
    asked = take(made, "h1", said(whole=False)).everything
    take(made, "h1", said(domain("vm1", 1, "free")))

    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["the database cannot be used: database or disk is full"] * 5
    assert (while_full, asked, names(engine, "h1")) == ([False] * 30, True, {"vm1"})


def test_one_that_reports_to_two_collectors_at_once_is_told_of(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = reports(engine, "h1", "h2"), reports(engine, "h1", "h2")

    def says(made: Reports, host: str, address: str, *, begins: bool = False) -> None:
        made.take(host, f"host/{host}@R", address, said(whole=begins), begins)
        made.write(made.collected())

    # Another machine has the key of the one; the other one goes to the second collector, and comes back.
    says(first, "h1", "192.0.2.1", begins=True)
    says(second, "h1", "192.0.2.66", begins=True)
    says(first, "h2", "192.0.2.2", begins=True)
    says(second, "h2", "192.0.2.3", begins=True)
    says(second, "h2", "192.0.2.3")
    says(first, "h2", "192.0.2.2", begins=True)
    says(first, "h2", "192.0.2.2")
    assert not caplog.records

    says(first, "h1", "192.0.2.1")
    says(first, "h1", "192.0.2.1")

    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("h1 reports from 192.0.2.1, and to another collector from 192.0.2.66; where that goes on,")


def test_how_a_host_is_stands_in_its_row(engine: Engine) -> None:
    made = reports(engine, "h1")

    take(made, "h1", said(begins=True, total_memory=8, free_memory=4, nr_cpus=2, load=[1.5, 1, 1]), begins=True)

    found = row(engine, "h1")
    assert (found["memory"], found["memory_free"], found["cpus"], found["load"]) == (8, 4, 2, 1.5)
    assert abs(found["clock"]) < 60
    assert json.loads(found["condition"])["state"] == "up"


def test_what_is_no_condition_is_not_kept(engine: Engine) -> None:
    made = reports(engine, "h1")

    take(made, "h1", said(domain("vm1", 1, "free"), total_memory="<script>"), begins=True)

    assert row(engine, "h1")["condition"] is None
    assert names(engine, "h1") == {"vm1"}


def test_one_that_nobody_knows_waits_and_says_everything_once_it_is_accepted(engine: Engine) -> None:
    made = reports(engine, "h1")
    short = take(made, "new", said(domain("vm1", 1, "free")), begins=True)
    with engine.connect() as connection:
        assert [one["name"] for one in reporters.waiting(connection, 10)] == ["new"]
    assert short.seconds <= 2
    assert names(engine, "new") == set()

    assert reporters.decide(engine, "new", reporters.ACCEPTED, "alice@R")

    made.look()
    assert take(made, "new", said(whole=False)).everything
    assert not take(made, "new", said(domain("vm1", 1, "free"))).everything
    assert names(engine, "new") == {"vm1"}
    # A portal that is started again has it still.
    fleet.configure(engine, ["h1"], {})
    assert names(engine, "new") == {"vm1"}


def test_one_that_is_turned_away_is_gone_with_its_machines(engine: Engine) -> None:
    made = reports(engine)
    take(made, "new", said(), begins=True)
    reporters.decide(engine, "new", reporters.ACCEPTED, "alice@R")
    made.look()
    take(made, "new", said(domain("vm1", 1, "free")), begins=True)

    assert reporters.decide(engine, "new", reporters.REFUSED, "alice@R")

    made.look()
    take(made, "new", said(domain("vm1", 1, "free")), begins=True)
    assert names(engine, "new") == set()
    assert asked_in_a_round(engine, time.time()) == ([], [])


def test_one_that_is_configured_no_more_has_to_be_accepted(engine: Engine) -> None:
    made = reports(engine, "h1")
    take(made, "h1", said(), begins=True)
    assert not reporters.decide(engine, "h1", reporters.REFUSED, "alice@R")

    fleet.configure(engine, [], {})

    with engine.connect() as connection:
        assert [one["name"] for one in reporters.waiting(connection, 10)] == ["h1"]


def test_silence_is_asked_about_once_and_again_only_where_that_was_answered(engine: Engine) -> None:
    made = reports(engine, "h1")
    take(made, "h1", said(), begins=True)
    now = time.time() + 3 * INTERVAL + 1
    assert asked_in_a_round(engine, now) == (["h1"], ["h1"])

    reporters.asked(engine, ["h1"], now)

    assert asked_in_a_round(engine, now) == (["h1"], [])
    with engine.begin() as connection:
        connection.execute(update(hosts).values(code=6))
    assert asked_in_a_round(engine, now) == ([], [])
    # It was heard of again, and then not any more.
    take(made, "h1", said(), begins=True)
    with engine.begin() as connection:
        connection.execute(update(table).values(seen=now + 10))
    assert asked_in_a_round(engine, now + 20 * INTERVAL) == (["h1"], ["h1"])


def test_after_silence_in_one_connection_everything_is_wanted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reports(engine, "h1")
    take(made, "h1", said(domain("vm1", 1, "free")), begins=True)
    later = time.time() + 4 * INTERVAL
    monkeypatch.setattr(time, "time", lambda: later)

    assert take(made, "h1", said(whole=False)).everything


def test_a_libvirt_that_is_away_is_told(engine: Engine) -> None:
    made = reports(engine, "h1")
    take(made, "h1", said(domain("vm1", 1, "free")), begins=True)

    failure = result.failed("h", "state", None, 8, "libvirt does not respond.")
    take(made, "h1", json.dumps(failure | {"condition": {"name": "h", "state": "no-libvirt"}}).encode())

    assert (row(engine, "h1")["code"], names(engine, "h1")) == (8, {"vm1"})
    assert json.loads(row(engine, "h1")["condition"])["state"] == "no-libvirt"


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b'{"host":1}', b"[" * 10_000, b"\xff"])
def test_what_is_no_report(engine: Engine, octets: bytes) -> None:
    made = reports(engine, "h1")

    with pytest.raises(NotAReportError):
        take(made, "h1", octets, begins=True)


def test_a_sign_of_life_makes_no_page_anew(engine: Engine) -> None:
    made = reports(engine, "h1")
    take(made, "h1", said(domain("vm1", 1, "free")), begins=True)
    with engine.connect() as connection:
        before = changes.number(connection, changes.FLEET)
    received = row(engine, "h1")["received"]

    take(made, "h1", said(whole=False))

    with engine.connect() as connection:
        assert changes.number(connection, changes.FLEET) == before
    assert row(engine, "h1")["received"] >= received


def test_several_collectors_share_the_hosts(engine: Engine) -> None:
    first, second = reports(engine, "h1"), reports(engine, "h1")
    take(first, "h1", said(domain("vm1", 1, "free")), begins=True)
    take(first, "new", said(), begins=True)
    take(second, "new", said(), begins=True)

    # The host's connection to the first is lost, and it goes on with the other.
    second.look()
    take(second, "h1", said(domain("vm1", 1, "free"), domain("vm2", 2, "free")), begins=True)
    take(second, "h1", said(domain("vm2", 2, "free") | {"name": "vm3"}, whole=False))

    assert names(engine, "h1") == {"vm1", "vm3"}
    assert asked_in_a_round(engine, time.time()) == ([], [])
    reporters.decide(engine, "new", reporters.ACCEPTED, "alice@R")
    for one in (first, second):
        one.look()
        assert take(one, "new", said(whole=False)).everything


def test_ten_thousand_hosts_report(engine: Engine) -> None:
    many = MANY[engine.dialect.name]
    made = reports(engine, *(f"h{number}" for number in range(many)))
    with engine.begin() as connection:
        known = {"principal": "p", "state": reporters.ACCEPTED, "decided_by": "", "first": 1.0, "seen": 1.0}
        rows = [known | {"name": f"h{number}", "host": f"h{number}"} for number in range(many)]
        connection.execute(table.insert(), rows)
        changes.note(connection, changes.REPORTERS)
    made.look()
    assert len(asked_in_a_round(engine, time.time())[1]) == many
    whole, nothing = said(domain("vm1", 1, "free")), said(whole=False)
    for number in range(many):
        made.take(f"h{number}", "p", "192.0.2.1", whole if number % 10 == 0 else nothing, number % 10 == 0)

    made.write(made.collected())

    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(domains)).scalar_one() == many // 10
    assert asked_in_a_round(engine, time.time()) == ([], [])


def test_all_that_come_for_the_first_time_are_written_together(engine: Engine) -> None:
    configured = [f"c{number}" for number in range(20)]
    made = reports(engine, *configured)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        for name in (*configured, *(f"w{number}" for number in range(20))):
            made.take(name, f"host/{name}@R", "192.0.2.1", said(domain("vm1", 1, "free")), True)
        assert statements == []
    finally:
        event.remove(engine, "before_cursor_execute", note)
    made.write(made.collected())

    with engine.connect() as connection:
        states = reporters.states(connection)
    assert {name: state for name, (state, _host) in states.items() if name[0] == "c"} == dict.fromkeys(
        configured, reporters.ACCEPTED
    )
    assert sum(state == reporters.WAITING for state, _host in states.values()) == 20
    assert names(engine, "c7") == {"vm1"}


def test_where_too_many_wait_no_other_is_noted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporters, "MOST_WAITING", 2)
    made = reports(engine, "c1")
    for name in ("w1", "w2", "w3", "c1"):
        made.take(name, f"host/{name}@R", "192.0.2.1", said(), True)
    made.write(made.collected())
    made.look()

    later = take(made, "w4", said(), begins=True)

    with engine.connect() as connection:
        assert reporters.states(connection).keys() == {"w1", "w2", "c1"}
    assert later.seconds >= 60


def test_two_that_begin_at_once_with_a_new_database_both_know_the_hosts(engine: Engine) -> None:
    names_of_all, looked = [f"h{number}" for number in range(50)], threading.Barrier(2, timeout=30)

    # Neither has written before both have seen that nothing is there.
    def waits(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.split() == ["SELECT", "hosts.name", "FROM", "hosts"]:
            looked.wait()

    event.listen(engine, "after_cursor_execute", waits)
    try:
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(fleet.configure, engine, names_of_all, {"lab": ["h1", "h2"]}) for _part in range(2)]
        failures = [one.exception() for one in both]
    finally:
        event.remove(engine, "after_cursor_execute", waits)

    assert failures == [None, None]
    with engine.connect() as connection:
        assert set(connection.execute(select(hosts.c.name)).scalars()) == set(names_of_all)
        assert sorted(connection.execute(select(groups.c.host)).scalars()) == ["h1", "h2"]
        assert changes.number(connection, changes.FLEET) == 2


def test_two_portals_that_note_a_host_at_once_lose_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = reports(engine, "c1"), reports(engine, "c1")
    take(other, "c1", said(), begins=True)
    # What it sees where the other one's transaction has not ended yet.
    monkeypatch.setattr(reporters, "states", lambda _connection: {})

    take(one, "c1", said(domain("vm1", 1, "free")), begins=True)

    assert names(engine, "c1") == {"vm1"}
