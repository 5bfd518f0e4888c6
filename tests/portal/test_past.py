"""The audit and the events of a host as rows: filtered, in pages, latest first, and whatever a host may send."""

import pytest

from rxmweb.web import past

ENTRIES = [
    {
        "at": f"2026-11-21T10:{number // 60:02d}:{number % 60:02d}Z",
        "principal": "alice@R" if number % 2 else "bob@S",
        "peer": "192.0.2.7:1",
        "verb": "pause" if number % 3 else "destroy",
        "domain": f"vm{number}",
        "reason": "term ends" if number == 7 else "",
        "class": "refused" if number == 5 else "ok",
        "message": "The domain is busy: migrating." if number == 5 else "",
    }
    for number in range(250)
]


def found(**given: str) -> past.Changes:
    """Return the page that an address asks for."""
    return past.changes({"entries": ENTRIES}, given)


def test_the_latest_is_first_and_pages_hold_all_of_them() -> None:
    pages = [found(page=str(number)) for number in (1, 2, 3)]

    assert [row["domain"] for page in pages for row in page.shown] == [f"vm{number}" for number in range(249, -1, -1)]
    assert {page.pages for page in pages} == {3}
    assert pages[0].verbs == ["destroy", "pause"]
    assert pages[0].outcomes == ["ok", "refused"]


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"who": "alice"}, 125),
        ({"who": "ALICE@R"}, 125),
        ({"who": "alice@S"}, 0),
        ({"who": "lice"}, 0),
        ({"verb": "destroy"}, 84),
        ({"outcome": "refused"}, 1),
        ({"q": "term VM7"}, 1),
        ({"q": "busy", "verb": "pause"}, 1),
        ({"q": "nothing"}, 0),
    ],
)
def test_a_filter(given: dict[str, str], count: int) -> None:
    assert found(**given).total == count


@pytest.mark.parametrize(
    ("page", "shown"), [("", 1), ("0", 1), ("-1", 1), ("x", 1), ("99999999999", 3), ("٣", 1), ("2", 2)]
)
def test_a_page_that_makes_no_sense_is_the_first_and_one_behind_the_last_the_last(page: str, shown: int) -> None:
    assert found(page=page).page == shown


def test_what_a_hostile_host_sends_is_text() -> None:
    rows = past.changes({"entries": [{"at": 5, "principal": None, "verb": "\x1b[2J"}, "no entry", {}]}, {})

    assert rows.total == 2
    assert "\x1b" not in rows.shown[1]["verb"]
    assert rows.shown[1]["when"] is None


def test_events_are_in_time_the_latest_first() -> None:
    said = [{"at": f"2026-11-21T10:00:0{n}Z", "event": "started", "detail": "booted"} for n in range(3)]

    rows = past.events({"events": said}, {}).shown

    assert [row["at"][-3:-1] for row in rows] == ["02", "01", "00"]
