"""What an administrator can see of real QEMU guests: what they use, their state, and when that changes."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_unwell import stopped
from tests.lab.hosts.daemon import assert_one_line
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import end, wait_for
from tests.lab.published import RESULTS

MIB = 1 << 20
DISK_MIB = 8


@pytest.fixture(scope="module")
def disk(lab: Lab) -> Path:
    """A small raw disk."""
    path = lab.first.directory / "seen.img"
    path.write_bytes(b"\1" * MIB)
    with path.open("r+b") as file:
        file.truncate(DISK_MIB * MIB)
    return path


@pytest.fixture(scope="module")
def guest(lab: Lab, disk: Path) -> Iterator[Guest]:
    """A guest with a disk and two interfaces, that is up."""
    made = lab.guest("seen")
    devices = (
        f"<disk type='file' device='disk'><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>"
        "<interface type='user'/><interface type='ethernet'><target dev='seen0'/></interface>"
    )
    description = made.description().replace("</devices>", f"{devices}</devices>")
    created = lab.rxm("create", "-", stdin=description)
    assert created.status == 0, created
    made.wait_until_up()
    yield made
    lab.rxm("destroy", made.name)
    assert lab.rxm("delete", made.name).status == 0


def test_stats_of_a_guest(lab: Lab, guest: Guest, disk: Path) -> None:
    found = lab.rxm("-j", "stats", guest.name).json()

    RESULTS.validate(found)
    (domain,) = found["result"]["domains"]
    assert domain["state"] == "running"
    assert domain["cpu_seconds"] > 0
    assert 0 <= domain["cpu_percent"] <= 100 * domain["vcpus"]
    assert domain["memory"] == domain["max_memory"] == guest.memory_mib * MIB
    assert domain["memory_rss"] > 0
    # A user-mode interface has no name on the host, and libvirt no counters of it.
    (interface,) = domain["interfaces"]
    assert interface.pop("name") == "seen0"
    assert set(interface) == {"rx_octets", "rx_packets", "tx_octets", "tx_packets"}
    (seen,) = domain["disks"]
    assert (seen["name"], seen["path"], seen["capacity"]) == ("vda", str(disk), DISK_MIB * MIB)
    assert seen["read_octets"] >= 0


def test_stats_of_a_paused_guest(lab: Lab, guest: Guest) -> None:
    lab.rxm("pause", guest.name)

    (domain,) = lab.rxm("-j", "stats", guest.name).json()["result"]["domains"]

    lab.rxm("unpause", guest.name)
    assert domain["state"] == "paused"
    assert 0 <= domain["cpu_percent"] <= 100 * domain["vcpus"]


def test_stats_of_all_have_devices_only_where_there_are_some(lab: Lab, guest: Guest) -> None:
    plain = lab.guest("plain")
    lab.rxm("create", "-", stdin=plain.empty_description())

    found = {domain["name"]: domain for domain in lab.rxm("-j", "stats").json()["result"]["domains"]}

    assert [disk["name"] for disk in found[guest.name]["disks"]] == ["vda"]
    assert (found["plain"]["disks"], found["plain"]["interfaces"], found["plain"]["addresses"]) == ([], [], [])
    lab.rxm("destroy", "plain")
    assert lab.rxm("delete", "plain").status == 0


def test_stats_of_a_guest_that_is_off(lab: Lab, disk: Path) -> None:
    device = f"<disk type='file'><source file='{disk}'/><target dev='vdb' bus='virtio'/></disk></devices>"
    description = lab.guest("dark").empty_description().replace("</devices>", device)
    assert lab.rxm("new", "-", stdin=description).status == 0

    (domain,) = lab.rxm("-j", "stats", "dark").json()["result"]["domains"]

    assert (domain["state"], domain["cpu_seconds"]) == ("shutoff", 0)
    assert "cpu_percent" not in domain
    (seen,) = domain["disks"]
    assert (seen["name"], seen["path"], seen["capacity"]) == ("vdb", str(disk), DISK_MIB * MIB)
    assert lab.rxm("delete", "dark").status == 0


def test_stats_of_the_host(lab: Lab) -> None:
    host = lab.rxm("-j", "stats", "--host").json()["result"]["host"]

    assert host["name"] == "hv1.xman.test"
    assert 0 <= host["cpu_percent"] <= 100
    assert 0 < host["free_memory"] < host["total_memory"]


def test_wait_for_off_while_another_client_destroys(lab: Lab) -> None:
    guest = lab.guest("waited")
    lab.rxm("create", "-", stdin=guest.empty_description())
    assert lab.rxm("wait", guest.name, "--for", "running").status == 0

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.rxm, "-j", "wait", guest.name, "--for", "off")
        lab.xmand.syslog.wait(ev="begin", verb="wait", dom=guest.name)
        assert lab.first.virsh("destroy", guest.name).status == 0

    assert waiting.result().json()["result"]["state"] == "shutoff"
    assert_one_line(lab.rxm("-t", "2", "wait", guest.name, "--for", "running"), 11, "is still shutoff")
    assert lab.rxm("delete", guest.name).status == 0


def test_a_suspended_guest_is_listed_as_such(lab: Lab) -> None:
    guest = lab.guest("saved")
    lab.rxm("create", "-", stdin=guest.empty_description())
    assert lab.rxm("suspend", guest.name).status == 0

    for state in ("halted", "suspended", "running"):
        names = [row["name"] for row in lab.rxm("-j", "list", "--state", state).json()["result"]["domains"]]
        assert (guest.name in names) == (state == "suspended"), state
    assert lab.rxm("delete", guest.name).status == 0


@pytest.fixture
def bad_disk(lab: Lab, disk: Path) -> Iterator[str]:
    """The socket of a disk that cannot be read, wherever one tries."""
    socket, rules = disk.with_suffix(".nbd"), disk.with_suffix(".rules")
    rules.write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\n')
    image = f"driver=raw,file.driver=blkdebug,file.config={rules},file.image.driver=file,file.image.filename={disk}"
    serving = subprocess.Popen(
        [*lab.first.prefix, "qemu-nbd", "--read-only", "--persistent", "--socket", str(socket), "--image-opts", image]
    )
    wait_for(socket.exists, 20, "the disk")
    yield str(socket)
    end(serving)


def test_a_guest_whose_disk_fails_is_paused_and_says_which(lab: Lab, bad_disk: str) -> None:
    made = lab.guest("failing")
    device = (
        "<disk type='network' device='disk'><driver name='qemu' type='raw' rerror_policy='stop'/>"
        f"<source protocol='nbd'><host transport='unix' socket='{bad_disk}'/></source>"
        "<target dev='vda' bus='virtio'/><readonly/></disk>"
    )
    description = made.empty_description().replace("</devices>", f"{device}</devices>")

    assert lab.rxm("create", "-", stdin=description).status == 0

    # Its firmware looks for something to boot.
    assert lab.rxm("wait", "--for", "paused", made.name).status == 0
    found = lab.rxm("-j", "list", "--long", made.name).json()["result"]["domains"][0]
    assert (found["reason"], found["disk_errors"]) == ("ioerror", [{"disk": "vda", "error": "unspec"}])
    assert "paused_by" not in found
    # Only its QEMU knows which disk. Where that stands still, all else is told.
    with stopped(lab, made.name):
        silent = lab.rxm("-j", "list", "--long", made.name)
        everything = lab.rxm("list", "--long")
    assert (silent.status, everything.status, silent.seconds < 5) == (0, 0, True), everything
    assert "disk_errors" not in silent.json()["result"]["domains"][0]
    assert silent.json()["notes"] == [
        f"The guest of '{made.name}' does not answer; only the guest knows which disk stopped it."
    ]
    assert f"name                   : {made.name}" in everything.stdout
    lab.rxm("destroy", made.name)


def test_the_description_that_is_kept(lab: Lab, guest: Guest) -> None:
    kept = lab.first.virsh("dumpxml", "--inactive", guest.name).stdout

    assert lab.rxm("describe", "--inactive", guest.name).stdout.strip() == kept.strip()
