"""The table behind the pages: what reports do to it, and what a query finds in it."""

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text, update

from rxmweb import db
from rxmweb.db import actions, filters, fleet, lease, report, retention, schema, search, sessions
from rxmweb.db.actions import Request, Target
from rxmweb.db.filters import STALE
from rxmweb.db.report import Version
from rxmweb.db.search import ROWS, Query
from rxmweb.settings import History
from tests.lab.portal import postgres
from tests.portal.reports import UUID, domain, failure, job, line
from xman import outcome

INTERVAL = 60.0
NOW = 1_795_248_000.0
HOSTS = ["h1", "h2", "h3"]


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Three hosts: one with three machines, one with one whose report is old, one that has never been reached."""
    fleet.configure(engine, HOSTS, {"lab": ["h1"], "others": ["h2", "h3"]})
    old = NOW - 4 * INTERVAL
    fleet.take(engine, [report.read(line("h2", domain("db", 9, "running", jobs=[job(7, "bob@R")])))], old)
    fleet.take(engine, [report.read(failure("h2", outcome.UNREACHABLE, "no answer in time."))], NOW)
    alices = [job(4711, "alice@R", preemptible=True)]
    machines = [
        domain("vm1", 1, "running", jobs=alices, memory=3 << 30),
        domain("vm2", 2, "free"),
        domain("vm_3", 3, "free", priority="high"),
    ]
    fleet.take(engine, [report.read(line("h1", *machines))], NOW)
    return engine


def names(engine: Engine, asked: Query) -> list[Any]:
    """Return the names on the page that `asked` gives."""
    with engine.connect() as connection:
        return [row["name"] for row in search.listing(connection, asked, INTERVAL, NOW).rows]


def test_every_configured_host_has_its_row_from_the_start(engine: Engine) -> None:
    fleet.configure(engine, HOSTS, {})

    with engine.connect() as connection:
        found = search.listing(connection, Query(), INTERVAL, NOW)
    assert [(row["host"], row["name"], row["freshness"]) for row in found.rows] == [
        (host, None, fleet.DEAD) for host in HOSTS
    ]


def test_a_good_report_replaces_the_hosts_rows(filled: Engine) -> None:
    fleet.take(filled, [report.read(line("h1", domain("new", 4)))], NOW)

    assert names(filled, Query(words="host:h1")) == ["new"]
    with filled.connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.owners)).scalar_one() == 1


def test_what_was_so_a_while_ago_was_received_then(filled: Engine) -> None:
    fleet.take(filled, [replace(report.read(line("h1", domain("new", 4))), age=40.0)], NOW)

    with filled.connect() as connection:
        found = fleet.host(connection, "h1")
    assert found is not None
    assert (found["received"], found["tried"]) == (NOW - 40.0, NOW)


def test_what_a_clock_ahead_has_written_does_not_keep_a_silent_host_fresh(filled: Engine) -> None:
    fleet.take(filled, [report.read(line("h1", domain("new", 4)))], NOW + 3600)

    fleet.take(filled, [report.Report("h1", outcome.UNREACHABLE, "no answer in time.")], NOW)

    with filled.connect() as connection:
        found = fleet.host(connection, "h1")
    assert found is not None
    assert (found["received"], found["code"]) == (NOW, outcome.UNREACHABLE)


def test_a_failure_keeps_what_was_known(filled: Engine) -> None:
    with filled.connect() as connection:
        (row,) = search.listing(connection, Query(words="db"), INTERVAL, NOW).rows

    assert (row["freshness"], row["code"], row["problem"]) == (fleet.STALE, outcome.UNREACHABLE, "no answer in time.")


@pytest.mark.parametrize(
    ("age", "expected"), [(0, "fresh"), (180, "fresh"), (181, "stale"), (600, "stale"), (601, "dead"), (None, "dead")]
)
def test_freshness(age: float | None, expected: str) -> None:
    assert fleet.freshness(None if age is None else NOW - age, INTERVAL, NOW) == expected


def test_a_host_that_is_not_configured_any_more_is_gone(filled: Engine) -> None:
    fleet.configure(filled, ["h2"], {})
    fleet.take(filled, [report.read(line("h1", domain("vm1", 1)))], NOW)

    assert names(filled, Query()) == ["db"]


def test_a_report_with_the_same_uuid_twice_is_taken(filled: Engine) -> None:
    fleet.take(filled, [report.read(line("h1", domain("a", 1), domain("b", 1)))], NOW)

    assert names(filled, Query(words="host:h1")) == ["b"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["db", "vm1", "vm2", "vm_3", None]),
        ("vm", ["vm1", "vm2", "vm_3"]),
        ("VM1", ["vm1"]),
        ("name:vm*", ["vm1", "vm2", "vm_3"]),
        ("vm_", ["vm_3"]),
        ("name:%", []),
        ("host:h2", ["db"]),
        ("host:h*", ["db", "vm1", "vm2", "vm_3", None]),
        ("owner:alice", ["vm1"]),
        ("owner:alice@R", ["vm1"]),
        ("owner:alice@S", []),
        ("owner:lice", []),
        ("owner:* state:running", ["db", "vm1"]),
        ("state:free,running host:h1", ["vm1", "vm2", "vm_3"]),
        ("state:stale", ["db", None]),
        ("job:4711", ["vm1"]),
        ("job:471", []),
        (f"uuid:{UUID}02", ["vm2"]),
        ("priority:high", ["vm_3"]),
        ("bob", ["db"]),
        ("vm1 vm2", []),
        ("job:47*", ["vm1"]),
        ("job:48*", []),
        ("state:fr*", ["vm2", "vm_3"]),
        ("NOT state:free", ["db", "vm1", None]),
        ("!owner:alice host:h1", ["vm2", "vm_3"]),
        ("owner:alice OR priority:high", ["vm1", "vm_3"]),
        ("memory>2G", ["vm1"]),
        ("memory:<=1G host:h1", ["vm2", "vm_3"]),
        ("vcpus=1 owner:bob", ["db"]),
        ("host:h[1-2] vm", ["vm1", "vm2", "vm_3"]),
        ("group:lab", ["vm1", "vm2", "vm_3"]),
        ("nmae:vm1", []),
        ("memory>plenty", ["db", "vm1", "vm2", "vm_3", None]),
        ("'; DROP TABLE domains; --", []),
    ],
)
def test_filters(filled: Engine, words: str, expected: list[str | None]) -> None:
    assert names(filled, search.read({"q": words})) == expected


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        ("nmae:vm1", [("key", "nmae", "name")]),
        ("memory>plenty", [("figure", "plenty", "memory")]),
        ("host:h[1-", [("set", "h[1-", "")]),
        ("name:vm1", []),
    ],
)
def test_a_word_that_is_not_understood_is_told(
    filled: Engine, words: str, problems: list[tuple[str, str, str]]
) -> None:
    with filled.connect() as connection:
        assert search.listing(connection, search.read({"q": words}), INTERVAL, NOW).problems == problems


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("label:course", ["a", "b"]),
        ("label:course=os1", ["a"]),
        ("label:course=os*", ["a", "b"]),
        ("label:course=*1", ["a"]),
        ("label:note=", ["a"]),
        ("label:week=os1", []),
        ("label:c*=os2", ["b"]),
        ("NOT label:course", ["c"]),
        ("label:course=o", []),
        ("label:%", []),
    ],
)
def test_machines_are_found_by_label(engine: Engine, words: str, expected: list[str]) -> None:
    fleet.configure(engine, ["h1"], {})
    first, second = {"course": "os1", "week": "2", "note": ""}, {"course": "os2", "week": "os3"}
    said = line("h1", domain("a", 1, labels=first), domain("b", 2, labels=second), domain("c", 3))
    fleet.take(engine, [report.read(said)], NOW)

    assert names(engine, search.read({"q": words})) == expected


def test_a_label_that_is_taken_away_is_gone(engine: Engine) -> None:
    fleet.configure(engine, ["h1"], {})
    for labels in ({"course": "os1"}, {}):
        fleet.take(engine, [report.read(line("h1", domain("a", 1, labels=labels)))], NOW)

    assert names(engine, search.read({"q": "label:course"})) == []


def test_a_hosts_first_name_finds_it(engine: Engine) -> None:
    fleet.configure(engine, ["skirit80.example.org", "skirit81.example.org"], {})
    with engine.connect() as connection:
        for words in ("host:skirit80", "host:skirit[80,82]"):
            found = search.listing(connection, search.read({"q": words}), INTERVAL, NOW)
            assert [row["host"] for row in found.rows] == ["skirit80.example.org"]


def test_figures_sort_as_numbers(engine: Engine) -> None:
    fleet.configure(engine, ["h1"], {})
    machines = [domain(name, number) for number, name in enumerate(("vm10", "vm9", "Vm1", "vm02"))]
    fleet.take(engine, [report.read(line("h1", *machines))], NOW)

    assert names(engine, Query()) == ["Vm1", "vm02", "vm9", "vm10"]


def test_a_report_that_says_the_same_is_not_written(filled: Engine) -> None:
    with filled.begin() as connection:
        connection.execute(update(schema.domains).where(schema.domains.c.host == "h2").values(since=1.0))
    one = report.read(line("h2", domain("db", 9, "running", jobs=[job(7, "bob@R")])))
    fleet.take(filled, [one], NOW)
    writes: list[str] = []
    event.listen(filled, "before_cursor_execute", lambda *words: writes.append(words[2].split()[0]))

    fleet.take(filled, [one], NOW)

    assert "DELETE" not in writes
    assert "INSERT" not in writes


def test_whoever_shows_the_same_ticket_again_gets_the_same_session(engine: Engine) -> None:
    ends, key = time.time() + 3600, b"k" * 32
    token, begun = sessions.begin(engine, "alice@R", "here", "", "", 3600, key=key, ends=ends)

    found = sessions.same(engine, key, "alice@R", "here", delegated=False, ends=ends + 1)

    assert found == (token, begun)
    assert sessions.find(engine, token) == begun
    for other in (
        sessions.same(engine, key, "bob@R", "here", delegated=False, ends=ends),
        sessions.same(engine, key, "alice@R", "here", delegated=False, ends=ends + 60),
        sessions.same(engine, b"l" * 32, "alice@R", "here", delegated=False, ends=ends),
        sessions.same(engine, key, "alice@R", "here", delegated=True, ends=ends),
    ):
        assert other is None
    sessions.end(engine, token)
    assert sessions.same(engine, key, "alice@R", "here", delegated=False, ends=ends) is None


def test_another_ticket_that_ends_at_the_same_time_is_another_session(engine: Engine) -> None:
    ends, key = time.time() + 3600, b"k" * 32
    first = sessions.begin(engine, "alice@R", "here", "", "", 3600, key=key, shown="aa", ends=ends)
    second = sessions.begin(engine, "alice@R", "here", "", "", 3600, key=key, shown="bb", ends=ends)

    found = [
        sessions.same(engine, key, "alice@R", "here", delegated=False, shown=shown, ends=ends)
        for shown in ("aa", "bb", "cc", "")
    ]

    assert found == [first, second, None, None]


def test_nobody_has_more_sessions_than_so_many(engine: Engine) -> None:
    tokens = [
        sessions.begin(engine, "alice@R", "here", f"t{number}", "", 3600)[0]
        for number in range(sessions.MOST_OF_ONE + 3)
    ]
    other, _session = sessions.begin(engine, "bob@R", "here", "b", "", 3600)

    assert len(sessions.tickets(engine, "here")) == sessions.MOST_OF_ONE + 1
    assert sessions.find(engine, tokens[0]) is None
    assert sessions.find(engine, tokens[-1]) is not None
    assert sessions.find(engine, other) is not None


def test_a_group_is_a_tab(filled: Engine) -> None:
    assert names(filled, Query(group="lab")) == ["vm1", "vm2", "vm_3"]


def test_counts_are_of_all_states_whichever_is_shown(filled: Engine) -> None:
    with filled.connect() as connection:
        found = search.listing(connection, Query(state="free"), INTERVAL, NOW)

    assert [row["name"] for row in found.rows] == ["vm2", "vm_3"]
    # What does not answer is counted apart: db's host has been silent for four intervals.
    assert found.counts == {"running": 1, "free": 2, STALE: 2}


def test_an_owner_sees_only_their_own(filled: Engine) -> None:
    assert names(filled, Query(owner="alice@R")) == ["vm1"]
    assert names(filled, Query(owner="alice")) == []
    with filled.connect() as connection:
        assert search.listing(connection, Query(owner="alice@R"), INTERVAL, NOW).counts == {"running": 1}


def test_sorting_puts_what_is_not_known_last(filled: Engine) -> None:
    assert names(filled, Query(sort="memory")) == ["db", "vm2", "vm_3", "vm1", None]
    assert names(filled, Query(sort="memory", descending=True)) == ["vm1", "db", "vm2", "vm_3", None]


def test_pages(engine: Engine) -> None:
    fleet.configure(engine, ["h1"], {})
    many = [domain(f"vm{n:04d}", n) for n in range(ROWS + 3)]
    fleet.take(engine, [report.read(line("h1", *many))], NOW)

    assert names(engine, Query(page=2)) == [f"vm{n:04d}" for n in range(ROWS, ROWS + 3)]
    assert names(engine, Query(page=99)) == names(engine, Query(page=2))
    with engine.connect() as connection:
        assert len(search.matching(connection, Query(), INTERVAL, NOW, 1000)) == ROWS + 3
        assert len(search.matching(connection, Query(), INTERVAL, NOW, 10)) == 11


def test_sets_of_more_hosts_than_a_database_takes_conditions_are_told(filled: Engine) -> None:
    words = " OR ".join(["host:h[1-190]"] * 9)
    with filled.connect() as connection:
        found = search.listing(connection, search.read({"q": words}), INTERVAL, NOW)

    assert found.problems == [(filters.NO_SET, "h[1-190]", "")] * 8


@pytest.mark.parametrize("sort", ["name", "-name", "state", "memory", "-since", "host", "report"])
def test_pages_hold_each_row_once_and_hosts_without_machines_stand_behind(engine: Engine, sort: str) -> None:
    bare = [f"e{number:02d}" for number in range(ROWS // 2)]
    fleet.configure(engine, ["h1", *bare], {})
    many = [domain(f"vm{n:04d}", n, ("free", "running")[n % 2]) for n in range(ROWS + ROWS // 2 + 3)]
    fleet.take(engine, [report.read(line("h1", *many))], NOW)
    asked = search.read({"sort": sort})

    shown = [row for page in (1, 2, 3) for row in names(engine, replace(asked, page=page))]

    assert len(shown) == len(many) + len(bare)
    assert {name for name in shown if name} == {one["name"] for one in many}
    assert shown[-len(bare) :] == [None] * len(bare)


@pytest.mark.parametrize("state", ["", "free", STALE])
def test_what_is_counted_by_index_is_what_is_counted_one_by_one(filled: Engine, state: str) -> None:
    everything = "memory>0 OR NOT memory>0"
    with filled.connect() as connection:
        fast = search.listing(connection, Query(state=state), INTERVAL, NOW)
        slow = search.listing(connection, Query(words=everything, state=state), INTERVAL, NOW)

    assert (fast.counts, fast.total, fast.pages) == (slow.counts, slow.total, slow.pages)
    assert fast.rows == slow.rows


@pytest.mark.parametrize("reads", [True, False])
def test_a_connection_that_the_server_has_ended_meanwhile_is_another_one(
    postgresql: postgres.Postgres, monkeypatch: pytest.MonkeyPatch, *, reads: bool
) -> None:
    monkeypatch.setattr(db, "_RESTED_SECONDS", 0.0)
    opened = db.open_store(postgresql.new_database())
    pool = db.reading(opened) if reads else opened
    with pool.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = db.open_store(postgresql.new_database())
    with other.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    with pool.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid

    pool.dispose()
    opened.dispose()
    other.dispose()


@pytest.mark.parametrize("address", ["/", "/?q=host%3Ah1+vm&state=free&group=lab&sort=-since&page=3"])
def test_an_address_is_what_it_was_made_of(address: str) -> None:
    from urllib.parse import parse_qsl

    asked = search.read(dict(parse_qsl(address.partition("?")[2])))

    assert asked.url(page=asked.page) == address


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", ""])
def test_an_address_that_makes_no_sense_is_the_first_page(page: str) -> None:
    assert search.read({"page": page, "sort": "nothing"}) == Query()


def test_a_page_beyond_all_numbers_is_the_last_one(filled: Engine) -> None:
    assert names(filled, search.read({"page": "9" * 40})) == names(filled, Query())


def test_samples_are_kept_within_their_caps(engine: Engine) -> None:
    for minute in range(20):
        fleet.add_samples(engine, [{"host": "h1", "uuid": "u", "cpu_seconds": minute}], NOW - minute * 600)

    retention.prune(engine, History(hours=2, samples=1000), NOW)
    with engine.connect() as connection:
        assert len(fleet.past(connection, "h1", "u", 0)) == 13
    retention.prune(engine, History(hours=2, samples=5), NOW)

    with engine.connect() as connection:
        assert [row["cpu_seconds"] for row in fleet.past(connection, "h1", "u", 0)] == [4, 3, 2, 1, 0]


def test_a_hosts_past_is_kept_as_long(engine: Engine) -> None:
    fleet.configure(engine, ["h1"], {})
    for hours in (5, 1):
        room = {"on": "h1", "new_memory": 8, "new_memory_free": hours, "new_cpus": 2, "new_load": 0.5}
        fleet.note_rooms(engine, [room], NOW - 3600 * hours)

    retention.prune(engine, History(hours=2), NOW)

    with engine.connect() as connection:
        assert [row["memory_free"] for row in fleet.host_past(connection, "h1", 0)] == [1]


def acted(engine: Engine, targets: int, at: float, *, ended: bool = True) -> str:
    """Have an action with so many targets been asked for at `at`; return its id."""
    wanted = Request("alice@R", "pause", [Target("h1", f"u{number}", "vm") for number in range(targets)])
    identifier = actions.add(engine, wanted, "here")
    if ended:
        actions.finish(engine, identifier, "")
    with engine.begin() as connection:
        asked_for = update(schema.actions).where(schema.actions.c.id == identifier)
        connection.execute(asked_for.values(created=at))
    return identifier


def kept(engine: Engine) -> set[str]:
    """Return the ids of the actions that are there, all with their results and nothing without."""
    with engine.connect() as connection:
        ids = set(connection.execute(select(schema.actions.c.id)).scalars())
        assert set(connection.execute(select(schema.results.c.action)).scalars()) == ids
    return ids


def test_actions_are_kept_for_so_many_days(engine: Engine) -> None:
    acted(engine, 1, NOW - 3 * 86400)
    young = acted(engine, 1, NOW - 86400)
    waiting = acted(engine, 1, NOW - 3 * 86400, ended=False)

    retention.prune(engine, History(action_days=2), NOW)

    assert kept(engine) == {young, waiting}


def test_actions_are_kept_up_to_so_many_results_the_latest_whole(engine: Engine) -> None:
    first = acted(engine, 3, NOW - 30)
    second, third = acted(engine, 3, NOW - 20), acted(engine, 2, NOW - 10)

    retention.prune(engine, History(results=8), NOW)
    assert kept(engine) == {first, second, third}
    retention.prune(engine, History(results=7), NOW)
    assert kept(engine) == {second, third}
    retention.prune(engine, History(results=4), NOW)

    assert kept(engine) == {third}


def test_sessions_that_have_ended_are_forgotten(engine: Engine) -> None:
    sessions.begin(engine, "alice@R", "here", "", "", 60)
    retention.forget_sessions(engine, time.time() + 30)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.sessions)).scalar_one() == 1

    retention.forget_sessions(engine, time.time() + 61)

    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.sessions)).scalar_one() == 0


def test_versions_are_kept(filled: Engine) -> None:
    fleet.note_versions(filled, [Version("h2", "abc", 7), Version("h1", None, None), Version("gone", "x", 1)])

    with filled.connect() as connection:
        found = connection.execute(select(schema.hosts.c.list_hash, schema.hosts.c.audit_lost).order_by("name")).all()
    assert [tuple(row) for row in found] == [(None, None), ("abc", 7), (None, None)]


def test_one_of_two_collectors_has_the_lease(engine: Engine) -> None:
    assert lease.take(engine, "collector", "one", 60)
    assert not lease.take(engine, "collector", "two", 60)
    assert lease.take(engine, "collector", "one", 60)
    lease.release(engine, "collector", "one")
    assert lease.take(engine, "collector", "two", 60)


def test_a_lease_that_was_taken_by_a_clock_ahead_binds_nobody(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead_of_all = time.time() + 3600
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: ahead_of_all)
        assert lease.take(engine, "ahead", "one", 60)

    assert lease.take(engine, "ahead", "two", 60)
    assert not lease.take(engine, "ahead", "three", 60)


@pytest.mark.parametrize(
    ("word", "page"),
    [("", 1), ("0", 1), ("7", 7), ("-1", 1), ("1e3", 1), ("9" * 23, 999_999), ("9" * 5000, 999_999), ("\u0663", 1)],
)
def test_a_page_is_a_number_that_a_database_holds(word: str, page: int) -> None:
    assert filters.page_number(word) == page
    assert search.read({"page": word}).page == page
