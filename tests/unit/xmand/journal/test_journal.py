"""The journal of changes (`xmand.journal`), on a real file."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from xman.result import Result
from xmand import journal
from xmand.answer import Answer
from xmand.journal import Journal, JournalError
from xmand.journal.entries import Change, ConflictError

PAUSE = Change("alice@R", "0" * 32, "d1", "192.0.2.7:1", "pause", "vm1", "tea", {"options": {}})
DONE = Answer(0, 12, done=Result({"a": 1}, changed=True, domain="vm1", notes=("Done.",)))
FAILED = Answer(8, 3, "libvirt says no.")
UUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def log(tmp_path: Path) -> Journal:
    """An empty journal."""
    return Journal(str(tmp_path / "state"), keep_days=365, most_mib=64)


def reopened(tmp_path: Path, log: Journal) -> Journal:
    """Return another journal on the same file, as after a restart."""
    log.close()
    return Journal(str(tmp_path / "state"), keep_days=365, most_mib=64)


def test_a_new_change_may_act(log: Journal) -> None:
    begun = log.begin(PAUSE)

    assert (begun.answer, begun.pending) == (None, False)


def test_who_asks_again_gets_the_answer(tmp_path: Path, log: Journal) -> None:
    log.end(log.begin(PAUSE).id, DONE)

    stored = reopened(tmp_path, log).begin(PAUSE).answer

    assert stored is not None
    assert stored.output("pause", "vm1", as_json=False) == DONE.output("pause", "vm1", as_json=False)
    assert (stored.code, stored.ms) == (0, 12)


def test_a_failure_is_kept_as_well(log: Journal) -> None:
    log.end(log.begin(PAUSE).id, FAILED)

    assert log.begin(PAUSE).answer == FAILED


def test_an_id_is_its_principals_own(log: Journal) -> None:
    log.end(log.begin(PAUSE).id, DONE)

    assert log.begin(replace(PAUSE, principal="bob@R")).answer is None


def test_an_id_stands_for_one_request(log: Journal) -> None:
    log.end(log.begin(PAUSE).id, DONE)

    with pytest.raises(ConflictError):
        log.begin(replace(PAUSE, digest="d2"))


def test_what_has_no_end_is_pending(tmp_path: Path, log: Journal) -> None:
    log.begin(PAUSE)
    log.end(log.begin(replace(PAUSE, rid="1" * 32)).id, DONE)

    again = reopened(tmp_path, log)

    assert again.begin(PAUSE).pending
    (entry,) = again.pending()
    assert entry.change == PAUSE


def test_what_is_about_to_be_defined(log: Journal) -> None:
    log.intend(log.begin(PAUSE).id, "vm7", UUID, replaces=True)

    (entry,) = log.pending()
    assert (entry.change.domain, entry.uuid, entry.change.asked) == ("vm7", UUID, {"options": {}, "replaces": True})


def test_what_nothing_came_of_may_be_tried_again(log: Journal) -> None:
    begun = log.begin(PAUSE)
    log.intend(begun.id, "vm1", UUID)
    log.end(begun.id, FAILED, recovered=True, again=True)

    second = log.begin(PAUSE)

    assert (second.id, second.answer, second.pending) == (begun.id, None, False)
    assert (log.pending()[0].answer, log.pending()[0].uuid) == (None, "")
    log.end(second.id, DONE)
    assert log.begin(PAUSE).answer is not None


def test_what_may_have_happened_is_tried_again_in_doubt(log: Journal) -> None:
    unknown = Answer(10, message="it may have happened.")
    log.end(log.begin(PAUSE).id, unknown, recovered=True, again=True)

    begun = log.begin(PAUSE)

    assert (begun.answer, begun.pending, begun.doubt) == (None, False, unknown)


def test_reading_by_time_principal_and_domain(log: Journal) -> None:
    for number, (principal, domain) in enumerate([("alice@R", "vm1"), ("bob@R", "vm1"), ("alice@R", "vm2")]):
        begun = log.begin(replace(PAUSE, rid=f"{number:032}", principal=principal, domain=domain))
        log.end(begun.id, DONE, UUID if domain == "vm2" else "")

    def found(**conditions: object) -> list[int]:
        return [int(entry.change.rid) for entry in log.read(**conditions)]  # type: ignore[arg-type]

    assert found() == [0, 1, 2]
    assert found(principal="alice@R") == [0, 2]
    assert found(domain="vm1") == [0, 1]
    assert found(domain=UUID.upper()) == [2]
    assert found(principal="alice@R", domain="vm1") == [0]
    assert found(most=2) == [1, 2]
    assert found(since=4e9) == []


def test_what_was_asked_of_a_domain_by_its_uuid_is_found_by_its_name(log: Journal) -> None:
    other = UUID.replace("1", "9")
    for number, (word, name, uuid) in enumerate(
        [
            (UUID, "vm1", UUID),
            (UUID.upper(), "", UUID),
            ("vm2", "vm2", other),
            (other, "", other),
            ("vm1", "vm1", other),
        ]
    ):
        begun = log.begin(replace(PAUSE, rid=f"{number:032}", domain=word))
        log.end(begun.id, replace(DONE, done=Result(changed=True, domain=name)) if name else FAILED, uuid)

    def found(name: str) -> list[int]:
        return [int(entry.change.rid) for entry in log.read(domain=name)]

    # The last one: another domain that had that name later.
    assert found("vm1") == [0, 1, 3, 4]
    assert found("vm2") == [2, 3]
    assert found("vm") == found("VM1") == []


def test_a_directory_that_cannot_be_is_an_error_and_recovers(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    log = Journal(str(tmp_path / "state"), 365, 64)

    with pytest.raises(JournalError, match="state"):
        log.begin(PAUSE)
    (tmp_path / "state").unlink()

    assert log.begin(PAUSE).answer is None


def test_what_is_no_journal_is_an_error_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / journal.FILE).write_bytes(b"not a database " * 100)

    with pytest.raises(JournalError, match="not a database"):
        Journal(str(tmp_path / "state"), 365, 64).begin(PAUSE)
    assert (tmp_path / "state" / journal.FILE).read_bytes().startswith(b"not a database")


def test_two_daemons_do_not_share_a_file(tmp_path: Path, log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_BUSY_SECONDS", 0.0)
    log.begin(PAUSE)

    with pytest.raises(JournalError, match="locked"):
        Journal(str(tmp_path / "state"), 365, 64).pending()


def test_an_end_that_cannot_be_written_is_owed(tmp_path: Path, log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = log.begin(PAUSE)
    log.close()
    (tmp_path / "state").rename(tmp_path / "away")
    (tmp_path / "state").write_text("in the way")

    log.end(begun.id, DONE)

    (tmp_path / "state").unlink()
    (tmp_path / "away").rename(tmp_path / "state")
    assert log.begin(PAUSE).answer is not None


def test_nobody_else_may_read_it(tmp_path: Path, log: Journal) -> None:
    log.begin(PAUSE)

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    for file in (tmp_path / "state").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_too_old_goes_but_nothing_open(tmp_path: Path) -> None:
    log = Journal(str(tmp_path / "state"), keep_days=0, most_mib=64)
    log.begin(PAUSE)
    log.end(log.begin(replace(PAUSE, rid="1" * 32)).id, DONE)

    log.close()
    log = Journal(str(tmp_path / "state"), keep_days=0, most_mib=64)
    log.begin(replace(PAUSE, rid="2" * 32))

    assert [entry.change.rid[0] for entry in log.read()] == ["0", "2"]


def test_it_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_TIDY_EVERY", 1)
    log = Journal(str(tmp_path / "state"), keep_days=365, most_mib=1)
    long = Answer(8, 0, "x" * 10_000)
    first = log.begin(PAUSE)

    for number in range(1, 200):
        log.end(log.begin(replace(PAUSE, rid=f"{number:032}")).id, long)

    kept = log.read()
    assert kept[0].id == first.id  # it has not ended
    assert kept[-1].change.rid == f"{199:032}"
    assert 50 < len(kept) < 110


def test_a_file_that_a_later_release_added_to(tmp_path: Path, log: Journal) -> None:
    log.end(log.begin(PAUSE).id, DONE)
    log.close()
    with sqlite3.connect(tmp_path / "state" / journal.FILE) as later:
        later.execute("ALTER TABLE change ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'")
        later.execute("PRAGMA user_version = 99")
    later.close()

    again = reopened(tmp_path, log)

    assert again.begin(PAUSE).answer is not None
    again.begin(replace(PAUSE, rid="1" * 32))
    again.close()
    with sqlite3.connect(tmp_path / "state" / journal.FILE) as later:
        assert later.execute("PRAGMA user_version").fetchone() == (99,)
    later.close()


def test_every_commit_is_synchronised(log: Journal) -> None:
    log.begin(PAUSE)

    with log._use() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_one_that_is_new_has_nothing_to_settle(tmp_path: Path, log: Journal) -> None:
    assert log.pending() == []

    assert reopened(tmp_path, log).pending() == []
