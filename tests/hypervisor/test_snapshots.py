"""Snapshots of real QEMU guests: what comes back, and what is refused before anything is begun."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_qemu import ticks_go_on
from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.hypervisor import Guest

REFUSED, UNSUPPORTED = 3, 12
Maker = Callable[..., Guest]


def image(lab: Lab, name: str, form: str = "qcow2") -> Path:
    """Make an empty image of 4 MiB; return where it is."""
    path = lab.first.directory / f"{name}.{form}"
    path.unlink(missing_ok=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", form, path, "4M"], check=True)
    return path


def held(path: Path) -> list[str]:
    """Return the names of the snapshots that an image holds."""
    told = subprocess.run(["qemu-img", "snapshot", "-U", "-l", path], check=True, capture_output=True, text=True).stdout
    return [line.split()[1] for line in told.splitlines()[2:]]


def with_disk(guest: Guest, path: Path, *, boots: bool = False) -> str:
    """Return the description of a guest with that disk; it has nothing to boot unless it `boots`."""
    disk = (
        f"<disk type='file'><driver name='qemu' type='{path.suffix[1:]}'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    description = guest.description() if boots else guest.empty_description()
    return description.replace("</devices>", f"{disk}</devices>")


@pytest.fixture
def made(lab: Lab, own_name: str) -> Iterator[Maker]:
    """Make a domain with an image of its own, off or running (`verb`)."""
    guest = lab.guest(own_name)

    def make(verb: str = "new", form: str = "qcow2", *, boots: bool = False) -> Guest:
        done = lab.rxm(verb, "-", stdin=with_disk(guest, image(lab, own_name, form), boots=boots))
        assert done.status == 0, done
        return guest

    yield make
    lab.rxm("destroy", own_name)
    lab.first.virsh("undefine", "--snapshots-metadata", "--managed-save", own_name)


def result(answer: Answer) -> dict[str, object]:
    assert answer.status == 0, answer
    found: dict[str, object] = answer.json()["result"]
    return found


def test_a_guest_that_runs_goes_back_with_its_memory_and_without_a_boot(lab: Lab, made: Maker) -> None:
    guest = made("create", boots=True)
    guest.wait_until_up()

    kept = result(lab.rxm("-j", "snapshot", "--description", "before the upgrade", guest.name, "before"))
    assert lab.rxm("label", guest.name, "course=os1").status == 0
    back = result(lab.rxm("-j", "snapshot-revert", guest.name, "before"))

    assert (kept["memory"], kept["dry_run"]) == (True, False)
    assert back["state"] == "running"
    assert ticks_go_on(guest)
    assert guest.boots() == 1
    # What xman keeps of it is as it was now, not then.
    assert lab.rxm("label", guest.name).stdout == "course=os1\n"


def test_one_that_is_off_goes_back_and_stays_off(lab: Lab, made: Maker) -> None:
    guest = made()

    for name in ("one", "two"):
        assert lab.rxm("snapshot", guest.name, name).status == 0
    assert lab.rxm("snapshot-revert", guest.name, "one").status == 0

    rows = lab.rxm("-j", "snapshot-list", guest.name).json()["result"]["snapshots"]
    assert [(row["snapshot"], row["state"], row["current"], row["kind"]) for row in rows] == [
        ("one", "off", True, "internal"),
        ("two", "off", False, "internal"),
    ]
    assert held(lab.first.directory / f"{guest.name}.qcow2") == ["one", "two"]
    assert lab.rxm("snapshot-delete", guest.name, "one").status == 0
    assert held(lab.first.directory / f"{guest.name}.qcow2") == ["two"]


def test_a_snapshot_of_an_off_one_stops_what_runs(lab: Lab, made: Maker) -> None:
    guest = made()
    assert lab.rxm("snapshot", guest.name, "off").status == 0
    assert lab.rxm("start", guest.name).status == 0

    told = lab.rxm("snapshot-revert", "--dry-run", guest.name, "off")
    back = lab.rxm("-j", "snapshot-revert", guest.name, "off")

    assert "would be off, as it was at" in told.stderr
    assert result(back)["state"] == "shutoff"


def test_what_snapshots_stand_in_the_way_of_is_said_before_it_is_begun(lab: Lab, made: Maker) -> None:
    guest = made("create")
    first = lab.rxm("snapshot", guest.name, "first")
    assert "cannot migrate" in first.stderr

    moved = lab.rxm("migrate", "--live", guest.name, "hv2.xman.test")
    suspended = lab.rxm("suspend", guest.name)
    back = lab.rxm("snapshot-revert", guest.name, "first")
    deleted = lab.rxm("delete", guest.name)

    assert (moved.status, "1 snapshot (first)" in moved.stderr) == (REFUSED, True), moved
    assert (suspended.status, "cannot go back to any before" in suspended.stderr) == (0, True), suspended
    assert (back.status, "saved memory belongs to its disks" in back.stderr) == (REFUSED, True), back
    assert (deleted.status, "--snapshots deletes them" in deleted.stderr) == (REFUSED, True), deleted
    assert held(lab.first.directory / f"{guest.name}.qcow2") == ["first"]


def test_delete_with_snapshots_leaves_none_in_the_image(lab: Lab, made: Maker) -> None:
    guest = made()
    for name in ("one", "two"):
        assert lab.rxm("snapshot", guest.name, name).status == 0

    assert lab.rxm("delete", "--snapshots", guest.name).status == 0

    assert held(lab.first.directory / f"{guest.name}.qcow2") == []
    assert lab.rxm("list", guest.name).status == 7


def test_an_image_that_cannot_hold_one_is_named(lab: Lab, made: Maker) -> None:
    guest = made(form="raw")

    answer = lab.rxm("snapshot", guest.name, "first")

    assert (answer.status, "The disk vda" in answer.stderr) == (UNSUPPORTED, True), answer


def test_external_snapshots_made_past_us_are_shown_and_left_alone(lab: Lab, made: Maker) -> None:
    guest = made()
    assert lab.rxm("snapshot", guest.name, "ours").status == 0
    assert lab.first.virsh("snapshot-create-as", guest.name, "theirs", "--disk-only").status == 0

    for words in (("snapshot", "next"), ("snapshot-revert", "ours"), ("snapshot-delete", "theirs")):
        answer = lab.rxm(words[0], guest.name, words[1])
        assert (answer.status, "external snapshots (theirs)" in answer.stderr) == (UNSUPPORTED, True), answer
    assert "(external)" in lab.rxm("snapshot-list", guest.name).stdout


def test_other_disks_than_then_are_refused_while_the_guest_still_runs(lab: Lab, made: Maker) -> None:
    guest = made()
    assert lab.rxm("snapshot", guest.name, "first").status == 0
    more = image(lab, f"{guest.name}-more")
    attached = lab.first.virsh("attach-disk", guest.name, str(more), "vdb", "--subdriver", "qcow2", "--config")
    assert attached.status == 0, attached
    assert lab.rxm("start", guest.name).status == 0

    answer = lab.rxm("snapshot-revert", guest.name, "first")

    assert (answer.status, "(vdb)" in answer.stderr) == (REFUSED, True), answer
    assert "r-----" in lab.rxm("list", guest.name).stdout


def test_a_name_is_taken_once_and_none_is_invented(lab: Lab, made: Maker) -> None:
    guest = made()
    assert lab.rxm("snapshot", guest.name, "first").status == 0

    assert lab.rxm("snapshot", guest.name, "first").status == REFUSED
    assert lab.rxm("snapshot", guest.name, "17").status == 2  # QEMU would take it for a place in the image
    missing = lab.rxm("snapshot-delete", guest.name, "other")
    assert (missing.status, "it has 1 snapshot (first)" in missing.stderr) == (REFUSED, True), missing
