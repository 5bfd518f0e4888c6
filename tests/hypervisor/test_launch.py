"""Machines that ordinary people launch from images on real QEMU: theirs, within limits, and gone without a trace."""

import io
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pycdlib
import pytest

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_devices import described
from tests.hypervisor.test_snapshots import image
from tests.hypervisor.test_volumes import Endless
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.process import wait_for

REFUSED, DENIED, NO_SUCH = 3, 5, 7
PORT = 4381
IMAGE = "tiny.qcow2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFXpeDFNrw7LjK3jyO3JvvWkBnVCMEdnF4oTGMkkmvgK lena@desk"
SETTINGS = """\
[authorize]
methods = ["k5login", "principals", "owner"]
[authorize.principals]
"lena@XMAN.TEST" = ["launch"]
"leon@XMAN.TEST" = ["launch"]
[launch]
pools = ["launching"]
images = ["tiny*"]
kvm = false # what others find here is none
per_principal = 2
memory = "1G"
"""


class Site:
    """A host with an image, an xmand that lets two people launch machines of it, and an administrator."""

    def __init__(self, lab: Lab, daemon: Daemon, folder: Path, people: dict[str, dict[str, str]]) -> None:
        self.lab = lab
        self.xmand = daemon
        self.folder = folder
        self.people = people

    def rxm(self, who: str, *words: str, stdin: str = "") -> Answer:
        """Run rxm as lena, leon or alice."""
        return self.xmand.rxm(self.people[who], *words, stdin=stdin)

    def launched(self, who: str, name: str, *options: str) -> dict[str, object]:
        """Launch a machine; return the result."""
        answer = self.rxm(who, "-j", "launch", "--memory", "64", *options, IMAGE, name)
        assert answer.status == 0, answer
        found: dict[str, object] = answer.json()["result"]
        return found

    def restart(self) -> None:
        """Stop xmand, and start it again."""
        assert self.xmand.stop() == 0
        self.xmand = self.lab.first.xmand(self.lab.realm, admins=("alice@XMAN.TEST",), tables=SETTINGS, port=PORT)

    def files(self) -> set[str]:
        """Return the files of the pool that are not the images' own."""
        return {path.name for path in self.folder.iterdir()} - {IMAGE, f"{IMAGE}.toml", "other.qcow2"}

    def names(self) -> set[str]:
        """Return all domains that libvirt knows."""
        return set(self.lab.first.virsh("list", "--all", "--name").stdout.split())


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    pool = lab.first.pool("launching")
    folder = lab.first.directory / "launching.volumes"
    for name in (IMAGE, "other.qcow2"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / name, "4M"], check=True)
    (folder / f"{IMAGE}.toml").write_text('title = "Next to nothing"\nmemory = "48M"\n')
    people = {"alice": lab.alice}
    for name in ("lena", "leon"):
        lab.realm.add_principal(name, PASSWORD)
        people[name] = lab.realm.kinit(name, PASSWORD, name)
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=SETTINGS, port=PORT)
    site = Site(lab, daemon, folder, people)
    yield site
    assert site.xmand.stop() == 0
    lab.first.virsh("pool-destroy", pool)


@pytest.fixture(autouse=True)
def nothing_left(site: Site) -> Iterator[None]:
    """End what a test launched."""
    # What a test started ended with it.
    if site.xmand.process.poll() is not None:
        site.restart()
    yield
    for name in site.names():
        if name.startswith(("lena-", "leon-")):
            answer = site.rxm("alice", "terminate", name)
            assert answer.status == 0, answer
    assert site.files() == set()


def test_a_machine_of_ones_own_is_seen_by_its_owner_alone_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    for name, text in (("keys.pub", f"{KEY}\n"), ("data", "#cloud-config\npackages: [vim]\n")):
        (tmp_path / name).write_text(text)
    files = ("--ssh-key", str(tmp_path / "keys.pub"), "--user-data", str(tmp_path / "data"))

    told = site.rxm("lena", "images")
    made = site.launched("lena", "lena-1", "--disk", "8", *files)

    assert (IMAGE in told.stdout, "Next to nothing" in told.stdout, "other" in told.stdout) == (True, True, False)
    assert made["instance"] == f"i-{str(made['uuid']).replace('-', '')[:17]}"
    assert site.files() == {f"xman-{made['uuid']}.qcow2", f"xman-{made['uuid']}-seed.iso"}
    # What its guest finds at its first start.
    seed = site.folder / f"xman-{made['uuid']}-seed.iso"
    assert seed.stat().st_mode & 0o777 == 0o600
    found = read(seed)
    assert found["user-data"] == "#cloud-config\npackages: [vim]\n"
    meta = json.loads(found["meta-data"])
    assert meta == {"instance-id": made["instance"], "local-hostname": "lena-1", "public-keys": [KEY]}
    # Whose it is.
    (mine,) = site.rxm("lena", "-j", "list", "--long").json()["result"]["domains"]
    assert (mine["name"], mine["owner"], mine["image"]) == ("lena-1", "lena@XMAN.TEST", IMAGE)
    assert site.rxm("leon", "list").status == DENIED  # who has none sees none
    for words in (("describe", "lena-1"), ("destroy", "lena-1"), ("console", "--log", "lena-1")):
        assert site.rxm("leon", *words).status == DENIED, words
    assert site.rxm("leon", "terminate", "lena-1").status == NO_SUCH
    assert site.rxm("leon", "terminate", "lena-none").status == NO_SUCH
    # Its screen listens nowhere, its disk is as large as asked for, and the image is not written to.
    description = site.rxm("lena", "describe", "lena-1").stdout
    assert "<listen type='none'/>" in description
    (disk,) = site.folder.glob("xman-*.qcow2")
    shown = subprocess.run(["qemu-img", "info", "-U", "--output=json", disk], check=True, capture_output=True).stdout
    facts = json.loads(shown)
    assert (facts["virtual-size"], facts["backing-filename-format"]) == (8 << 20, "qcow2")
    assert facts["format-specific"]["data"]["compat"] == "1.1"
    # Its owner may stop it; nobody forgets it without its disks.
    assert site.rxm("lena", "destroy", "lena-1").status == 0
    assert site.rxm("alice", "delete", "lena-1").status == REFUSED

    ended = site.rxm("lena", "terminate", "lena-1")

    assert ended.status == 0, ended
    assert "lena-1" not in site.names()
    assert site.files() == set()


def read(path: Path) -> dict[str, str]:
    """Return the files of a seed, by the names that a guest sees."""
    iso = pycdlib.PyCdlib()
    iso.open(str(path))
    found = {}
    for entry in iso.list_children(joliet_path="/"):
        if entry.is_file():
            name = entry.file_identifier().decode("utf-16_be")
            octets = io.BytesIO()
            iso.get_file_from_iso_fp(octets, joliet_path=f"/{name}")
            found[name] = octets.getvalue().decode()
    label = iso.pvd.volume_identifier.decode().strip()
    iso.close()
    assert label == "cidata"
    return found


def test_what_one_may_not(site: Site, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    cases = {
        ("launch", IMAGE, "leons-1"): (DENIED, "lena-*"),
        ("launch", "other.qcow2", "lena-2"): (REFUSED, "no image"),
        ("launch", "--disk", "2", IMAGE, "lena-2"): (REFUSED, "smaller"),
        ("launch", "--memory", "40", IMAGE, "lena-2"): (REFUSED, "48 MiB"),
        ("launch", "--network", "default", IMAGE, "lena-2"): (REFUSED, "network"),
        ("launch", "--ssh-key", str(tmp_path / "key"), IMAGE, "lena-2"): (2, "private key"),
        ("launch", "--until", "2020-01-01", IMAGE, "lena-2"): (2, "is in the past"),
        ("create", "-"): (DENIED, ""),
    }
    for words, (status, said) in cases.items():
        answer = site.rxm("lena", *words, stdin="<domain/>")
        assert (answer.status, said in answer.stderr) == (status, True), (words, answer)
    assert site.files() == set()
    assert not any(name.startswith("lena-") for name in site.names())


def test_what_a_guest_may_have_written_is_no_image(site: Site, own_name: str) -> None:
    leads, disk = site.folder / "tiny-leads.qcow2", site.folder / "tiny-disk.qcow2"
    # As a guest could write into a disk that is raw for it: what is launched from it would show a file of the host's.
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/hosts", "-F", "raw", leads, "4M"], check=True
    )
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "4M"], check=True)
    guest = site.lab.guest(own_name)
    assert site.rxm("alice", "new", "-", stdin=described(guest, disk)).status == 0

    answers = [
        site.rxm(who, "launch", "--dry-run", "--memory", "64", image.name, f"{who}-1")
        for who, image in (("lena", leads), ("alice", leads), ("lena", disk), ("alice", disk))
    ]

    assert [answer.status for answer in answers] == [REFUSED, REFUSED, REFUSED, 0], answers
    assert "refers to another file" in answers[0].stderr
    assert ("is the disk of a domain that is off" in answers[2].stderr, own_name in answers[2].stderr) == (True, False)
    assert site.rxm("alice", "delete", own_name).status == 0
    leads.unlink()
    disk.unlink()


def test_a_link_out_of_the_pool_is_no_image_and_nothing_starts_from_it(site: Site, tmp_path: Path) -> None:
    image, elsewhere = site.folder / "tiny-link.qcow2", tmp_path / "elsewhere.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", elsewhere, "4M"], check=True)
    image.symlink_to(elsewhere)

    answer = site.rxm("alice", "launch", "--memory", "64", image.name, "lena-link")

    assert (answer.status, "leads out of the folder of its pool" in answer.stderr) == (REFUSED, True), answer
    assert "lena-link" not in site.names()
    image.unlink()
    # The same once there is a machine, which is off: whoever can write there puts a link in its image's place.
    shutil.copy(elsewhere, image)
    assert site.rxm("alice", "launch", "--memory", "64", image.name, "lena-link").status == 0
    assert site.rxm("alice", "destroy", "lena-link").status == 0
    image.unlink()
    image.symlink_to(elsewhere)
    answer = site.rxm("alice", "start", "lena-link")
    assert (answer.status, "leads out of the folder of its pool" in answer.stderr) == (REFUSED, True), answer
    assert site.rxm("alice", "terminate", "lena-link").status == 0
    image.unlink()


def test_an_image_that_is_being_uploaded_is_none_yet(site: Site, tmp_path: Path) -> None:
    upload = Endless(site.xmand, site.lab.alice, "launching", site.folder / "tiny-half", tmp_path)

    told, launched = site.rxm("lena", "images"), site.rxm("lena", "launch", "--dry-run", "tiny-half", "lena-1")
    upload.program.kill()
    upload.program.wait()

    assert (IMAGE in told.stdout, "tiny-half" in told.stdout) == (True, False)
    assert (launched.status, "no image 'tiny-half'" in launched.stderr) == (REFUSED, True), launched
    wait_for(lambda: not upload.there, 60, "its end")


def test_one_that_was_not_launched_is_no_ones_to_terminate(site: Site, own_name: str) -> None:
    guest = site.lab.guest(own_name)
    assert site.rxm("alice", "new", "-", stdin=guest.description()).status == 0

    answer = site.rxm("alice", "terminate", own_name)

    assert (answer.status, "was not launched" in answer.stderr) == (REFUSED, True), answer
    assert site.rxm("alice", "delete", own_name).status == 0


def test_with_a_machine_goes_what_is_its_own_and_no_more(site: Site, own_name: str) -> None:
    site.launched("lena", "lena-parts")
    theirs, disc = image(site.lab, f"{own_name}-theirs"), image(site.lab, f"{own_name}-disc", "raw")
    disks = site.rxm("alice", "-j", "block-list", "lena-parts").json()["result"]["disks"]
    (drive,) = [disk["target"] for disk in disks if disk["device"] == "cdrom"]
    for words in (
        ("snapshot", "lena-parts", "then"),
        ("cd-insert", "--force", "lena-parts", drive, str(disc)),
        ("block-attach", "lena-parts", f"qcow2:{theirs}", "vdb", "w"),
    ):
        done = site.rxm("alice", *words)
        assert done.status == 0, done

    ended = site.rxm("lena", "terminate", "lena-parts")

    assert ended.status == 0, ended
    assert ("lena-parts" in site.names(), site.files()) == (False, set())
    assert theirs.exists()
    assert disc.exists()


def test_one_whose_image_was_taken_away_can_still_be_ended(site: Site) -> None:
    site.launched("lena", "lena-orphan")
    assert site.rxm("lena", "destroy", "lena-orphan").status == 0
    away = (site.folder / IMAGE).rename(site.folder.parent / "away")
    try:
        started = site.rxm("lena", "start", "lena-orphan")
        ended = site.rxm("lena", "terminate", "lena-orphan")
    finally:
        away.rename(site.folder / IMAGE)

    # Which file is missing, is said.
    assert (started.status != 0, IMAGE in started.stderr) == (True, True), started
    assert ended.status == 0, ended
    assert ("lena-orphan" in site.names(), site.files()) == (False, set())


def test_limits_hold_against_fifty_at_once(site: Site) -> None:
    answers: list[Answer] = []

    def ask(number: int) -> None:
        answers.append(site.rxm("lena", "launch", "--memory", "64", IMAGE, f"lena-{number}"))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted({answer.status for answer in answers}) == [0, REFUSED], answers
    assert sum(answer.status == 0 for answer in answers) == 2
    assert len([name for name in site.names() if name.startswith("lena-")]) == 2
    assert len(site.files()) == 4


def test_with_several_hosts_the_roomiest_that_may_is_chosen_and_the_sum_is_said(site: Site) -> None:
    other = site.lab.second.xmand(site.lab.realm, admins=("alice@XMAN.TEST",), tables=SETTINGS, port=PORT)
    both = f"{site.xmand.host},{other.host}"

    # Only the first has the image.
    answer = site.rxm("lena", "-H", both, "launch", "--memory", "64", "--count", "2", IMAGE, "lena-n")
    more = site.rxm("lena", "-H", both, "launch", "--memory", "64", IMAGE, "lena-m[1-2]")
    again = site.rxm("lena", "-H", both, "launch", "--memory", "64", IMAGE, "lena-n1")

    assert answer.status == 0, answer
    assert "You have 2 machines on 2 hosts, with 128 MiB of memory, 2 CPUs" in answer.stderr
    assert {"lena-n1", "lena-n2"} <= site.names()
    assert (more.status, "You may launch no more" in more.stderr) == (REFUSED, True), more
    # On the other host its name would be free.
    assert (again.status, "'lena-n1' already, on" in again.stderr) == (REFUSED, True), again
    assert other.stop() == 0


def test_one_that_is_to_end_is_told_and_ends_by_itself_also_after_a_restart(site: Site) -> None:
    site.launched("lena", "lena-long", "--until", "7d")
    site.launched("lena", "lena-short", "--until", "3s")
    told = site.xmand.syslog.wait(ev="due", dom="lena-short")

    site.restart()

    assert "ends by itself" in told["detail"]
    wait_for(lambda: "lena-short" not in site.names(), 60, "the end of lena-short")
    wait_for(lambda: len(site.files()) == 2, 20, "the end of its disks")
    # It is written down behind all that was done.
    wait_for(lambda: "time is over" in site.rxm("alice", "log", "lena-short").stdout, 20, "what is said of its end")
    (long,) = site.rxm("lena", "-j", "list", "--long").json()["result"]["domains"]
    assert (long["name"], long["until"] > long["launched"]) == ("lena-long", True)
    state = site.rxm("alice", "-j", "state").json()["result"]
    (seen,) = [one for one in (*state["domains"], *state["others"]) if one["name"] == "lena-long"]
    kept = ("instance", "image", "owner", "launched", "until")
    assert {key: seen[key] for key in kept} == {key: long[key] for key in kept}


def another(lab: Lab, number: int, *under: str) -> Daemon:
    """Start one more xmand on the first host, with a state of its own, killed where `under` says so."""
    return lab.first.xmand(lab.realm, tables=SETTINGS, port=PORT + number, name=f"launching-{number}", under=under)


def killed_at(site: Site, number: int, step: str, *words: str) -> Daemon:
    """Let an xmand be killed at a step of a command; return the next one, once it has settled what is left."""
    torn = another(site.lab, number, sys.executable, "-m", "tests.lab.faults.failpoint", step)
    assert torn.remctl(site.people["leon"], *words).status != 0
    wait_for(lambda: torn.process.poll() == -9, 20, f"the kill at {step}")
    torn.syslog.close()
    following = another(site.lab, number)
    notes = following.directory / "state" / "launching"
    wait_for(lambda: not list(notes.glob("*.json")), 60, "what was begun to be settled")
    return following


# The seed is filled and nothing defined; it is defined and not started.
@pytest.mark.parametrize(("number", "step", "left"), [(1, "made3", 0), (2, "exit1", 2)])
def test_killed_while_it_launches_nothing_is_left_that_is_nobodys(
    site: Site, number: int, step: str, left: int
) -> None:
    words = ("launch", f"--rid={'ab' * 16}", "--memory", "64", IMAGE, f"leon-{step}")

    last = killed_at(site, number, step, *words)
    assert len(site.files()) == left
    again = last.rxm(site.people["leon"], *words)

    assert again.status == 0, again
    assert (f"leon-{step}" in site.names(), len(site.files())) == (True, 2)
    assert last.stop() == 0


def test_killed_while_it_terminates_nothing_is_left(site: Site) -> None:
    site.launched("leon", "leon-ends")

    # It is stopped and forgotten, and its disks are still there.
    last = killed_at(site, 3, "exit2", "terminate", "leon-ends")

    assert ("leon-ends" in site.names(), site.files()) == (False, set())
    assert last.stop() == 0
