"""Disks, media and cards of real QEMU guests: attached, changed and taken away, now and for the next start."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_snapshots import image, with_disk
from tests.hypervisor.test_unwell import boot_sector, stopped
from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.hypervisor import BOOT_SECONDS, Guest
from tests.lab.process import wait_for

MIB = 1 << 20
REFUSED, TIMEOUT = 3, 11
_DRIVE = "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>"


def described(guest: Guest, path: Path, *, boots: bool = False) -> str:
    """Return a guest with a disk (vda) and an empty drive (hdc)."""
    return with_disk(guest, path, boots=boots).replace("</devices>", f"{_DRIVE}</devices>")


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Iterator[Guest]:
    """A guest that is up, and lets go of what it is asked for."""
    booted = lab.guest("devices1")
    made = lab.rxm("create", "-", stdin=described(booted, image(lab, "devices1"), boots=True))
    assert made.status == 0, made
    booted.wait_until_up()
    yield booted
    lab.rxm("destroy", booted.name)
    lab.rxm("delete", booted.name)


@pytest.fixture
def silent(lab: Lab, own_name: str) -> Iterator[Guest]:
    """A guest that runs and has nothing in it that would let go of anything."""
    other = lab.guest(own_name)
    assert lab.rxm("create", "-", stdin=described(other, image(lab, own_name))).status == 0
    yield other
    lab.rxm("destroy", own_name)
    assert lab.rxm("delete", own_name).status == 0


def xml(lab: Lab, guest: Guest, *words: str) -> etree._Element:
    return etree.fromstring(lab.rxm("describe", *words, guest.name).stdout.encode())


def disks(lab: Lab, guest: Guest) -> tuple[set[str], set[str]]:
    """Return the disks that a guest has, and those that it will have at its next start."""
    now, kept = (xml(lab, guest, *words).iterfind("devices/disk/target") for words in ((), ("--inactive",)))
    return {str(each.get("dev")) for each in now}, {str(each.get("dev")) for each in kept}


def refused(answer: Answer, words: str, status: int = REFUSED) -> None:
    assert (answer.status, words in answer.stderr) == (status, True), answer


def test_a_disk_is_there_at_once_and_from_the_next_start_on_and_goes_again(lab: Lab, guest: Guest) -> None:
    more = image(lab, "devices1-more")

    dry = lab.rxm("block-attach", "--dry-run", guest.name, f"qcow2:{more}", "vdb", "w")
    before = disks(lab, guest)
    done = lab.rxm("-j", "block-attach", guest.name, f"qcow2:{more}", "vdb", "w")
    again = lab.rxm("-j", "block-attach", guest.name, f"qcow2:{more}", "vdb", "w")
    there = disks(lab, guest)

    assert "now and from its next start on" in dry.stderr
    assert "vdb" not in before[0] | before[1]
    assert done.json()["result"] == {
        "target": "vdb", "source": str(more), "live": True, "kept": True, "dry_run": False,
    }  # fmt: skip
    assert (again.json()["ok"], again.json()["changed"]) == (True, False)
    assert all("vdb" in each for each in there)
    gone = lab.rxm("-j", "block-detach", guest.name, "xvdb")
    assert gone.status == 0, gone
    assert disks(lab, guest) == before


def test_what_would_be_written_over_is_refused(lab: Lab, guest: Guest, silent: Guest) -> None:
    theirs, other = lab.first.directory / f"{silent.name}.qcow2", image(lab, "devices1-other")

    refused(lab.rxm("block-attach", guest.name, f"qcow2:{theirs}", "vdb", "w"), f"'{silent.name}' has")
    refused(lab.rxm("block-attach", guest.name, f"qcow2:{other}", "vda", "w"), "name another DEV")
    own = lab.first.directory / "devices1.qcow2"
    refused(lab.rxm("block-attach", guest.name, f"qcow2:{own}", "vdb", "w"), "already, as vda")
    refused(lab.rxm("block-attach", guest.name, f"file:{other}", "vdb", "w"), "write over what makes it one")
    refused(lab.rxm("block-attach", guest.name, f"file:{lab.first.directory}/none", "vdb", "w"), "There is no", 2)
    refused(lab.rxm("block-attach", guest.name, f"file:{lab.first.directory}", "vdb", "w"), "neither a file nor", 2)


def test_a_guest_that_keeps_a_disk_is_told_of_and_the_next_start_is_without_it(lab: Lab, silent: Guest) -> None:
    more = image(lab, f"{silent.name}-more")
    assert lab.rxm("block-attach", silent.name, f"qcow2:{more}", "vdb").status == 0

    first = lab.rxm("block-detach", silent.name, "vdb")
    second = lab.rxm("block-detach", silent.name, "vdb")

    refused(first, "still has it", TIMEOUT)
    refused(second, "still has it", TIMEOUT)
    now, kept = disks(lab, silent)
    assert ("vdb" in now, "vdb" in kept) == (True, False)


def test_a_medium_is_put_in_changed_and_taken_out(lab: Lab, guest: Guest) -> None:
    discs = [image(lab, f"devices1-disc{number}", "raw") for number in (1, 2)]

    for disc in discs:
        done = lab.rxm("-j", "cd-insert", guest.name, "hdc", str(disc))
        assert (done.status, done.json()["changed"]) == (0, True), done
    listed = lab.rxm("-j", "block-list", guest.name).json()["result"]["disks"]
    out = lab.rxm("-j", "cd-eject", guest.name)
    again = lab.rxm("-j", "cd-eject", guest.name, "hdc")

    assert [disk["source"] for disk in listed if disk["target"] == "hdc"] == [str(discs[1])]
    assert (out.json()["changed"], again.json()["changed"]) == (True, False)
    assert xml(lab, guest, "--inactive").find("devices/disk[@device='cdrom']/source") is None
    refused(lab.rxm("cd-insert", guest.name, "vda", str(discs[0])), "is a disk, not a drive")
    refused(lab.rxm("cd-insert", guest.name, "hdc", str(lab.first.directory / "devices1.qcow2")), "writes to")


# A guest that keeps the tray of its drive shut, as one does that has the medium mounted (ATAPI, by the second channel's
# ports): REQUEST SENSE, so that the drive has nothing to tell any more; PREVENT ALLOW MEDIUM REMOVAL; and it stands.
_KEEPS_SHUT = bytes.fromhex(
    "fa bb0300 31c9 e80c00 bb1e00 b90100 e80300 f4 ebfd"  # cli; packet(3, 0); packet(0x1e, 1); hlt
    "ba7601 b0a0 ee ba7701 ec a888 75fb"  # packet: the master, once it is idle
    "ba7101 30c0 ee ba7401 b012 ee 42 ee ba7701 b0a0 ee"  # no DMA; so many octets at a time; PACKET
    "ec a880 75fb a808 74f7"  # once it wants it:
    "ba7001 89d8 ef 31c0 ef 89c8 ef 31c0 ef ef ef"  # bx, 0, cx, 0, 0, 0
    "ba7701 ec a880 75fb c3"  # until it is done
)


def test_a_medium_that_its_guest_holds_fast_is_taken_only_by_force(lab: Lab, own_name: str) -> None:
    sector, disc, other = (image(lab, f"{own_name}-{what}", "raw") for what in ("sector", "disc", "other"))
    sector.write_bytes(boot_sector(_KEEPS_SHUT).ljust(1 << 20, b"\0"))
    boots = f"<disk type='file'><driver name='qemu' type='raw'/><source file='{sector}'/><target dev='hda'/></disk>"
    drive = _DRIVE.replace("<target", f"<source file='{disc}'/><target")
    held = lab.guest(own_name)
    description = held.empty_description().replace("</devices>", f"{boots}{drive}</devices>")
    assert lab.rxm("create", "--transient", "-", stdin=description).status == 0

    def locked() -> bool:
        told = lab.first.virsh("qemu-monitor-command", own_name, '{"execute":"query-block"}').stdout
        return [one["locked"] for one in json.loads(told)["return"] if one["removable"]] == [True]

    wait_for(locked, BOOT_SECONDS, "the guest to lock its drive")

    kept = lab.rxm("cd-eject", own_name)
    still = lab.rxm("-j", "block-list", own_name).json()["result"]["disks"]
    forced = lab.rxm("-j", "cd-insert", "--force", own_name, "hdc", str(other))
    out = lab.rxm("-j", "cd-eject", "--force", own_name)
    then = lab.rxm("-j", "block-list", own_name).json()["result"]["disks"]

    refused(kept, "The guest keeps the tray shut")
    refused(kept, "--force opens it anyway")
    assert [disk["source"] for disk in still if disk["target"] == "hdc"] == [str(disc)]
    assert (forced.status, forced.json()["changed"]) == (0, True), forced
    assert (out.status, out.json()["changed"]) == (0, True), out
    assert [disk.get("source") for disk in then if disk["target"] == "hdc"] == [None]
    assert lab.rxm("destroy", own_name).status == 0


def test_a_disk_grows_and_never_shrinks(lab: Lab, guest: Guest) -> None:
    own = lab.first.directory / "devices1.qcow2"

    grown = lab.rxm("-j", "block-resize", guest.name, "vda", "8")
    smaller = lab.rxm("block-resize", guest.name, "vda", "4")

    assert grown.json()["result"] == {
        "target": "vda", "requested": 8 * MIB, "before": 4 * MIB, "reached": 8 * MIB,
        "live": True, "kept": True, "dry_run": False,
    }  # fmt: skip
    refused(smaller, "would be lost")
    assert own.stat().st_size > 0


def test_a_card_comes_and_goes_by_its_address(lab: Lab, guest: Guest) -> None:
    command = [*lab.first.prefix, "ip", "link", "add", "xmanbr0", "type", "bridge"]
    subprocess.run(command, check=False, capture_output=True)  # it is there already, where this is tried once more

    done = lab.rxm("-j", "network-attach", guest.name, "bridge=xmanbr0")
    address = done.json()["result"]["mac"]
    both = [
        [str(mac.get("address")) for mac in xml(lab, guest, *words).iterfind("devices/interface/mac")]
        for words in ((), ("--inactive",))
    ]
    gone = lab.rxm("network-detach", guest.name, address)

    assert both == [[address], [address]]
    assert gone.status == 0, gone
    wait_for(lambda: address not in lab.rxm("network-list", guest.name).stdout, 20, "its end")
    refused(lab.rxm("network-detach", guest.name, address), "it has none")
    refused(lab.rxm("network-attach", guest.name), "bridge=NAME", 2)
    refused(lab.rxm("network-attach", guest.name, "bridge=xmanbr0", "mac=01:00:00:00:00:01"), "multicast", 2)


def test_one_that_is_off_has_it_from_its_next_start_on(lab: Lab, silent: Guest) -> None:
    assert lab.rxm("destroy", silent.name).status == 0
    more = image(lab, f"{silent.name}-more")
    folder = lab.first.directory / f"{silent.name}.pool"
    folder.mkdir(exist_ok=True)
    more = more.rename(folder / "more.qcow2")
    assert lab.first.virsh("pool-create-as", silent.name, "dir", "--target", str(folder)).status == 0

    done = lab.rxm("-j", "block-attach", silent.name, f"qcow2:{more}", "vdb")
    resized = lab.rxm("block-resize", silent.name, "vda", "8")
    in_a_pool = lab.rxm("-j", "block-resize", silent.name, "vdb", "8")
    started = lab.rxm("start", silent.name)

    assert done.json()["result"]["live"] is False
    refused(resized, "in none of libvirt's storage pools")
    assert in_a_pool.json()["result"]["reached"] == 8 * MIB, in_a_pool
    assert lab.first.virsh("pool-destroy", silent.name).status == 0
    assert started.status == 0
    assert "vdb" in disks(lab, silent)[0]


def test_a_guest_that_stands_still_is_busy_and_gets_its_disk_later(lab: Lab, silent: Guest) -> None:
    more = image(lab, f"{silent.name}-late")
    words = ("block-attach", silent.name, f"qcow2:{more}", "vdc", "w")

    with stopped(lab, silent.name):
        refused(lab.rxm(*words), "does not answer its monitor; nothing was done")
        refused(lab.rxm(*words), "does not answer its monitor; nothing was done")

    wait_for(lambda: lab.rxm(*words).status == 0, 60, "the guest to answer again")
    assert all("vdc" in each for each in disks(lab, silent))
