"""A machine's disks, drives, cards and snapshots on its page: what is offered for which, and what is asked for."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rxmweb.db import report, rights
from rxmweb.web import offers, openapi
from tests.portal.reports import UUID, domain, job
from tests.portal.test_parts import row
from tests.portal.test_views import ALICE, Site, asked, form
from xman import outcome, states

MACHINE = f"{UUID}01"
AT = f"/hosts/h1/machines/{MACHINE}"
DISKS = [
    {"target": "vda", "device": "disk", "read_only": False, "source": "/d/a.qcow2", "bus": "virtio", "format": "qcow2"},
    {"target": "vdb", "device": "disk", "read_only": True, "source": "/d/<b>.img", "bus": "virtio", "format": "raw"},
    {"target": "sda", "device": "cdrom", "read_only": True, "source": "/iso/debian.iso", "format": "raw"},
    {"target": "sdb", "device": "cdrom", "read_only": True},
]
CARDS = [{"type": "network", "mac": "52:54:00:00:00:01", "model": "virtio", "source": "default"}, {"type": "bridge"}]
SNAPSHOTS = [
    {
        "snapshot": "before",
        "created": "2026-11-29T05:00:00Z",
        "state": "running",
        "kind": "internal",
        "current": True,
        "description": "Debian 12",
    }
]
VOLUMES = [
    {"name": "d.iso", "pool": "iso", "kind": "file", "format": "raw", "capacity": 1 << 20, "path": "/iso/d.iso"},
    {"name": "new", "pool": "disks", "kind": "file", "format": "qcow2", "capacity": 1 << 30, "path": "/d/new"},
    {"name": "lv", "pool": "vg", "kind": "block", "format": "raw", "capacity": 1 << 30, "path": "/dev/vg/lv"},
    {"name": "p", "pool": "disks", "kind": "file", "format": "raw", "capacity": 1, "path": "/d/p", "incomplete": True},
]
Answers = dict[str, Any]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Hosts that have reported, and of which none is asked."""
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the host answers to each verb, which a test may change; a message stands for a failure."""
    answers: Answers = {
        "block-list": {"disks": DISKS},
        "network-list": {"interfaces": CARDS},
        "snapshot-list": {"snapshots": SNAPSHOTS},
        "volumes": {"volumes": VOLUMES},
    }

    def ask(_host: str, words: Sequence[str]) -> dict[str, Any]:
        answer = answers[words[0]]
        if isinstance(answer, str):
            return {"ok": False, "code": outcome.UNSUPPORTED, "class": "unsupported", "message": answer}
        return {"ok": True, "result": answer}

    monkeypatch.setattr("rxmweb.web.live._asking", lambda _text="": ask)
    return answers


_BUTTON = re.compile(r'<button name="verb" value="([^"]+)"(?: class="danger")?(?: aria-label="[^"]*: ([^"]+)")?>')


def buttons(text: str) -> list[str]:
    """Return the verbs of a page's buttons for parts, with what each is for."""
    forms = [piece.partition("</form>")[0] for piece in text.split(f'<form method="post" action="{AT}/confirm"')[1:]]
    return [f"{verb} {which}".strip() for one in forms for verb, which in _BUTTON.findall(one)]


def test_each_has_what_can_be_done_to_it(site: Site, told: Answers) -> None:
    alice, _session = site.session(ALICE)

    page = alice.get(f"{AT}/devices").text

    assert "/d/&lt;b&gt;.img" in page
    assert sorted(word for word in buttons(page) if " " in word) == [
        "block-detach vda",
        "block-detach vdb",
        "block-resize vda",
        "cd-eject sda",
        "cd-insert sda",
        "cd-insert sdb",
        "network-detach 1",
        "network-detach 52:54:00:00:00:01",
        "snapshot-delete before",
    ]
    # vm1 has a job, which going back would cost what it has done.
    assert sorted(word for word in buttons(page) if " " not in word) == ["block-attach", "network-attach", "snapshot"]


def test_who_may_not_is_offered_nothing_and_asked_nothing(site: Site, told: Answers) -> None:
    alice, session = site.session(ALICE)
    rights.keep(site.engine, session.id, {"h1": frozenset({"block-list", "cd-eject"})}, own=frozenset())
    told.pop("network-list")

    page = alice.get(f"{AT}/devices").text

    assert buttons(page) == ["cd-eject sda"]
    assert "Network cards" not in page.partition("</h1>")[2]


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"block-list": {"disks": [DISKS[0] | {"format": "raw"}]}}, "snapshot"),
        ({"snapshot-list": {"snapshots": [SNAPSHOTS[0] | {"kind": "external"}]}}, "snapshot"),
        ({"snapshot-list": {"snapshots": [SNAPSHOTS[0] | {"kind": "external"}]}}, "snapshot-delete before"),
        ({"snapshot-list": {"snapshots": [SNAPSHOTS[0] | {"snapshot": "a b"}]}}, "snapshot-delete a b"),
    ],
)
def test_what_its_host_would_refuse_is_not_offered(site: Site, told: Answers, change: Answers, gone: str) -> None:
    alice, _session = site.session(ALICE)
    assert "snapshot" in buttons(alice.get(f"{AT}/devices").text)
    told.update(change)

    assert gone not in buttons(alice.get(f"{AT}/devices").text)


def test_a_part_that_cannot_be_told_is_said_and_the_others_shown(site: Site, told: Answers) -> None:
    alice, _session = site.session(ALICE)
    told["snapshot-list"] = "This host's hypervisor cannot do that."

    page = alice.get(f"{AT}/devices", headers={"HX-Request": "true"}).text

    assert "not supported there" in page
    assert "52:54:00:00:00:01" in page
    assert 'id="part-snapshots"' not in page
    assert "<html" not in page


@pytest.mark.parametrize(
    ("state", "reason", "offered", "kept"),
    [
        (states.DOWN, None, {"snapshot", "snapshot-revert", "block-resize", "cd-insert"}, set()),
        (states.RUNNING, None, {"snapshot", "snapshot-revert", "block-attach"}, set()),
        (states.PREEMPTED, None, {"snapshot", "network-attach"}, {"snapshot-revert"}),
        (states.FROZEN, report.PAUSED, {"snapshot", "snapshot-revert"}, set()),
        (states.FROZEN, report.SAVED, {"cd-eject", "snapshot-delete"}, {"snapshot", "snapshot-revert", "block-resize"}),
        (report.OUTSIDE, "crashed", {"snapshot-delete"}, {"snapshot", "cd-insert", "block-attach", "network-detach"}),
        (report.OUTSIDE, "running", {"snapshot", "snapshot-revert", "cd-insert"}, set()),
    ],
)
def test_a_state_offers_what_it_allows(state: str, reason: str | None, offered: set[str], kept: set[str]) -> None:
    verbs = {offer.verb for offer in offers.of_parts(row(state, reason=reason))}

    assert offered <= verbs
    assert not kept & verbs


@pytest.mark.parametrize(
    ("verb", "given", "expected"),
    [
        ("cd-insert", {"drive": "sda", "medium": "/iso/d.iso"}, ([], ["sda", "/iso/d.iso"], "")),
        ("cd-insert", {"drive": "sda", "medium": "d.iso"}, ([], [], "medium")),
        ("cd-eject", {"drive": "sda", "tray": "yes"}, (["--force"], ["sda"], "")),
        ("block-attach", {"place": "qcow2:/d/a", "as": "vdb", "mode": "r"}, ([], ["qcow2:/d/a", "vdb", "r"], "")),
        ("block-attach", {"place": "/d/a", "as": "vdb", "mode": "w"}, ([], [], "place")),
        ("block-attach", {"place": "phy:/dev/a", "as": "vdb", "mode": "x"}, ([], [], "mode")),
        ("block-resize", {"disk": "vda", "size": "40G"}, ([], ["vda", "40G"], "")),
        ("network-attach", {"network": "default"}, ([], ["network=default"], "")),
        ("network-attach", {"bridge": "br0", "mac": "-x"}, ([], [], "mac")),
        ("snapshot", {"snapshot": "then", "description": "two words"}, (["--description=two words"], ["then"], "")),
        ("snapshot", {"snapshot": "7"}, ([], [], "snapshot")),
        ("snapshot-revert", {"snapshot": "--force"}, ([], [], "snapshot")),
        ("delete", {"snapshots": "yes"}, (["--snapshots"], [], "")),
    ],
)
def test_words_for_a_part(verb: str, given: dict[str, str], expected: tuple[list[str], list[str], str]) -> None:
    assert offers.words(offers.BY_VERB[verb], given) == expected


def test_media_and_disks_are_chosen_from_the_hosts_volumes(site: Site, told: Answers) -> None:
    alice, session = site.session(ALICE)
    target = f"h1/{MACHINE}"

    media = form(alice, f"{AT}/confirm", session, verb="cd-insert", target=target, drive="sda").text
    disks = form(alice, f"{AT}/confirm", session, verb="block-attach", target=target).text

    assert '<option value="/iso/d.iso">d.iso (iso, 1\N{NO-BREAK SPACE}MiB)</option>' in media
    assert "/d/new" not in media
    assert '<option value="phy:/dev/vg/lv">' in disks
    assert '<option value="qcow2:/d/new">' in disks
    assert "/d/p" not in disks
    assert '<input type="hidden" name="drive" value="sda">' in media


def test_what_is_asked_for_a_part_happens_once_and_is_said_in_words(site: Site, told: Answers) -> None:
    alice, session = site.session(ALICE)
    fields = {"verb": "block-resize", "target": f"h1/{MACHINE}", "disk": "vda", "size": "40G", "id": "0123456789abcdef"}

    first, second = (form(alice, "/actions", session, **fields) for _ in range(2))

    assert first.location == second.location
    done = asked(alice, first.location)["action"]
    assert (done["verb"], done["arguments"]) == ("block-resize", ["vda", "40G"])
    assert "vda 40G" in alice.get("/actions").text


def test_a_machine_without_jobs_can_go_back(site: Site, told: Answers) -> None:
    site.report("h1", domain("vm1", 1, "running"))
    alice, session = site.session(ALICE)
    assert "snapshot-revert before" in buttons(alice.get(f"{AT}/devices").text)

    page = form(alice, f"{AT}/confirm", session, verb="snapshot-revert", target=f"h1/{MACHINE}", snapshot="before").text

    assert "Everything since is lost" in page
    site.report("h1", domain("vm1", 1, "running", jobs=[job(1, ALICE)]))
    assert "snapshot-revert before" not in buttons(alice.get(f"{AT}/devices").text)


def test_devices_are_as_the_interface_for_programs_says(site: Site, told: Answers) -> None:
    alice, _session = site.session(ALICE)
    told["network-list"] = "no answer"

    answer = asked(alice, f"{AT}/devices")

    jsonschema.validate(answer, openapi.answer("/hosts/{host}/machines/{uuid}/devices"))
    assert answer["problems"] == [{"of": "interfaces", "code": outcome.UNSUPPORTED, "message": "no answer"}]
    assert "cards" not in answer
