"""Machines that ordinary people launch from images on real QEMU: theirs, within limits, and gone without a trace."""

import io
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pycdlib
import pytest

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon

REFUSED, DENIED, NO_SUCH, UNREACHABLE = 3, 5, 7, 6
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
per_principal = 3
memory = "1G"
"""


class Site:
    """A host with an image, an xmand that lets two people launch machines of it, and an administrator."""

    def __init__(self, lab: Lab, daemon: Daemon, folder: Path, people: dict[str, dict[str, str]]) -> None:
        self.lab = lab
        self.xmand = daemon
        self.folder = folder
        self._people = people

    def rxm(self, who: str, *words: str, stdin: str = "") -> Answer:
        """Run rxm as lena, leon or alice."""
        return self.xmand.rxm(self._people[who], *words, stdin=stdin)

    def launched(self, who: str, name: str, *options: str) -> dict[str, object]:
        """Launch a machine; return the result."""
        answer = self.rxm(who, "-j", "launch", "--memory", "64", *options, IMAGE, name)
        assert answer.status == 0, answer
        found: dict[str, object] = answer.json()["result"]
        return found

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
    yield
    for name in site.names():
        if name.startswith(("lena-", "leon-")):
            answer = site.rxm("alice", "terminate", name)
            assert answer.status == 0, answer
    assert site.files() == set()


def test_a_machine_of_ones_own_is_seen_by_its_owner_alone_and_leaves_nothing(site: Site) -> None:
    told = site.rxm("lena", "images")
    made = site.launched("lena", "lena-1", "--disk", "8")

    assert (IMAGE in told.stdout, "Next to nothing" in told.stdout, "other" in told.stdout) == (True, True, False)
    assert made["instance"] == f"i-{str(made['uuid']).replace('-', '')[:17]}"
    assert site.files() == {f"xman-{made['uuid']}.qcow2", f"xman-{made['uuid']}-seed.iso"}
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
    # Its owner may stop and start it.
    assert site.rxm("lena", "destroy", "lena-1").status == 0
    assert site.rxm("lena", "start", "lena-1").status == 0

    ended = site.rxm("lena", "terminate", "lena-1")

    assert ended.status == 0, ended
    assert "lena-1" not in site.names()
    assert site.files() == set()


def test_the_guest_finds_who_it_is(site: Site, tmp_path: Path) -> None:
    for name, text in (("keys.pub", f"{KEY}\n"), ("data", "#cloud-config\npackages: [vim]\n")):
        (tmp_path / name).write_text(text)

    made = site.launched(
        "lena", "lena-seed", "--ssh-key", str(tmp_path / "keys.pub"), "--user-data", str(tmp_path / "data")
    )

    (seed,) = site.folder.glob("xman-*-seed.iso")
    assert seed.stat().st_mode & 0o777 == 0o600
    found = read(seed)
    assert found["user-data"] == "#cloud-config\npackages: [vim]\n"
    meta = json.loads(found["meta-data"])
    assert meta == {"instance-id": made["instance"], "local-hostname": "lena-seed", "public-keys": [KEY]}


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
        ("launch", "--until", "2020-01-01", IMAGE, "lena-2"): (2, "is past"),
        ("create", "-"): (DENIED, ""),
    }
    for words, (status, said) in cases.items():
        answer = site.rxm("lena", *words, stdin="<domain/>")
        assert (answer.status, said in answer.stderr) == (status, True), (words, answer)
    assert site.files() == set()
    assert not any(name.startswith("lena-") for name in site.names())


def test_one_that_was_not_launched_is_no_ones_to_terminate(site: Site, own_name: str) -> None:
    guest = site.lab.guest(own_name)
    assert site.rxm("alice", "new", "-", stdin=guest.description()).status == 0

    answer = site.rxm("alice", "terminate", own_name)

    assert (answer.status, "was not launched" in answer.stderr) == (REFUSED, True), answer
    assert site.rxm("alice", "delete", own_name).status == 0


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
    assert sum(answer.status == 0 for answer in answers) == 3
    assert len([name for name in site.names() if name.startswith("lena-")]) == 3
    assert len(site.files()) == 6
