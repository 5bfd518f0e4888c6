"""Volumes of a pool of libvirt's real storage driver: made, told, and deleted only where nobody has them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer
from tests.lab.hosts.hypervisor import Guest

USAGE, REFUSED = 2, 3
MIB = 1024 * 1024


class Storage:
    """A pool of the test's own, and its directory."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.pool = lab.first.pool(name)
        self.folder = lab.first.directory / f"{name}.volumes"
        self._lab = lab

    def does(self, *words: str) -> dict[str, object]:
        """Run rxm with the pool behind its first word; return what it says."""
        answer = self.rxm(*words)
        assert answer.status == 0, answer
        found: dict[str, object] = answer.json()["result"]
        return found

    def rxm(self, verb: str, *words: str) -> Answer:
        """The same, whatever comes of it."""
        return self._lab.rxm("-j", verb, self.pool, *words)

    def names(self) -> list[str]:
        """Return the names of its volumes, as rxm tells them."""
        return [one["name"] for one in self._lab.rxm("-j", "volumes", self.pool).json()["result"]["volumes"]]


@pytest.fixture
def storage(lab: Lab, own_name: str) -> Iterator[Storage]:
    """A pool, empty."""
    made = Storage(lab, own_name)
    yield made
    for path in made.folder.iterdir():
        path.unlink()
    assert lab.first.virsh("pool-destroy", made.pool).status == 0


def refused(answer: Answer, words: str, status: int = REFUSED) -> None:
    assert answer.status == status, answer
    assert words in answer.json()["message"]


def with_disk(guest: Guest, disk: str) -> str:
    return guest.empty_description().replace("</devices>", f"{disk}</devices>")


def test_one_is_made_and_told_and_deleted(lab: Lab, storage: Storage) -> None:
    made = storage.does("volume-create", "a.qcow2", "64")
    (told,) = lab.rxm("-j", "volumes", storage.pool).json()["result"]["volumes"]
    (pool,) = [one for one in lab.rxm("-j", "pools").json()["result"]["pools"] if one["name"] == storage.pool]
    table = lab.rxm("volumes", storage.pool).stdout.splitlines()
    pools = lab.rxm("pools").stdout.splitlines()
    gone = storage.does("volume-delete", "a.qcow2")

    assert (made["format"], made["capacity"]) == ("qcow2", 64 * MIB)
    assert told["path"] == made["path"] == str(storage.folder / "a.qcow2")
    assert (pool["active"], pool["type"], pool["path"]) == (True, "dir", str(storage.folder))
    assert table[1].split()[:4] == ["a.qcow2", storage.pool, "qcow2", "64"]
    assert any(line.split()[:3] == [storage.pool, "active", "dir"] for line in pools)
    assert gone["wiped"] is False
    assert list(storage.folder.iterdir()) == []


def test_an_image_of_today_that_only_root_reads(storage: Storage) -> None:
    storage.does("volume-create", "a", "64")
    image = storage.folder / "a"

    # The version of the format stands behind its magic.
    assert image.read_bytes()[:8] == b"QFI\xfb\0\0\0\x03"
    assert image.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_over_whoever_made_it(storage: Storage) -> None:
    storage.does("volume-create", "a", "8")
    # Past libvirt, which has not looked since.
    (storage.folder / "theirs").write_bytes(b"theirs")

    refused(storage.rxm("volume-create", "a", "8"), "already has a volume 'a'")
    refused(storage.rxm("volume-create", "theirs", "8"), "already has a volume 'theirs'")
    assert (storage.folder / "theirs").read_bytes() == b"theirs"


def test_a_name_that_is_a_path_or_not_to_be_seen_is_refused(storage: Storage) -> None:
    for name in ("../a", ".hidden", ".."):
        refused(storage.rxm("volume-create", name, "8"), "cannot name a new volume", USAGE)
    assert list(storage.folder.iterdir()) == []


def test_who_is_asked_only_to_say_it_does_nothing(storage: Storage) -> None:
    would = storage.does("volume-create", "-n", "a", "8")
    storage.does("volume-create", "a", "8")
    would_not = storage.does("volume-delete", "-n", "a")

    assert (would["dry_run"], would_not["dry_run"]) == (True, True)
    assert storage.names() == ["a"]


def test_an_overlay_is_never_smaller_than_its_base_which_stays_as_long_as_it_is_there(storage: Storage) -> None:
    storage.does("volume-create", "base", "64")
    overlay = storage.does("volume-create", "--base", "base", "top")

    assert (overlay["capacity"], overlay["backing"]) == (64 * MIB, str(storage.folder / "base"))
    refused(storage.rxm("volume-create", "--base", "base", "small", "32"), "not smaller")
    refused(storage.rxm("volume-delete", "base"), "is the base of the volume")
    storage.does("volume-delete", "top")
    storage.does("volume-delete", "base")


@pytest.mark.parametrize(("way", "verb"), [("file", "create"), ("volume", "new"), ("kernel", "new")])
def test_what_a_domain_has_is_not_deleted(lab: Lab, storage: Storage, own_name: str, way: str, verb: str) -> None:
    """libvirt deletes the disk of a guest that runs, and says nothing."""
    storage.does("volume-create", "a", "8", "--format", "raw")
    path = storage.folder / "a"
    guest = lab.guest(own_name)
    target = "<target dev='vda' bus='virtio'/></disk>"
    description = {
        "file": with_disk(guest, f"<disk type='file'><source file='{path}'/>{target}"),
        "volume": with_disk(guest, f"<disk type='volume'><source pool='{storage.pool}' volume='a'/>{target}"),
        "kernel": guest.empty_description().replace("</os>", f"<kernel>{path}</kernel></os>"),
    }[way]
    assert lab.rxm(verb, "-", stdin=description).status == 0

    try:
        refused(storage.rxm("volume-delete", "a"), f"belongs to the domain '{own_name}'")
    finally:
        lab.rxm("destroy", own_name)
        assert lab.rxm("delete", own_name).status == 0
    storage.does("volume-delete", "a")


def test_a_volume_is_wiped_where_it_is_asked_for(storage: Storage) -> None:
    storage.does("volume-create", "--format", "raw", "a", "1")
    path, kept = storage.folder / "a", storage.folder.parent / f"{storage.pool}.kept"
    path.write_bytes(b"secret" * 1000)
    # By another name the file is there when it is deleted by its first.
    os.link(path, kept)

    gone = storage.does("volume-delete", "--wipe", "a")

    assert gone["wiped"] is True
    assert not path.exists()
    assert not any(_octets(kept))


def _octets(path: Path) -> bytes:
    octets = path.read_bytes()
    assert len(octets) >= 6000
    path.unlink()
    return octets


def test_what_is_not_there_is_told_with_what_is(lab: Lab, storage: Storage) -> None:
    storage.does("volume-create", "a", "8")

    refused(storage.rxm("volume-delete", "b"), "has no volume 'b'; it has a.")
    refused(lab.rxm("-j", "volume-create", "nosuch", "b", "8"), "has no pool 'nosuch'")
    assert lab.first.virsh("pool-define-as", "asleep", "dir", "--target", str(storage.folder.parent)).status == 0
    try:
        refused(lab.rxm("-j", "volumes", "asleep"), "not active")
    finally:
        assert lab.first.virsh("pool-undefine", "asleep").status == 0
