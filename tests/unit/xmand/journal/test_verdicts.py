"""What became of a change after a crash (`xmand.journal.verdicts`), for each verb and each state of libvirt's."""

import hashlib
from typing import Any
from unittest.mock import Mock

import pytest

from xman import between
from xman.errors import HypervisorError, NoSuchDomainError
from xman.metadata import Job, Metadata
from xman.values import MIB
from xmand.journal import verdicts
from xmand.journal.entries import Change
from xmand.journal.verdicts import Verdict
from xmand.verbs import JUDGES
from xmand.virt import lifecycle, metadata
from xmand.virt.domain import Domain

UUID = "11111111-2222-3333-4444-555555555555"
OK, UNREACHABLE, UNKNOWN = 0, 6, 10


def change(verb: str, options: dict[str, Any] | None = None, asked: dict[str, Any] | None = None) -> Change:
    """Return a change of vm1 that was begun."""
    said = {"options": options or {}} | (asked or {})
    return Change("alice@R", "0" * 32, "d", "192.0.2.7:1", verb, "vm1", "", said)


def a_domain(state: str = "running", **facts: Any) -> Any:
    """Return a domain in a state, as libvirt would report it."""
    domain = Mock(spec=Domain)
    domain.name = "vm1"
    domain.uuid = UUID
    domain.state.return_value = (state, 0)
    domain.active.return_value = state not in ("shutoff", "crashed")
    domain.memory.return_value = (facts.get("memory", 512) * MIB, 1024 * MIB)
    domain.vcpus.return_value = (facts.get("vcpus", 1), 4)
    # What is kept of one that is, is of another size.
    domain.persistent.return_value = not facts.get("kept", True)
    domain.raw = Mock()
    domain.raw.XMLDesc.return_value = "<domain><memory>1024</memory><vcpu>4</vcpu></domain>"
    return domain


def judge(begun: Change, uuid: str, domain: Domain | None) -> Verdict:
    """Judge a change as its verb's row says."""
    return verdicts.judge(JUDGES.get(begun.verb, verdicts.cannot_tell), begun, uuid, domain)


def summary(verdict: Verdict) -> tuple[int, bool]:
    """Return the class, and whether a retry may act."""
    return verdict.answer.code, verdict.again


def with_snapshots(*names: str) -> Any:
    """Return a domain that has these."""
    domain = a_domain()
    domain.raw.snapshotNum.return_value = len(names)
    domain.raw.hasCurrentSnapshot.return_value = 0
    texts = [f"<domainsnapshot><name>{name}</name></domainsnapshot>" for name in names]
    domain.raw.listAllSnapshots.return_value = [Mock(getXMLDesc=Mock(return_value=text)) for text in texts]
    return domain


RUNNING, PAUSED, OFF, GONE = "running", "paused", "shutoff", None
DONE, NOT_DONE, NOBODY_KNOWS, ASK_AGAIN = (OK, False), (UNREACHABLE, True), (UNKNOWN, False), (UNKNOWN, True)


@pytest.mark.parametrize(
    ("verb", "state", "expected"),
    [
        ("start", RUNNING, DONE),
        ("start", OFF, NOT_DONE),
        ("start", GONE, NOT_DONE),
        ("resume", RUNNING, DONE),
        ("resume", OFF, NOT_DONE),
        ("destroy", OFF, DONE),
        ("destroy", GONE, DONE),
        ("destroy", RUNNING, NOT_DONE),
        ("destroy", PAUSED, NOT_DONE),
        ("shutdown", OFF, DONE),
        ("shutdown", GONE, DONE),
        ("shutdown", RUNNING, ASK_AGAIN),
        ("pause", PAUSED, DONE),
        ("pause", RUNNING, NOT_DONE),
        ("pause", OFF, NOT_DONE),
        ("pause", GONE, NOT_DONE),
        ("unpause", RUNNING, DONE),
        ("unpause", PAUSED, NOT_DONE),
        ("unpause", OFF, NOT_DONE),
        ("delete", GONE, DONE),
        ("delete", OFF, NOT_DONE),
        ("migrate", RUNNING, NOT_DONE),
        ("migrate", GONE, NOBODY_KNOWS),
        ("migrate", OFF, NOBODY_KNOWS),
        ("reboot", RUNNING, NOBODY_KNOWS),
        ("reboot", OFF, NOBODY_KNOWS),
        ("freeze", PAUSED, ASK_AGAIN),
        ("preempt", RUNNING, ASK_AGAIN),
        ("maintenance", GONE, ASK_AGAIN),
    ],
)
def test_by_the_state_of_the_domain(verb: str, state: str | None, expected: tuple[int, bool]) -> None:
    domain = None if state is None else a_domain(state)

    assert summary(judge(change(verb), "", domain)) == expected


@pytest.mark.parametrize(
    ("verb", "uuid", "state", "replaces", "expected"),
    [
        ("create", "", GONE, False, NOT_DONE),
        ("create", UUID, GONE, False, NOT_DONE),
        ("create", UUID, RUNNING, False, DONE),
        ("create", UUID, OFF, False, ASK_AGAIN),
        ("create", UUID, OFF, True, ASK_AGAIN),
        ("new", UUID, OFF, False, DONE),
        ("new", UUID, OFF, True, ASK_AGAIN),
        ("new", UUID, GONE, False, NOT_DONE),
        ("new", "", GONE, False, NOT_DONE),
    ],
)
def test_what_was_to_be_defined(
    verb: str, uuid: str, state: str | None, replaces: bool, expected: tuple[int, bool]
) -> None:
    domain = None if state is None else a_domain(state)

    assert summary(judge(change(verb, asked={"replaces": replaces}), uuid, domain)) == expected


@pytest.mark.parametrize(
    ("state", "saved", "expected"),
    [(OFF, True, DONE), (OFF, False, NOT_DONE), (RUNNING, False, NOT_DONE), (RUNNING, True, NOT_DONE)],
)
def test_a_suspend(monkeypatch: pytest.MonkeyPatch, state: str, saved: bool, expected: tuple[int, bool]) -> None:
    monkeypatch.setattr(lifecycle, "suspended", lambda _domain: saved)

    assert summary(judge(change("suspend"), "", a_domain(state))) == expected


@pytest.mark.parametrize(
    ("word", "now", "expected"), [("on", True, DONE), ("on", False, NOT_DONE), ("off", False, DONE)]
)
def test_an_autostart(monkeypatch: pytest.MonkeyPatch, word: str, now: bool, expected: tuple[int, bool]) -> None:
    monkeypatch.setattr(lifecycle, "autostart", lambda _domain: now)

    assert summary(judge(change("autostart", asked={"on|off": [word]}), "", a_domain())) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["course=os1", "week-"], DONE),
        (["course=os2"], NOT_DONE),
        (["course-"], NOT_DONE),
        (["new=1"], NOT_DONE),
        ([], DONE),
    ],
)
def test_a_label(monkeypatch: pytest.MonkeyPatch, words: list[str], expected: tuple[int, bool]) -> None:
    monkeypatch.setattr(metadata, "read", lambda _domain: Metadata(labels=(("course", "os1"),)))

    assert summary(judge(change("label", asked={"KEY=VALUE|KEY-": words}), "", a_domain())) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"TERMINAL|off": ["term1"]}, DONE),
        ({"TERMINAL|off": ["term2"]}, NOT_DONE),
        ({"TERMINAL|off": ["off"]}, NOT_DONE),
        ({"TERMINAL|off": ["term2"], "this-run": True}, DONE),
        ({"TERMINAL|off": ["term1"], "this-run": True}, NOT_DONE),
    ],
)
def test_a_terminal(monkeypatch: pytest.MonkeyPatch, asked: dict[str, object], expected: tuple[int, bool]) -> None:
    monkeypatch.setattr(metadata, "read", lambda _domain: Metadata(terminal="term1", given="term2"))

    assert summary(judge(change("assign", asked=asked), "", a_domain())) == expected


@pytest.mark.parametrize(
    ("now", "kept", "expected"), [(512, True, DONE), (512, False, NOT_DONE), (256, True, NOT_DONE)]
)
def test_a_size(now: int, kept: bool, expected: tuple[int, bool]) -> None:
    domain = a_domain(memory=now, vcpus=now // 256, kept=kept)

    assert summary(judge(change("mem-set", asked={"MIB": ["512"]}), "", domain)) == expected
    assert summary(judge(change("vcpu-set", asked={"N": ["2"]}), "", domain)) == expected


@pytest.mark.parametrize(
    ("verb", "there", "expected"),
    [
        ("job-start", True, DONE),
        ("job-start", False, NOT_DONE),
        ("job-stop", True, NOT_DONE),
        ("job-stop", False, DONE),
    ],
)
def test_a_job(monkeypatch: pytest.MonkeyPatch, verb: str, there: bool, expected: tuple[int, bool]) -> None:
    found = Metadata(jobs=(Job("4711"),) if there else ())
    monkeypatch.setattr(metadata, "read", lambda _domain: found)

    assert summary(judge(change(verb, options={"id": "4711"}), "", a_domain())) == expected


@pytest.mark.parametrize("verb", ["job-renew", "job-claim"])
def test_what_only_begins_a_term_anew_may_be_tried_again(verb: str) -> None:
    assert judge(change(verb, options={"id": "4711"}), "", a_domain()).again


@pytest.mark.parametrize("verb", ["migrate", "destroy", "pause"])
def test_one_that_goes_while_it_is_looked_at_is_gone(verb: str) -> None:
    domain = a_domain()
    domain.state.side_effect = domain.active.side_effect = NoSuchDomainError("vm1")

    found, gone = judge(change(verb), "", domain), judge(change(verb), "", None)

    assert (summary(found), found.answer.message) == (summary(gone), gone.answer.message)


def test_an_abort_of_a_migration_leaves_no_trace() -> None:
    assert summary(judge(change("migrate", options={"abort": True}), "", a_domain())) == NOBODY_KNOWS


def test_of_a_dry_run_nothing_comes() -> None:
    assert summary(judge(change("preempt", options={"dry-run": True}), "", a_domain())) == NOT_DONE


def test_every_verb_that_changes_something_has_a_judge() -> None:
    changing = {verb.name for verb in between.EVERY.values() if verb.changes or verb.journalled}

    assert changing == set(JUDGES)


def test_a_verb_of_a_later_release_cannot_be_judged() -> None:
    assert summary(judge(change("teleport"), "", a_domain())) == NOBODY_KNOWS


def test_the_message_says_what_happened_and_what_to_do() -> None:
    verdict = judge(change("create"), UUID, a_domain(OFF))

    assert verdict.answer.message == (
        "xmand ended during the create: 'vm1' is defined and does not run; start it, or try again."
    )


def test_a_libvirt_that_does_not_answer_is_not_taken_for_a_state() -> None:
    domain = a_domain()
    domain.active.side_effect = HypervisorError("no")

    with pytest.raises(HypervisorError):
        judge(change("start"), "", domain)


@pytest.mark.parametrize(
    ("names", "meant", "expected"),
    [(["then"], True, DONE), (["then"], False, NOT_DONE), (["other"], True, NOT_DONE), ([], True, NOT_DONE)],
    ids=["made", "it was there before", "another", "none"],
)
def test_a_snapshot_is_ours_where_it_was_written_down_as_meant(
    names: list[str], meant: bool, expected: tuple[int, bool]
) -> None:
    asked: dict[str, Any] = {"NAME": ["then"]} | ({"replaces": False} if meant else {})

    assert summary(judge(change("snapshot", asked=asked), UUID, with_snapshots(*names))) == expected


@pytest.mark.parametrize(("names", "expected"), [(["then", "other"], NOT_DONE), (["other"], DONE), ([], DONE)])
def test_a_snapshot_is_deleted_where_it_is_gone(names: list[str], expected: tuple[int, bool]) -> None:
    found = change("snapshot-delete", asked={"NAME": ["then"]})

    assert summary(judge(found, UUID, with_snapshots(*names))) == expected


_WITH = "<domain><devices><disk><target dev='vdb'/></disk></devices></domain>"
_WITHOUT = "<domain><devices/></domain>"


@pytest.mark.parametrize(
    ("live", "kept", "expected"),
    [
        (_WITH, _WITH, NOT_DONE),
        (_WITHOUT, _WITHOUT, DONE),
        (_WITH, _WITHOUT, ASK_AGAIN),  # the guest has it still
        (_WITHOUT, _WITH, ASK_AGAIN),
    ],
)
def test_a_disk_is_gone_where_neither_description_has_it(live: str, kept: str, expected: tuple[int, bool]) -> None:
    domain = a_domain()
    domain.persistent.return_value = True
    domain.description.side_effect = lambda inactive=False: kept if inactive else live

    assert summary(judge(change("block-detach", asked={"DEV": ["vdb"]}), UUID, domain)) == expected


@pytest.mark.parametrize(("word", "expected"), [("mac", ASK_AGAIN), ("bridge", NOBODY_KNOWS)])
def test_a_card_without_an_address_of_its_own_is_not_asked_for_twice(word: str, expected: tuple[int, bool]) -> None:
    assert summary(judge(change("network-attach", asked={"KEY=VALUE": [word]}), UUID, a_domain())) == expected


VOLUME = {"pool": "p", "name": "v"}


@pytest.mark.parametrize(
    ("asked", "made", "deleted"),
    [
        ({}, NOT_DONE, NOT_DONE),
        ({"makes": [VOLUME], "unseen": []}, DONE, NOT_DONE),
        ({"makes": [], "unseen": []}, NOT_DONE, DONE),
        # Its pool is not active.
        ({"makes": [], "unseen": [VOLUME]}, ASK_AGAIN, ASK_AGAIN),
    ],
)
def test_a_volume_is_made_or_gone_where_that_is_seen(
    asked: dict[str, Any], made: tuple[int, bool], deleted: tuple[int, bool]
) -> None:
    assert summary(judge(change("volume-create", asked=asked), "", None)) == made
    assert summary(judge(change("volume-delete", asked=asked), "", None)) == deleted


@pytest.mark.parametrize(("asked", "expected"), [({}, NOT_DONE), ({"replaces": False}, NOBODY_KNOWS)])
def test_a_revert_came_to_nothing_where_libvirt_was_not_told(asked: dict[str, Any], expected: tuple[int, bool]) -> None:
    assert summary(judge(change("snapshot-revert", asked=asked), UUID, a_domain())) == expected


PLACE = {"pool": "p", "name": "vm2-vda.qcow2"}


@pytest.mark.parametrize(
    ("asked", "there", "expected"),
    [
        ({}, False, NOT_DONE),
        ({"replaces": False, "makes": [PLACE]}, True, DONE),
        ({"replaces": False, "makes": [PLACE]}, False, NOT_DONE),
        ({"replaces": False}, False, NOT_DONE),
    ],
)
def test_a_clone_is_one_where_it_is_defined(asked: dict[str, Any], there: bool, expected: tuple[int, bool]) -> None:
    found = judge(change("clone", asked=asked), UUID, a_domain("shutoff") if there else None)

    assert summary(found) == expected
    left = not there and "makes" in asked
    assert ("'vm2-vda.qcow2' in the pool 'p'" in (found.answer.message or "")) is left


@pytest.mark.parametrize(
    ("uuid", "state", "wanted", "expected"),
    [
        ("", OFF, "vm1", NOT_DONE),
        (UUID, OFF, "vm1", DONE),
        (UUID, OFF, "vm2", NOT_DONE),
        (UUID, GONE, "vm1", NOT_DONE),
    ],
)
def test_a_rename_by_the_name_that_it_has(
    uuid: str, state: str | None, wanted: str, expected: tuple[int, bool]
) -> None:
    found = change("rename", asked={"NEWNAME": [wanted]})

    assert summary(judge(found, uuid, a_domain(state) if state else None)) == expected


@pytest.mark.parametrize(("kept", "expected"), [("<domain/>", NOT_DONE), ("<domain>1</domain>", NOBODY_KNOWS)])
def test_an_edit_came_to_nothing_where_what_it_was_made_of_is_there(kept: str, expected: tuple[int, bool]) -> None:
    domain = a_domain("shutoff")
    domain.description.return_value = kept
    was = hashlib.sha256(b"<domain/>").hexdigest()

    assert summary(judge(change("edit", {"was": was}), UUID, domain)) == expected
    assert summary(judge(change("edit", {"was": was}), UUID, None)) == NOT_DONE
