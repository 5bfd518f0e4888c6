"""Journals that cannot be used (`xmand.journal.health`): each says what to do, and what is lost."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.xmand.journal.test_journal import DONE, PAUSE
from xmand import journal
from xmand.journal import Journal, JournalError, health

DAY = 86_400.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A state_dir with a journal of some changes in it, closed."""
    log = Journal(str(tmp_path), 365, 64)
    for number in range(20):
        log.end(log.begin(replace(PAUSE, rid=f"{number:032}", reason="x" * 500)).id, DONE)
    log.close()
    return tmp_path


def cut_short(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(6000)


def garbage(file: Path) -> None:
    file.write_bytes(os.urandom(8192))


def foreign(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
    db.close()


def of_another_make(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("ALTER TABLE change RENAME COLUMN digest TO hash")
    db.close()


def a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_link_to_garbage(file: Path) -> None:
    garbage(file)
    file.rename(file.with_suffix(".other"))
    file.symlink_to(file.with_suffix(".other"))


def a_link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


SPOILT = [
    (a_fifo, "Move it away"),
    (a_link_to_garbage, "Move it away"),
    (a_link_to_itself, "Move it away"),
    (cut_short, "Move it away"),
    (garbage, "Move it away"),
    (foreign, "Move it away"),
    (of_another_make, "Move it away"),
    (a_directory, "Move it away"),
]


@pytest.mark.parametrize(("spoil", "remedy"), SPOILT, ids=[spoil.__name__ for spoil, _remedy in SPOILT])
def test_what_cannot_be_used_says_what_to_do_and_what_is_lost(
    directory: Path, spoil: Callable[[Path], None], remedy: str
) -> None:
    spoil(directory / journal.FILE)
    log = Journal(str(directory), 365, 64)

    with pytest.raises(JournalError) as raised:
        log.begin(replace(PAUSE, rid="f" * 32))
    good, words = health.examine(str(directory), journal.FILE)

    for said in (str(raised.value), words):
        assert remedy in said
        assert "this loses the record of who did what before" in said
    assert not good


def test_the_check_finds_a_good_one_good_and_changes_nothing(directory: Path) -> None:
    before = (directory / journal.FILE).read_bytes()

    assert health.examine(str(directory), journal.FILE) == (True, "20 changes, and can be written")
    assert (directory / journal.FILE).read_bytes() == before


def test_the_check_finds_one_that_is_in_use(directory: Path) -> None:
    log = Journal(str(directory), 365, 64)
    log.pending()

    assert health.examine(str(directory), journal.FILE) == (True, "in use by an xmand that runs")
    log.close()


def test_the_check_of_what_is_not_there_yet_makes_nothing(tmp_path: Path) -> None:
    assert health.examine(str(tmp_path / "a" / "b"), journal.FILE) == (True, "it will be begun")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_nothing_and_says_so() -> None:
    assert "Make room there; nothing is lost" in health.explain(OSError(28, "No space left on device"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_check_of_a_directory_that_a_file_stands_for(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    good, words = health.examine(str(tmp_path / "state"), journal.FILE)

    assert (good, "Move that away" in words) == (False, True)


@pytest.mark.parametrize("how", ["emptied", "gone"])
def test_an_emptied_journal_is_told_once(directory: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    if how == "emptied":
        (directory / journal.FILE).write_bytes(b"")
    else:
        (directory / journal.FILE).unlink()
    log = Journal(str(directory), 365, 64)

    log.begin(PAUSE)

    said = log.news()
    assert "a new one begins: there was one from" in said
    assert said in caplog.text
    assert log.news() == ""
    log.close()
    again = Journal(str(directory), 365, 64)
    again.pending()
    assert again.news() == ""
    again.close()


def test_the_check_tells_of_an_emptied_one(directory: Path) -> None:
    (directory / journal.FILE).write_bytes(b"")

    assert health.examine(str(directory), journal.FILE) == (False, "it is empty, though there was one before")


class Clock:
    """The wall clock and the monotonic one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.steady = 1795255200.0, 1000.0
        monkeypatch.setattr("time.time", lambda: self.wall)
        monkeypatch.setattr("time.monotonic", lambda: self.steady)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "at a start"])
def test_a_clock_that_is_a_year_ahead_makes_nothing_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(journal, "_TIDY_EVERY", 1)
    log = Journal(str(tmp_path), 365, 64)
    log.end(log.begin(PAUSE).id, DONE)
    clock.wall += 366 * DAY
    for number in range(1, 4):
        if restarted:
            log.close()
            log = Journal(str(tmp_path), 365, 64)
        log.end(log.begin(replace(PAUSE, rid=f"{number:032}")).id, DONE)
    clock.wall -= 366 * DAY

    assert log.begin(PAUSE).answer is not None
    log.close()


def test_what_is_really_old_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(journal, "_TIDY_EVERY", 1)
    log = Journal(str(tmp_path), 365, 64)
    log.end(log.begin(PAUSE).id, DONE)
    clock.passes(366 * DAY)

    assert log.begin(PAUSE).answer is None
    log.close()
