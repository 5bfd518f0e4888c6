"""Clones of real QEMU guests: what is copied, what is the clone's own, and what is left where one fails or is torn."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lxml import etree

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for

MIB = 1 << 20
REFUSED, HYPERVISOR = 3, 8
SCREEN = "<graphics type='vnc' port='5933' autoport='no' passwd='s3cret'/>"
CARD = "<interface type='user'><mac address='52:54:00:11:22:33'/></interface>"


class Machine:
    """A guest that is off, and the pool that its images are in."""

    def __init__(self, lab: Lab, name: str, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.guest = Guest(name, lab.first.directory, memory_mib=32)
        self.name = self.pool = name

    def image(self, target: str, form: str = "qcow2", *more: str) -> Path:
        """Make an image of 8 MiB in the pool."""
        path = self.folder / f"{self.name}-{target}.{form}"
        subprocess.run(["qemu-img", "create", "-q", "-f", form, *more, path, "8M"], check=True)
        return path

    def write(self, path: Path, pattern: int, offset: str = "0") -> None:
        """Fill 1 MiB of an image with an octet."""
        command = ["qemu-io", "-f", path.suffix[1:], "-c", f"write -P {pattern} {offset} 1M", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def define(self, *paths: Path, more: str = "") -> None:
        """Define it with these disks: vda, vdb, ..."""
        disks = "".join(
            f"<disk type='file'><driver name='qemu' type='{path.suffix[1:]}'/><source file='{path}'/>"
            f"<target dev='vd{letter}' bus='virtio'/></disk>"
            for letter, path in zip("abc", paths, strict=False)
        )
        made = self.lab.rxm(
            "new", "-", stdin=self.guest.empty_description().replace("</devices>", f"{disks}{more}</devices>")
        )
        assert made.status == 0, made

    def xml(self, name: str) -> etree._Element:
        """Return what libvirt keeps of a domain, passwords as well."""
        told = self.lab.first.virsh("dumpxml", "--inactive", "--security-info", name)
        assert told.status == 0, told
        return etree.fromstring(told.stdout.encode())

    def volumes(self) -> set[str]:
        """Return the files in the pool, as they are on the disk."""
        return {path.name for path in self.folder.iterdir()}

    def clone(self, *words: str) -> Answer:
        return self.lab.rxm("-j", "clone", *words)


@pytest.fixture
def machine(lab: Lab, own_name: str) -> Iterator[Machine]:
    made = Machine(lab, lab.first.pool(own_name), lab.first.directory / f"{own_name}.volumes")
    yield made
    for name in (own_name, f"{own_name}-2"):
        lab.rxm("-q", "destroy", name)
        lab.first.virsh("undefine", "--snapshots-metadata", "--managed-save", name)
    lab.first.virsh("pool-destroy", own_name)


def same(one: Path, other: Path) -> bool:
    """Whether two images show the same to a guest."""
    return subprocess.run(["qemu-img", "compare", "-q", one, other], check=False).returncode == 0


def refused(answer: Answer, words: str, status: int = REFUSED) -> None:
    found = answer.json()
    assert (answer.status, words in found["message"]) == (status, True), answer


def test_a_clone_has_disks_a_card_and_an_identity_of_its_own(machine: Machine) -> None:
    base = machine.image("base")
    machine.write(base, 1)
    overlay = machine.image("top", "qcow2", "-b", str(base), "-F", "qcow2")
    machine.write(overlay, 2, "4M")
    raw = machine.image("data", "raw")
    machine.write(raw, 3)
    machine.define(overlay, raw, more=f"{SCREEN}{CARD}")
    assert machine.lab.rxm("label", machine.name, "course=os1").status == 0
    new = f"{machine.name}-2"

    dry = machine.clone("--dry-run", machine.name, new)
    nothing = machine.volumes()
    done = machine.clone(machine.name, new)

    assert (dry.json()["result"]["dry_run"], dry.json()["changed"]) == (True, False)
    assert f"{new}-vda.qcow2" not in nothing
    result = done.json()["result"]
    assert [(disk["target"], disk["pool"], disk["volume"]) for disk in result["disks"]] == [
        ("vda", machine.pool, f"{new}-vda.qcow2"),
        ("vdb", machine.pool, f"{new}-vdb.img"),
    ]
    first, second = (machine.folder / f"{new}-{name}" for name in ("vda.qcow2", "vdb.img"))
    assert same(overlay, first)
    assert same(raw, second)
    told = subprocess.run(["qemu-img", "info", first], check=True, capture_output=True, text=True).stdout
    assert "backing file" not in told
    assert "compat: 1.1" in told
    ours, theirs = machine.xml(new), machine.xml(machine.name)
    assert [str(each.get("file")) for each in ours.iterfind("devices/disk/source")] == [str(first), str(second)]
    assert ours.findtext("uuid") == result["uuid"] != theirs.findtext("uuid")
    macs = [str(xml.find("devices/interface/mac").get("address")) for xml in (ours, theirs)]  # type: ignore[union-attr]
    assert len(set(macs)) == 2
    assert ours.find("metadata/{urn:xman:1}domain") is None
    screen = ours.find("devices/graphics")
    assert screen is not None
    assert (screen.get("passwd"), screen.get("autoport")) == ("s3cret", "yes")
    assert machine.lab.rxm("start", "--paused", new).status == 0


def test_one_that_writes_is_not_copied_and_snapshots_stay_with_it(machine: Machine) -> None:
    machine.define(machine.image("data"))
    new = f"{machine.name}-2"
    assert machine.lab.rxm("start", "--paused", machine.name).status == 0

    refused(machine.clone(machine.name, new), "is not off")
    assert machine.lab.rxm("destroy", machine.name).status == 0
    assert machine.lab.rxm("snapshot", machine.name, "first").status == 0
    done = machine.clone(machine.name, new)
    assert done.status == 0, done
    assert any("keeps its 1 snapshot (first)" in note for note in done.json()["notes"])


def test_what_another_writes_to_is_not_copied_by_whatever_name_they_have_it(machine: Machine) -> None:
    image, new = machine.image("data", "raw"), f"{machine.name}-2"
    machine.define(image)
    assert machine.lab.rxm("start", "--paused", machine.name).status == 0
    assert machine.lab.first.virsh("pool-refresh", machine.pool).status == 0
    disk = f"<disk type='volume'><source pool='{machine.pool}' volume='{image.name}'/><target dev='vda'/></disk>"
    other = Guest(new, machine.lab.first.directory, memory_mib=32).empty_description()
    assert machine.lab.rxm("new", "-", stdin=other.replace("</devices>", f"{disk}</devices>")).status == 0

    refused(machine.clone(new, f"{machine.name}-3"), f"Domain '{machine.name}' has '{image}' in use")
    assert machine.volumes() == {image.name}


def test_one_without_disks_of_its_own_is_cloned_while_it_runs(machine: Machine) -> None:
    disc = machine.image("disc", "raw")
    drive = f"<disk type='file' device='cdrom'><source file='{disc}'/><target dev='hdc' bus='ide'/><readonly/></disk>"
    machine.define(more=drive)
    assert machine.lab.rxm("start", machine.name).status == 0

    done = machine.clone(machine.name, f"{machine.name}-2")

    assert done.json()["result"]["disks"] == [], done
    assert any(str(disc) in note for note in done.json()["notes"])


def test_what_is_there_already_is_not_written_over(machine: Machine) -> None:
    machine.define(machine.image("data"))
    new = f"{machine.name}-2"
    (machine.folder / f"{new}-vda.qcow2").write_text("somebody's")

    taken = machine.clone(machine.name, new)
    itself = machine.clone(machine.name, machine.name)
    outside = machine.lab.first.directory / f"{machine.name}-outside.qcow2"
    machine.image("vdb").rename(outside)
    attached = machine.lab.rxm("block-attach", machine.name, f"qcow2:{outside}", "vdb")
    assert attached.status == 0, attached
    in_no_pool = machine.clone(machine.name, f"{machine.name}-3")

    refused(taken, "already has a volume")
    assert (machine.folder / f"{new}-vda.qcow2").read_text() == "somebody's"
    refused(itself, "already exists")
    refused(in_no_pool, "in none of libvirt's storage pools")


def test_a_disk_that_is_gone_or_a_device_of_no_pool_is_said_to_be_that(machine: Machine) -> None:
    gone = machine.image("data")
    machine.define(gone)
    assert machine.lab.first.virsh("pool-refresh", machine.pool).status == 0
    gone.unlink()
    device = Guest(f"{machine.name}-2", machine.lab.first.directory, memory_mib=32)
    disk = "<disk type='block'><source dev='/dev/loop7'/><target dev='vda' bus='virtio'/></disk></devices>"
    made = machine.lab.rxm("new", "-", stdin=device.empty_description().replace("</devices>", disk))
    assert made.status == 0, made

    first, second = machine.clone(machine.name, f"{machine.name}-3"), machine.clone(machine.name, f"{machine.name}-3")
    of_a_device = machine.clone(device.name, f"{machine.name}-3")

    for answer in (first, second):
        refused(answer, gone.name)
        assert "pool-create-as" not in answer.stderr
    refused(of_a_device, "NAME logical --source-name GROUP")


def test_what_becomes_of_the_variables_of_a_firmware_is_said(machine: Machine) -> None:
    machine.image("data")
    xml = machine.guest.empty_description().replace("<os>", "<os firmware='efi'>").replace("'pc'", "'q35'")
    made = machine.lab.rxm("new", "-", stdin=xml)
    assert made.status == 0, made
    new = f"{machine.name}-2"

    cloned = machine.clone(machine.name, new)
    # libvirt since 9.2 says where they are; a domain that has its first name again finds them by that.
    kept = "_VARS.fd</nvram>" in machine.lab.first.virsh("dumpxml", "--inactive", new).stdout
    dry = machine.lab.rxm("rename", "--dry-run", new, f"{new}-renamed")
    renamed = machine.lab.rxm("rename", new, f"{new}-renamed")
    back = machine.lab.rxm("rename", f"{new}-renamed", new)

    assert any("(UEFI) are as in a new machine" in note for note in cloned.json()["notes"]), cloned
    said = "(UEFI) stay in" if kept else "(UEFI) stay behind under the name"
    for answer in (dry, renamed):
        assert (answer.status, said in answer.stderr) == (0, True), answer
    assert (back.status, said in back.stderr) == (0, not kept), back


@pytest.fixture
def small(machine: Machine) -> Iterator[str]:
    """A pool on a file system of 4 MiB."""
    name, folder = f"{machine.name}-small", machine.lab.first.directory / f"{machine.name}.small"
    folder.mkdir(exist_ok=True)
    prefix = machine.lab.first.prefix
    subprocess.run([*prefix, "mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=True)
    assert machine.lab.first.virsh("pool-create-as", name, "dir", "--target", str(folder)).status == 0
    yield name
    machine.lab.first.virsh("pool-destroy", name)
    subprocess.run([*prefix, "umount", folder], check=True)


def test_a_full_disk_leaves_nothing_of_it(machine: Machine, small: str) -> None:
    first, plain, packed = machine.image("first"), machine.image("plain", "raw"), machine.folder / "packed.qcow2"
    machine.write(first, 1)
    subprocess.run([sys.executable, "-c", _FILL, plain], check=True)
    new = f"{machine.name}-2"
    machine.define(plain)

    too_large = machine.clone("--pool", small, machine.name, new)

    refused(too_large, "MiB left, and 8 MiB are to be copied")
    # Packed it takes little, and so is begun; its copy is not packed.
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", plain, packed], check=True)
    machine.lab.first.virsh("undefine", machine.name)
    machine.define(first, packed)
    full = machine.clone("--pool", small, machine.name, new)
    refused(full, "No space left", HYPERVISOR)
    assert machine.lab.first.virsh("vol-list", small).stdout.count(new) == 0
    assert machine.lab.rxm("list", new).status == 7


# Octets that repeat now and then: they can be packed, and are no holes.
_FILL = "import sys; open(sys.argv[1], 'r+b').write((bytes(range(256)) * 32768))"


def test_a_clone_that_was_torn_is_told_and_never_half_a_domain(machine: Machine) -> None:
    machine.define(machine.image("data"))
    new = f"{machine.name}-2"
    host, lab = machine.lab.first, machine.lab

    def xmand(*under: str) -> Daemon:
        admins = ("alice@XMAN.TEST",)
        return host.xmand(lab.realm, admins=admins, port=4450, name=f"clone-{machine.name}", under=under)

    def ask(daemon: Daemon, number: int) -> Answer:
        return daemon.remctl(lab.alice, "clone", f"--rid={number:032x}", machine.name, new)

    # Once the disk is copied, and before anything is defined.
    torn = xmand(sys.executable, "-m", "tests.lab.faults.failpoint", "exit1")
    assert ask(torn, 1).status != 0
    wait_for(lambda: torn.process.poll() == -9, 20, "the kill")
    torn.stop()

    last = xmand()
    told = last.syslog.wait(ev="end", verb="clone", recovered="1")
    assert f"'{new}-vda.qcow2' in the pool" in told["detail"]
    assert lab.rxm("list", new).status == 7
    again = ask(last, 1)
    assert (again.status, "already has a volume" in again.stderr) == (REFUSED, True), again
    assert last.remctl(lab.alice, "volume-delete", machine.pool, f"{new}-vda.qcow2").status == 0
    assert ask(last, 2).status == 0
    assert lab.rxm("list", new).status == 0
    assert last.stop() == 0


def test_several_at_once_make_one_of_a_name(machine: Machine) -> None:
    machine.define(machine.image("data"))
    new = f"{machine.name}-2"

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _n: machine.clone(machine.name, new), range(3)))

    assert sorted(answer.status for answer in answers) == [0, REFUSED, REFUSED], answers
    assert machine.volumes() == {f"{machine.name}-data.qcow2", f"{new}-vda.qcow2"}
