"""Profiles and their clients on real QEMU: each start begins anew, and a profile's disk is written by itself alone."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for
from xmand.virt.cards import mac_of

REFUSED = 3
PORT = 4391
POOL = "profiles"
SETTINGS = '[host]\nlabs = ["economy"]\n'
CARD = "<interface type='user'><mac address='52:54:00:11:22:33'/></interface>"
DRIVE = "<disk type='file' device='cdrom'><target dev='hdb' bus='ide'/><readonly/></disk>"


class Laboratory:
    """A host, an xmand of its own there, and a profile `name` with one disk."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.host = lab.first
        self.name = name
        self.folder = self.host.directory / f"{POOL}.volumes"
        self.base = self.folder / f"{name}.qcow2"
        self.xmand = self.start_xmand()
        self.number = 0

    def start_xmand(self, *under: str) -> Daemon:
        """Start an xmand; what the former one kept is there."""
        return self.host.xmand(
            self.lab.realm, admins=("alice@XMAN.TEST",), tables=SETTINGS, port=PORT, name="xmand-profiles", under=under
        )

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm as alice."""
        return self.xmand.rxm(self.lab.alice, *words, stdin=stdin)

    def done(self, *words: str, stdin: str = "") -> dict[str, object]:
        """Do what has to succeed; return its answer."""
        answer = self.rxm("-j", *words, stdin=stdin)
        assert answer.status == 0, answer
        found: dict[str, object] = answer.json()
        return found

    def refused(self, words: tuple[str, ...], *said: str) -> None:
        """Do what has to be refused, in these words."""
        answer = self.rxm(*words)
        assert (answer.status, [word for word in said if word not in answer.stderr]) == (REFUSED, []), answer

    def make(self) -> None:
        """Define the machine, with an image of 8 MiB, and make a profile of it."""
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.base, "8M"], check=True)
        disk = (
            f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{self.base}'/>"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        text = Guest(self.name, self.host.directory, memory_mib=32).empty_description()
        self.done("new", "-", stdin=text.replace("</devices>", f"{disk}{DRIVE}{CARD}</devices>"))
        self.done("profile", self.name, "on")

    def client(self, *options: str) -> str:
        """Make a client; return its name."""
        self.number += 1
        name = f"{self.name}-{self.number}"
        self.done("profile-client", *options, self.name, name)
        return name

    def xml(self, name: str) -> etree._Element:
        """Return what libvirt keeps of a domain."""
        told = self.host.virsh("dumpxml", "--inactive", name)
        assert told.status == 0, told
        return etree.fromstring(told.stdout.encode())

    def overlay(self, name: str) -> Path:
        """Return the image of a client's disk."""
        source = self.xml(name).find("devices/disk[@device='disk']/source")
        assert source is not None
        return Path(str(source.get("file")))

    def digest(self) -> str:
        """Return what the profile's image is known by."""
        return hashlib.sha256(self.base.read_bytes()).hexdigest()

    def volumes(self) -> set[str]:
        """Return the files of the pool."""
        return {path.name for path in self.folder.iterdir()}


def write(path: Path, pattern: int = 1) -> None:
    """Write into an image that nobody has open, as its guest would."""
    command = ["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} 0 64k", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def written(path: Path) -> bool:
    """Whether anything is in an overlay itself."""
    command = ["qemu-img", "map", "-U", "--output=json", str(path)]
    ranges = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return any(each["depth"] == 0 and each["data"] for each in ranges)


@pytest.fixture(scope="module")
def pool(lab: Lab) -> Iterator[str]:
    yield lab.first.pool(POOL)
    lab.first.virsh("pool-destroy", POOL)


@pytest.fixture
def laboratory(lab: Lab, pool: str, own_name: str) -> Iterator[Laboratory]:
    made = Laboratory(lab, own_name)
    made.make()
    yield made
    for name in lab.first.virsh("list", "--all", "--name").stdout.split():
        if name.startswith(own_name):
            lab.first.virsh("destroy", name)
            lab.first.virsh("undefine", "--snapshots-metadata", "--managed-save", name)
    made.xmand.stop()
    for path in made.folder.iterdir():
        path.unlink()


def test_a_client_has_an_identity_of_its_own_and_begins_anew_at_each_start(laboratory: Laboratory) -> None:
    profile, before = laboratory.name, laboratory.digest()

    dry = laboratory.done("profile-client", "--dry-run", profile, f"{profile}-1")
    nothing = laboratory.volumes()
    client = laboratory.client()

    assert (dry["changed"], nothing) == (False, {laboratory.base.name})
    xml = laboratory.xml(client)
    overlay = laboratory.overlay(client)
    assert overlay.name == f"xman-{xml.findtext('uuid')}-vda.qcow2"
    assert [str(each.get("address")) for each in xml.iterfind("devices/interface/mac")] == [mac_of(client)]
    assert [str(each.get("dev")) for each in xml.iterfind("devices/disk[@device='cdrom']/target")] == ["hdc"]
    shown = subprocess.run(["qemu-img", "info", "--output=json", overlay], check=True, capture_output=True).stdout
    told = json.loads(shown)
    assert (told["virtual-size"], told["format-specific"]["data"]["compat"]) == (8 << 20, "1.1")
    assert told["full-backing-filename"] == str(laboratory.base)
    marks = xml.find("metadata/{urn:xman:1}domain")
    assert marks is not None
    of_client = {"from": laboratory.xml(profile).findtext("uuid"), "discard": "yes", "overlays": POOL}
    assert of_client.items() <= dict(marks.attrib).items()
    write(overlay)
    assert written(overlay)

    laboratory.done("start", "--paused", client)

    assert not written(overlay)
    laboratory.refused(("start", profile), f"{client} (paused)", "--evict")
    (row,) = laboratory.done("profiles")["result"]["profiles"]  # type: ignore[index]
    assert (row["profile"], row["running"], row["off"], row["capacity"]) == (profile, 1, 0, 8 << 20)
    laboratory.refused(("delete", profile), client)
    laboratory.refused(("profile", profile, "off"), client)
    laboratory.done("destroy", client)
    laboratory.done("delete", client)
    assert laboratory.volumes() == {laboratory.base.name}
    assert laboratory.digest() == before


def test_what_was_written_is_gone_whoever_stops_it(laboratory: Laboratory) -> None:
    client, kept = laboratory.client(), laboratory.client("--keep")
    overlay, other = laboratory.overlay(client), laboratory.overlay(kept)
    for name, path in ((client, overlay), (kept, other)):
        write(path)
        assert laboratory.host.virsh("start", "--paused", name).status == 0
        assert laboratory.host.virsh("destroy", name).status == 0

    wait_for(lambda: overlay.exists() and not written(overlay), 20, "the client's disk made anew")

    assert written(other)
    laboratory.refused(("start", laboratory.name), kept, "clone it first")
