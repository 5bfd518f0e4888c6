"""What is not made again: parts of pages that are kept (`rxmweb.web.rendered`), and what a poll finds unchanged."""

import time
from pathlib import Path

from sqlalchemy import Engine, event

from rxmweb.db import changes, fleet, head, report, sessions
from rxmweb.web.rendered import Rendered
from tests.portal.reports import UUID, domain, line
from tests.portal.test_views import ALICE, Site


def test_what_was_made_is_not_made_again_and_the_oldest_goes() -> None:
    kept, made = Rendered(10), []

    def make(letters: str) -> str:
        made.append(letters)
        return letters

    for word in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert kept.get((word,), lambda word=word: make(word)) == word  # type: ignore[misc]

    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_one_that_is_too_long_is_not_kept_and_the_count_stays_true() -> None:
    kept = Rendered(10)

    for _ in range(3):
        assert len(kept.get(("long",), lambda: "x" * 11)) == 11
    kept.get(("short",), lambda: "y" * 5)

    assert kept._letters == 5
    assert list(kept._parts) == [("short",)]


def test_an_unchanged_poll_is_one_question_to_the_database(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.report("h1", domain("vm1", 1, "running"))
    alice, _session = site.session(ALICE)
    first = alice.get("/", headers={"HX-Request": "true"})
    questions: list[str] = []
    event.listen(site.engine, "before_cursor_execute", lambda *words: questions.append(words[2]))

    again = alice.get("/", headers={"HX-Request": "true", "If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert len(questions) == 1, questions
    site.engine.dispose()


def test_what_a_request_asks_first_is_its_session_and_the_versions(engine: Engine) -> None:
    fleet.configure(engine, ["h1", "h2", "h3"], {})
    now = time.time()
    for host, age in (("h1", 0), ("h2", 300), ("h3", 3000)):
        fleet.take(engine, [report.read(line(host, domain("vm1", 1, "free")))], now - age)
    token, session = sessions.begin(engine, ALICE, "here", "", "", 3600)

    found, versions = head.ask(engine, token, 60)

    with engine.connect() as connection:
        assert versions == changes.numbers(connection, 60, now)
    assert versions[changes.FLEET].endswith(".2.1")
    assert found == session
    assert head.ask(engine, "another", 60) == head.ask(engine, "", 60) == (None, {})


def test_without_a_change_since_its_beginning_a_database_has_versions(engine: Engine) -> None:
    token, session = sessions.begin(engine, ALICE, "here", "", "", 3600)

    assert head.ask(engine, token, 60) == (
        session,
        dict.fromkeys(("actions", "progress", "samples"), "0") | {"fleet": "0.0.0"},
    )


def test_machines_side_by_side_are_made_anew_where_one_has_changed_and_their_names_are_text(tmp_path: Path) -> None:
    site = Site(tmp_path)
    alice, _session = site.session(ALICE)
    site.report("h1", domain("<b>vm1", 1, "running"))
    first = alice.get("/hosts?view=pairs").text

    site.report("h1", domain("<b>vm1", 1, "frozen"))

    again = alice.get("/hosts?view=pairs").text
    assert "&lt;b&gt;vm1" in first
    assert "<b>vm1" not in first
    assert 'vm1</a> <span class="state s-running"' in first
    assert 'vm1</a> <span class="state s-frozen"' in again
    site.engine.dispose()


def test_machines_are_found_by_one_question_in_the_order_that_was_asked_for(engine: Engine) -> None:
    fleet.configure(engine, ["h1", "h2"], {})
    fleet.take(engine, [report.read(line("h1", domain("vm1", 1, "free"), domain("vm2", 2, "free")))], time.time())
    fleet.take(engine, [report.read(line("h2", domain("vm3", 3, "free")))], time.time())
    keys = [("h2", f"{UUID}03"), ("h1", f"{UUID}02"), ("h1", "nothing"), ("h2", f"{UUID}01"), ("h1", f"{UUID}01")]

    with engine.connect() as connection:
        found = fleet.domains_of(connection, keys)
        none = fleet.domains_of(connection, [])

    assert [(row["host"], row["name"]) for row in found] == [("h2", "vm3"), ("h1", "vm2"), ("h1", "vm1")]
    assert none == []
