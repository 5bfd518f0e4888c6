"""Whose lines go when the journal is full (`xmand.journal.shares`): X3."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xmand import journal
from xmand.answer import Answer
from xmand.journal import Journal, JournalError
from xmand.journal.entries import Change, size

ADMIN, EVE, BOB = "admin@R", "eve@R", "bob@R"
FAILED = Answer(7, 3, "Domain 'nowhere' does not exist.")


def change(principal: str, number: int, octets: int = 1000) -> Change:
    return Change(principal, f"{number:032}", "d" * 64, "192.0.2.7:1", "shutdown", "nowhere", "r" * octets, {})


def fill(log: Journal, principal: str, count: int, octets: int = 1000, first: int = 0) -> None:
    """Write so many changes of somebody's that fail."""
    for number in range(first, first + count):
        log.end(log.begin(change(principal, number, octets)).id, FAILED)


def fast(directory: Path, most_mib: int = 1) -> Journal:
    """Return a journal that does not wait for the disk; alone the administrator is on the list."""
    made = Journal(str(directory), keep_days=365, most_mib=most_mib, listed=lambda principal: principal == ADMIN)
    assert made.pending() == []
    assert made._connection is not None
    made._connection.execute("PRAGMA synchronous = OFF")
    return made


def octets(directory: Path) -> int:
    """Return what the journal takes on disk."""
    return sum(path.stat().st_size for path in directory.iterdir())


@pytest.fixture
def log(tmp_path: Path) -> Journal:
    """A journal of a mebibyte; one is on the list."""
    return fast(tmp_path)


def count(log: Journal, principal: str) -> int:
    return len(log.read(principal=principal))


def test_who_writes_much_pushes_out_his_own_and_nobody_elses(log: Journal) -> None:
    fill(log, ADMIN, 200, 200)
    fill(log, BOB, 50, 200)

    fill(log, EVE, 2000)

    assert (count(log, ADMIN), count(log, BOB)) == (200, 50)
    assert 100 < count(log, EVE) < 1000
    assert log.read(principal=EVE)[-1].change.rid == f"{1999:032}", "the newest stay"


@pytest.mark.parametrize("size", [10, 1000, 30_000])
def test_the_cap_holds_at_each_line(tmp_path: Path, size: int) -> None:
    log = fast(tmp_path, 2)
    most = 0
    for number in range(60 if size > 10_000 else 25):
        fill(log, EVE, 100 if size <= 1000 else 5, size, first=number * 100)
        fill(log, ADMIN, 20 if size <= 1000 else 2, size, first=number * 100)
        most = max(most, octets(tmp_path))

    assert most <= 2.1 * (1 << 20), "the cap and five percent"


def test_many_of_those_who_are_not_on_the_list_do_not_push_an_administrator_out(log: Journal) -> None:
    fill(log, ADMIN, 300, 200)

    for number in range(60):
        fill(log, f"eve{number}@R", 30)

    assert count(log, ADMIN) == 300


def test_who_has_little_keeps_it_while_another_fills_the_house(log: Journal) -> None:
    fill(log, EVE, 2000)

    fill(log, BOB, 20)

    assert count(log, BOB) == 20


def test_an_administrator_finds_room_where_others_filled_it(log: Journal) -> None:
    fill(log, EVE, 2000)

    fill(log, ADMIN, 200)

    assert count(log, ADMIN) == 200


def test_administrators_leave_an_eighth_to_others(log: Journal) -> None:
    fill(log, ADMIN, 2000)

    fill(log, BOB, 40)

    assert count(log, BOB) == 40


def test_what_has_not_ended_stays_and_a_full_house_says_so(log: Journal) -> None:
    begun = []

    def begin_all() -> None:
        for number in range(5000):
            begun.append(log.begin(change(EVE, number)).id)

    with pytest.raises(JournalError, match="full"):
        begin_all()

    assert count(log, EVE) == len(begun)
    for identifier in begun[:10]:
        log.end(identifier, FAILED)
    assert log.begin(change(EVE, 9000)).id


def test_it_is_counted_anew_where_it_was_left(tmp_path: Path, log: Journal) -> None:
    fill(log, EVE, 600)
    log.close()

    again = fast(tmp_path)
    fill(again, EVE, 2000, first=1000)

    assert octets(tmp_path) <= 1.05 * (1 << 20)


@pytest.mark.parametrize("jump", [400 * 86_400.0, -400 * 86_400.0], ids=["ahead", "back"])
def test_no_jump_of_the_clock_deletes_anything(log: Journal, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    monkeypatch.setattr(journal, "_TIDY_EVERY", 1)
    fill(log, ADMIN, 5)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)

    fill(log, ADMIN, 1, first=100)
    monkeypatch.undo()
    fill(log, ADMIN, 1, first=101)

    assert len(log.read(since=-1e12)) == 7


def test_a_log_is_read_in_pages_up_to_so_many_octets(log: Journal) -> None:
    fill(log, ADMIN, 600, 200)

    whole = list(log.pages(log.survey(0.0, "", "")))
    cut = log.survey(0.0, "", "", most_octets=100_000)
    part = list(log.pages(cut))

    assert (sum(map(len, whole)), cut.more, max(map(len, whole)) < 600) == (600, True, True)
    ids = [entry.id for page in part for entry in page]
    assert ids == [entry.id for page in whole for entry in page][-cut.count :]
    assert 80_000 < sum(size(entry.change) for page in part for entry in page) <= 100_000


def test_who_wants_the_last_lines_alone_has_no_others_read(log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(log, ADMIN, 50)
    read: list[int] = []
    ask = log._ask

    def counted(*what: Any) -> list[tuple[Any, ...]]:
        rows = ask(*what)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(log, "_ask", counted)

    found = log.survey(0.0, "", "", 3)

    assert (found.count, found.more, read) == (3, True, [4])
    assert not log.survey(0.0, "", "", 50).more


def test_a_page_is_of_so_many_octets_but_never_empty(log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_PAGE_OCTETS", 10)
    fill(log, ADMIN, 3, 200)

    assert [len(page) for page in log.pages(log.survey(0.0, "", ""))] == [1, 1, 1]


def test_what_comes_or_goes_between_two_pages_is_no_error(log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_PAGE", 2)
    fill(log, ADMIN, 6)
    pages = log.pages(log.survey(0.0, "", ""))
    first = next(pages)

    fill(log, ADMIN, 1, first=100)
    with log._use() as db:
        db.execute("DELETE FROM change WHERE id IN (?, ?)", (first[-1].id + 1, first[-1].id + 4))

    assert [entry.id - first[0].id for page in pages for entry in page] == [3, 4]


def test_the_journal_of_an_earlier_release_is_read(tmp_path: Path, log: Journal) -> None:
    fill(log, ADMIN, 3)
    log.close()
    with sqlite3.connect(tmp_path / journal.FILE) as db:
        db.execute("DROP TABLE clock")
    db.close()

    again = Journal(str(tmp_path), keep_days=365, most_mib=1)
    fill(again, ADMIN, 1, first=10)

    assert count(again, ADMIN) == 4


def test_a_digest_is_one_of_the_words_that_count() -> None:
    assert size(change(EVE, 1, 5000)) - size(replace(change(EVE, 1), reason="")) == 5000
