"""edit and rename of real QEMU guests: what another description keeps, and what is refused; nothing written is lost."""

import hashlib
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_snapshots import image, with_disk
from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for

REFUSED, USAGE, DENIED = 3, 2, 5
SCREEN = "<graphics type='vnc' port='-1' passwd='s3cret'/>"
Editing = Callable[[str], Answer]


@pytest.fixture
def guest(lab: Lab, own_name: str) -> Iterator[Guest]:
    """A guest that is off, with a disk, a password and a label."""
    made = Guest(own_name, lab.first.directory, memory_mib=32)
    described = with_disk(made, image(lab, own_name)).replace("</devices>", f"{SCREEN}</devices>")
    assert lab.rxm("new", "-", stdin=described).status == 0
    assert lab.rxm("label", own_name, "course=os1").status == 0
    yield made
    for name in (own_name, f"{own_name}-new"):
        lab.rxm("-q", "destroy", name)
        lab.first.virsh("undefine", "--snapshots-metadata", "--managed-save", name)


@pytest.fixture
def edited(lab: Lab, guest: Guest, tmp_path: Path) -> Editing:
    """rxm edit, with an editor that a shell's words stand for ($1 is the file)."""

    def edit(words: str) -> Answer:
        script = tmp_path / "editor"
        script.write_text(f"#!/bin/sh\n{words}\n")
        script.chmod(0o755)
        env = {**lab.alice, "VISUAL": "", "EDITOR": str(script), "TMPDIR": str(tmp_path)}
        return lab.xmand.rxm(env, "edit", guest.name)

    return edit


def kept(lab: Lab, guest: Guest) -> str:
    """Return what libvirt keeps of it, passwords as well."""
    return lab.first.virsh("dumpxml", "--inactive", "--security-info", guest.name).stdout


def texts(folder: Path) -> list[Path]:
    return sorted(folder.glob("rxm-*.xml"))


def test_what_is_not_shown_stays_and_what_runs_has_it_at_its_next_start(
    lab: Lab, guest: Guest, edited: Editing, tmp_path: Path
) -> None:
    assert lab.rxm("start", "--paused", guest.name).status == 0

    # Ctrl-C in an editor is the editor's.
    seen = f"stat -c %a $1 > {tmp_path}/mode; grep -c s3cret $1 > {tmp_path}/shown"
    done = edited(f"{seen}; kill -INT $PPID; sed -i s/32768/65536/g $1")

    assert (done.status, "takes effect at its next start" in done.stderr) == (0, True), done
    now = kept(lab, guest)
    assert ">65536<" in now
    assert "passwd='s3cret'" in now
    assert lab.rxm("label", guest.name).stdout == "course=os1\n"
    assert f"<memory unit='KiB'>{32 << 10}<" in lab.rxm("describe", guest.name).stdout
    assert (tmp_path / "mode").read_text() == "600\n"
    assert (tmp_path / "shown").read_text() == "0\n"
    assert texts(tmp_path) == []


def test_a_change_that_happened_meanwhile_is_not_written_over_and_the_text_is_kept(
    lab: Lab, guest: Guest, edited: Editing, tmp_path: Path
) -> None:
    meanwhile = " ".join([*lab.first.prefix, "virsh", "-c", "qemu:///system", "desc", guest.name, "--config", "theirs"])

    refused = edited(f"sed -i s/32768/65536/g $1; {meanwhile}")

    (text,) = texts(tmp_path)
    assert (refused.status, "changed meanwhile" in refused.stderr, str(text) in refused.stderr) == (REFUSED, True, True)
    assert ">65536<" in text.read_text()
    assert stat.S_IMODE(text.stat().st_mode) == 0o600
    now = kept(lab, guest)
    assert ("theirs" in now, ">65536<" in now) == (True, False)


def test_a_mistake_costs_nothing(lab: Lab, guest: Guest, edited: Editing, tmp_path: Path) -> None:
    before = kept(lab, guest)

    broken = edited("sed -i s/.memory/memory/ $1")
    unknown = edited("sed -i 's/<vcpu/<bogus/; s/vcpu>/bogus>/' $1")
    other = edited(f"sed -i s/{guest.name}/{guest.name}-new/ $1")
    failed = edited("exit 1")
    same = edited("true")

    assert [answer.status for answer in (broken, unknown, other)] == [USAGE, USAGE, USAGE], (broken, unknown, other)
    assert "rxm rename" in other.stderr
    assert len(texts(tmp_path)) == 3
    assert (failed.status, "ended with status 1" in failed.stderr) == (REFUSED, True), failed
    assert (same.status, "was not changed" in same.stderr) == (0, True), same
    assert kept(lab, guest) == before


def test_by_a_file_and_what_it_was_made_of(lab: Lab, guest: Guest) -> None:
    shown = lab.rxm("describe", "--inactive", guest.name).stdout
    was = hashlib.sha256(shown.encode()).hexdigest()
    text = re.sub("32768", "65536", shown)

    without = lab.rxm("edit", guest.name, "-", stdin=text)
    dry = lab.rxm("edit", "--dry-run", "--was", was, guest.name, "-", stdin=text)
    before = kept(lab, guest)
    done = lab.rxm("-j", "edit", "--was", was, guest.name, "-", stdin=text)

    assert (without.status, "--was" in without.stderr) == (USAGE, True)
    assert (dry.status, ">65536<" in before) == (0, False)
    assert done.json()["changed"] is True
    assert ">65536<" in kept(lab, guest)


def test_who_creates_within_limits_edits_and_clones_what_is_his(lab: Lab, guest: Guest, own_name: str) -> None:
    lab.realm.add_principal("hana", PASSWORD)
    hana = lab.realm.kinit("hana", PASSWORD, "hana")
    tables = '[authorize]\nmethods = ["principals"]\n[authorize.principals]\n"hana@XMAN.TEST" = ["life", "show"]\n'
    daemon = lab.first.xmand(lab.realm, tables=tables, port=4388)
    mine, copy = f"{own_name}-mine", f"{own_name}-new"
    text = f"<domain type='qemu'><name>{mine}</name><memory>32768</memory><os><type>hvm</type></os></domain>"
    try:
        made = daemon.rxm(hana, "new", "-", stdin=text)
        shown = daemon.rxm(hana, "describe", "--inactive", mine).stdout
        words = ("edit", "--was", hashlib.sha256(shown.encode()).hexdigest(), mine, "-")
        cloned = daemon.rxm(hana, "clone", mine, copy)
        emulator = daemon.rxm(
            hana, *words, stdin=re.sub("<emulator>.*</emulator>", "<emulator>/bin/sh</emulator>", shown)
        )
        edited = daemon.rxm(hana, *words, stdin=shown.replace("32768", "65536"))

        assert "<emulator>" in shown, "what libvirt has added is there, and nobody's wish"
        assert (made.status, cloned.status, edited.status) == (0, 0, 0), (made, cloned, edited)
        assert (emulator.status, "devices/emulator" in emulator.stderr) == (DENIED, True)
    finally:
        for name in (mine, copy):
            lab.first.virsh("undefine", name)
        assert daemon.stop() == 0


def test_a_password_is_taken_away_only_by_saying_so(lab: Lab, guest: Guest, edited: Editing) -> None:
    assert edited("sed -i \"s/<graphics type='vnc'/& passwd=''/\" $1").status == 0

    assert "passwd" not in kept(lab, guest)


def test_a_renamed_one_goes_back_to_its_snapshots(lab: Lab, guest: Guest) -> None:
    assert lab.rxm("snapshot", guest.name, "first").status == 0
    new = f"{guest.name}-new"

    renamed = lab.rxm("rename", guest.name, new)

    assert renamed.status == 0, renamed
    back = lab.rxm("snapshot-revert", new, "first")
    assert back.status == 0, back
    listed = lab.rxm("-j", "snapshot-list", new).json()["result"]["snapshots"]
    assert [row["snapshot"] for row in listed] == ["first"]
    assert lab.rxm("list", guest.name).status == 7
    wait_for(lambda: lab.rxm("label", new).stdout == "course=os1\n", 20, "its label")
    assert lab.rxm("snapshot-delete", new, "first").status == 0
