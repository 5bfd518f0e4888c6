"""Profiles and their clients on real QEMU: each start begins anew, and a profile's disk is written by itself alone."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
CARD = "<interface type='user'><mac address='52:54:00:11:22:33'/></interface>"
DRIVE = "<disk type='file' device='cdrom'><target dev='hdb' bus='ide'/><readonly/></disk>"


class Laboratory:
    """A host with a profile `name`, which has one disk."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.host = lab.first
        self.name = name
        self.folder = self.host.directory / f"{POOL}.volumes"
        self.base = self.folder / f"{name}.qcow2"
        self.number = 0

    def rxm(self, *words: str, stdin: str = "") -> Answer:
        """Run rxm as alice."""
        return self.lab.rxm(*words, stdin=stdin)

    def done(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """Do what has to succeed; return its answer."""
        answer = self.rxm("-j", *words, stdin=stdin)
        assert answer.status == 0, answer
        found: dict[str, Any] = answer.json()
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
        text = self.description()
        self.done("new", "-", stdin=text.replace("</devices>", f"{disk}{DRIVE}{CARD}</devices>"))
        self.done("profile", self.name, "on")

    def description(self) -> str:
        """Return the machine's, without its disk."""
        return Guest(self.name, self.host.directory, memory_mib=32).empty_description()

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

    def profiles(self) -> list[dict[str, Any]]:
        """Return what is told of this profile."""
        rows: list[dict[str, Any]] = self.done("profiles")["result"]["profiles"]
        return [row for row in rows if row["profile"] == self.name]

    def unmake(self) -> None:
        """Remove its clients, and the profile last; its image stays."""
        for name in sorted(self.domains(), reverse=True):
            self.rxm("-q", "destroy", name)
            self.rxm("-q", "delete", "--snapshots", name)
        assert self.domains() == set()

    def domains(self) -> set[str]:
        """Return the names of the profile and its clients, as far as libvirt knows them."""
        return {
            name for name in self.host.virsh("list", "--all", "--name").stdout.split() if name.startswith(self.name)
        }

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


def facts(path: Path) -> dict[str, Any]:
    """Return what an image is."""
    command = ["qemu-img", "info", "-U", "--output=json", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


@pytest.fixture(scope="module")
def pool(lab: Lab) -> Iterator[str]:
    """A pool that is there after libvirtd's restart, and not active then."""
    folder = lab.first.directory / f"{POOL}.volumes"
    folder.mkdir(exist_ok=True)
    assert lab.first.virsh("pool-define-as", POOL, "dir", "--target", str(folder)).status == 0
    assert lab.first.virsh("pool-start", POOL).status == 0
    yield POOL
    lab.first.virsh("pool-destroy", POOL)
    lab.first.virsh("pool-undefine", POOL)


@pytest.fixture
def laboratory(lab: Lab, pool: str, own_name: str) -> Iterator[Laboratory]:
    made = Laboratory(lab, own_name)
    made.make()
    yield made
    made.unmake()
    assert made.volumes() == {made.base.name}
    made.base.unlink()


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
    told = facts(overlay)
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
    (row,) = laboratory.profiles()
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
    laboratory.refused(("start", laboratory.name), kept, "Clone it first")
    laboratory.refused(("start", "--evict", laboratory.name), kept, "Clone it first")


def test_the_profile_is_changed_while_no_client_has_anything_of_it(laboratory: Laboratory) -> None:
    profile, before = laboratory.name, laboratory.digest()
    suspended, marked, paused = laboratory.client(), laboratory.client(), laboratory.client()
    for name in (suspended, paused):
        laboratory.done("start", "--paused", name)
    laboratory.done("suspend", suspended)
    assert laboratory.host.virsh("snapshot-create-as", marked, "then").status == 0

    laboratory.refused(("start", profile), f"{marked} (has 1 snapshot (then))", "snapshot-delete")
    laboratory.refused(("start", "--evict", profile), marked)
    laboratory.refused(("start", marked), "is reset at each start")
    laboratory.refused(("snapshot", paused, "then"), "is reset at each start")
    laboratory.refused(("save", paused, f"{paused}.save"), "is reset at each start")
    laboratory.refused(("migrate", paused, "hv2.xman.test"), "is reset at each start")
    laboratory.done("snapshot-delete", marked, "then")
    laboratory.refused(("start", profile), f"{suspended} (suspended)", f"{paused} (paused)", "--evict")
    assert laboratory.digest() == before
    told = laboratory.done("start", "--paused", "--evict", profile)

    assert any(f"the saved memory of {suspended} was dropped" in note for note in told["notes"])
    (row,) = laboratory.profiles()
    assert (row["state"], row["administrator"], row["running"]) == ("paused", "alice@XMAN.TEST", 0)
    laboratory.refused(("start", paused), "being changed by alice@XMAN.TEST")
    laboratory.refused(("profile-client", profile, f"{profile}-more"), "may be changed")
    laboratory.done("destroy", profile)
    # By its administrator, and so by all clients from then on.
    write(laboratory.base, 7)
    assert laboratory.digest() != before
    # libvirt has not looked at its pool since.
    subprocess.run(["qemu-img", "resize", "-q", laboratory.base, "16M"], check=True)
    laboratory.done("start", "--paused", paused)
    assert facts(laboratory.overlay(paused))["virtual-size"] == 16 << 20
    assert "administrator" not in laboratory.profiles()[0]


def test_one_of_a_profile_and_its_client_starts_of_both_at_once(laboratory: Laboratory) -> None:
    profile, client = laboratory.name, laboratory.client()

    for _round in range(3):
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(lambda name: laboratory.rxm("start", "--paused", name), (profile, client)))
        assert sorted(answer.status for answer in answers) == [0, REFUSED], answers
        running = profile if answers[0].status == 0 else client
        laboratory.done("destroy", running)


def test_nobody_else_writes_to_a_disk_that_clients_begin_with(laboratory: Laboratory) -> None:
    profile, client, other = laboratory.name, laboratory.client(), f"{laboratory.name}-x"
    text = Guest(other, laboratory.host.directory, memory_mib=32).empty_description()
    laboratory.done("new", "-", stdin=text)
    disk = f"<disk type='file'><source file='{laboratory.base}'/><target dev='vdb'/></disk>"
    said = f"is a disk of the profile '{profile}'"

    laboratory.refused(("block-attach", other, f"qcow2:{laboratory.base}", "vdb", "w"), said)
    for verb in ("new", "create"):
        answer = laboratory.rxm(verb, "-", stdin=text.replace("</devices>", f"{disk}</devices>"))
        assert (answer.status, said in answer.stderr) == (REFUSED, True), answer
    kept = laboratory.done("describe", "--inactive", client)["result"]["xml"]
    was = hashlib.sha256(kept.encode()).hexdigest()
    edited = kept.replace(str(laboratory.overlay(client)), str(laboratory.base))
    answer = laboratory.rxm("edit", "--was", was, client, "-", stdin=edited)
    assert (answer.status, said in answer.stderr) == (REFUSED, True), answer
    laboratory.refused(("volume-delete", POOL, laboratory.base.name), profile)
    # It stays where its clients are.
    laboratory.refused(("migrate", profile, "hv2.xman.test"), "has clients")
    # Nor the profile itself, where more than its clients is built upon it.
    laboratory.done("volume-create", "--base", laboratory.base.name, POOL, "upon.qcow2")
    laboratory.refused(("start", profile), f"is the base of {POOL}/upon.qcow2")
    laboratory.done("volume-delete", POOL, "upon.qcow2")
    laboratory.done("start", "--paused", profile)


def test_a_profile_is_for_its_laboratories(laboratory: Laboratory) -> None:
    profile, client = laboratory.name, laboratory.client()
    laboratory.refused(("profile", profile, "on", "--labs", "@economy,stats"), "is for economy, stats", "[host] labs")
    laboratory.done("profile", "--force", profile, "on", "--labs", "@economy,stats")

    laboratory.refused(("profile-client", profile, f"{profile}-more"), "is for economy, stats")
    laboratory.refused(("start", client), "is for economy, stats")

    laboratory.done("start", "--paused", "--force", client)
    assert laboratory.profiles()[0]["labs"] == ["economy", "stats"]
    (shown,) = laboratory.done("list", "--long", profile)["result"]["domains"]
    assert (shown["profile"], shown["labs"]) == (True, ["economy", "stats"])


def test_it_boots_from_a_cd_once_and_is_kept_as_it_was(laboratory: Laboratory) -> None:
    client = laboratory.client()
    kept = laboratory.host.virsh("dumpxml", "--inactive", client).stdout
    disc = laboratory.host.directory / f"{client}.iso"
    disc.write_bytes(bytes(1 << 20))
    laboratory.refused(("start", "--boot", "cdrom", client), "is empty")

    laboratory.done("start", "--paused", "--boot", "cdrom", "--cd", str(disc), client)

    runs = etree.fromstring(laboratory.host.virsh("dumpxml", client).stdout.encode())
    assert [str(boot.get("dev")) for boot in runs.iterfind("os/boot")] == ["cdrom", "hd"]
    source = runs.find("devices/disk[@device='cdrom']/source")
    assert source is not None
    assert source.get("file") == str(disc)
    assert laboratory.host.virsh("dumpxml", "--inactive", client).stdout == kept
    laboratory.done("destroy", client)
    assert laboratory.host.virsh("dumpxml", "--inactive", client).stdout == kept
    disc.unlink()


def test_after_a_power_cut_each_client_begins_anew(laboratory: Laboratory) -> None:
    client, before = laboratory.client(), laboratory.digest()
    overlay = laboratory.overlay(client)
    write(overlay)
    # Past us, so that what was written is still there.
    assert laboratory.host.virsh("start", "--paused", client).status == 0

    number = int((laboratory.host.directory / "run" / "qemu" / f"{client}.pid").read_text())
    laboratory.host.kill_libvirtd()
    os.kill(number, signal.SIGKILL)
    laboratory.host.start_libvirtd()

    wait_for(lambda: laboratory.rxm("start", "--paused", client).status == 0, 60, "the client's start")
    assert not written(overlay)
    assert laboratory.digest() == before


@pytest.mark.parametrize("step", ["begun", "make1", "made1", "enter1", "exit1", "end"])
def test_a_client_is_whole_or_nothing_of_it_is_left_wherever_xmand_is_torn(laboratory: Laboratory, step: str) -> None:
    lab, client = laboratory.lab, f"{laboratory.name}-1"

    def xmand(*under: str) -> Daemon:
        admins = ("alice@XMAN.TEST",)
        return lab.first.xmand(lab.realm, admins=admins, port=PORT, name=f"torn-{laboratory.name}", under=under)

    def ask(daemon: Daemon) -> Answer:
        return daemon.remctl(lab.alice, "profile-client", f"--rid={7:032x}", laboratory.name, client)

    torn = xmand(sys.executable, "-m", "tests.lab.faults.failpoint", step)
    assert ask(torn).status != 0
    wait_for(lambda: torn.process.poll() == -signal.SIGKILL, 20, "the kill")
    torn.stop()

    last = xmand()
    told = last.syslog.wait(ev="end", verb="profile-client", recovered="1")
    there = step in ("exit1", "end")
    assert (told["res"] == "ok") == there
    if step == "made1":
        last.syslog.wait(ev="settle", dom=client)
    if not there:
        wait_for(lambda: laboratory.volumes() == {laboratory.base.name}, 20, "nothing that is left")
        assert lab.rxm("list", client).status == 7
    assert ask(last).status == 0
    assert laboratory.overlay(client).exists()
    assert last.stop() == 0
