"""Volumes of a pool of libvirt's real storage driver: made, told, and deleted only where nobody has them."""

import hashlib
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import start, wait_for

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


def test_nothing_is_written_where_a_link_to_nowhere_leads(storage: Storage, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"x" * 1024)
    (storage.folder / "link").symlink_to(tmp_path / "elsewhere")

    refused(storage.rxm("volume-create", "link", "8"), "something else called 'link'")
    refused(storage.rxm("volume-upload", "link", str(image)), "something else called 'link'")
    assert not (tmp_path / "elsewhere").exists()


def test_what_a_link_in_the_folder_leads_to_is_neither_read_nor_built_upon_nor_wiped(
    lab: Lab, storage: Storage, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret" * 1024)
    storage.does("volume-create", "disk", "1M", "--format", "raw")
    (storage.folder / "disk").unlink()
    (storage.folder / "disk").symlink_to(secret)
    assert lab.first.virsh("pool-refresh", storage.pool).status == 0

    for words in (
        ("volume-download", "disk", str(tmp_path / "copy")),
        ("volume-create", "overlay", "--base", "disk"),
        ("volume-delete", "disk", "--wipe"),
    ):
        refused(storage.rxm(*words), "leads out of the folder of its pool")
    assert secret.read_bytes() == b"a secret" * 1024
    assert storage.names() == ["disk"]
    storage.does("volume-delete", "disk")
    assert secret.exists()


def test_a_link_to_another_volume_of_the_pool_is_read(lab: Lab, storage: Storage, tmp_path: Path) -> None:
    storage.does("volume-create", "disk", "1M", "--format", "raw")
    (storage.folder / "same").symlink_to("disk")
    assert lab.first.virsh("pool-refresh", storage.pool).status == 0

    storage.does("volume-download", "same", str(tmp_path / "copy"))

    assert (tmp_path / "copy").stat().st_size == MIB
    refused(storage.rxm("volume-delete", "same", "--wipe"), "is a link")


def test_a_name_that_is_a_path_or_not_to_be_seen_is_refused(storage: Storage) -> None:
    for name in ("../a", ".hidden", ".."):
        refused(storage.rxm("volume-create", name, "8"), "is not a valid name for a new volume", USAGE)
    assert list(storage.folder.iterdir()) == []


def test_a_file_whose_name_is_no_text_is_told_and_keeps_nobody_from_the_others(storage: Storage) -> None:
    storage.does("volume-create", "base", "8")
    base, odd = storage.folder / "base", storage.folder / "b\udcff"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, odd], check=True)
    storage.does("volume-create", "other", "8")

    names = storage.names()
    missing, kept = storage.rxm("volume-delete", "none"), storage.rxm("volume-delete", "base")
    storage.does("volume-delete", "other")

    assert names == ["base", "b\ufffd", "other"]
    refused(missing, "it has base, b\ufffd, other")
    # It is an overlay, whatever it is called.
    refused(kept, "is the base of the volume")


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
    refused(storage.rxm("volume-create", "--base", "base", "small", "32"), "cannot be smaller")
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


# --- images from and to here ------------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A file of 64 MiB with data at its beginning, in its middle and not at its end."""
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.write(b"\xeb\x63" + os.urandom(300_000))
        file.seek(32 * MIB + 12_345)
        file.write(os.urandom(200_000))
        file.truncate(64 * MIB)
    return path


def test_an_image_goes_there_and_comes_back_and_its_holes_stay_holes(storage: Storage, sparse: Path) -> None:
    up = storage.does("volume-upload", "a", str(sparse))
    copy = sparse.with_suffix(".back")
    down = storage.does("volume-download", "a", str(copy))
    there = storage.folder / "a"

    assert up["sha256"] == down["sha256"] == digest(sparse) == digest(there) == digest(copy)
    assert up["octets"] == down["octets"] == there.stat().st_size == copy.stat().st_size == 64 * MIB
    assert max(path.stat().st_blocks * 512 for path in (there, copy)) < 8 * MIB
    assert copy.stat().st_mode & 0o777 == 0o600
    assert there.stat().st_mode & 0o777 == 0o600


def test_who_only_asks_sends_nothing(lab: Lab, storage: Storage, sparse: Path) -> None:
    def written_down() -> int:
        entries = lab.rxm("-j", "log").json()["result"]["entries"]
        return len([one for one in entries if one["verb"] == "volume-upload"])

    before = written_down()
    would = storage.does("volume-upload", "--dry-run", "a", str(sparse))
    said = lab.rxm("volume-upload", "-n", storage.pool, "a", str(sparse))
    nothing = list(storage.folder.iterdir())
    storage.does("volume-upload", "a", str(sparse))

    assert (would["dry_run"], would["octets"], would["volume"]) == (True, 64 * MIB, "a")
    assert "would be made in the pool" in said.stdout
    assert nothing == []
    refused(storage.rxm("volume-upload", "--dry-run", "a", str(sparse)), "already has a volume 'a'")
    # Nothing is written down of who only asked.
    assert written_down() == before + 1


def test_an_image_to_standard_output_has_its_zeros(lab: Lab, storage: Storage, sparse: Path) -> None:
    storage.does("volume-upload", "a", str(sparse))
    words = [*lab.xmand.prefix, "rxm", "-H", lab.xmand.host, "-p", str(lab.xmand.port)]

    got = subprocess.run(
        [*words, "-q", "volume-download", storage.pool, "a", "-"], env=lab.alice, capture_output=True, check=False
    )

    assert (got.returncode, got.stderr) == (0, b"")
    assert hashlib.sha256(got.stdout).hexdigest() == digest(sparse)


def test_what_libvirt_makes_of_an_image_is_told(storage: Storage, tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "3G"], check=True)

    told = storage.does("volume-upload", "debian.qcow2", str(image))

    assert (told["format"], told["capacity"]) == ("qcow2", 3 * 1024 * MIB)
    assert told["octets"] == image.stat().st_size


def test_an_overlay_of_any_kind_is_not_taken(storage: Storage, tmp_path: Path) -> None:
    base, overlay, qed = tmp_path / "base", tmp_path / "overlay", tmp_path / "qed"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "1M"], check=True)
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay)]
    subprocess.run(made, check=True)
    # Not every qemu-img makes these any more: magic, three sizes, and that there is a backing file.
    qed.write_bytes(b"QED\0" + struct.pack("<IIIQ", 65536, 4, 1, 1) + bytes(65536))

    for image in (overlay, qed):
        refused(storage.rxm("volume-upload", "v", str(image)), "it leads to another file")

    assert list(storage.folder.iterdir()) == []


def test_what_cannot_be_taken_is_refused_before_or_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    base, overlay, image = tmp_path / "base", tmp_path / "overlay", tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "8M"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, overlay], check=True)
    image.write_bytes(b"image")
    empty = tmp_path / "empty"
    empty.touch()
    storage.does("volume-create", "a", "8")

    refused(storage.rxm("volume-upload", "a", str(image)), "already has a volume 'a'")
    refused(storage.rxm("volume-upload", "../a", str(image)), "is not a valid name for a new volume", USAGE)
    refused(storage.rxm("volume-upload", "b", str(overlay)), "leads to another file")
    refused(storage.rxm("volume-upload", "b", str(empty)), "is empty", USAGE)
    refused(storage.rxm("volume-upload", "b", "/dev/null"), "neither a file nor a block device", USAGE)
    refused(storage.rxm("volume-download", "b", str(tmp_path / "b")), "has no volume 'b'")
    assert storage.names() == ["a"]
    assert not (tmp_path / "b").exists()


def test_what_a_guest_writes_to_is_not_read_or_built_upon(
    lab: Lab, storage: Storage, own_name: str, tmp_path: Path
) -> None:
    storage.does("volume-create", "a", "8", "--format", "raw")
    disk = f"<disk type='volume'><source pool='{storage.pool}' volume='a'/><target dev='vda' bus='virtio'/></disk>"
    assert lab.rxm("create", "-", stdin=with_disk(lab.guest(own_name), disk)).status == 0

    while_it_runs = storage.rxm("volume-download", "a", str(tmp_path / "a"))
    above = storage.rxm("volume-create", "--base", "a", "top")
    assert lab.rxm("destroy", own_name).status == 0
    storage.does("volume-download", "a", str(tmp_path / "a"))

    refused(while_it_runs, f"The domain '{own_name}' runs and writes to 'a'")
    refused(above, f"The domain '{own_name}' runs and writes to 'a'")
    assert storage.names() == ["a"]
    assert lab.rxm("delete", own_name).status == 0


def test_nothing_is_built_upon_what_says_that_it_leads_to_another_file_of_the_host(lab: Lab, storage: Storage) -> None:
    # As a guest could write into a disk that is raw for it.
    leads = storage.folder / "leads"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/hosts", "-F", "raw", leads, "4M"], check=True
    )
    storage.does("volume-create", "--format", "raw", "base", "4")
    storage.does("volume-create", "--base", "base", "middle")
    assert lab.first.virsh("pool-refresh", storage.pool).status == 0

    above = storage.rxm("volume-create", "--base", "leads", "top")
    storage.does("volume-create", "--base", "middle", "top")

    refused(above, "says that it is an overlay of '/etc/hosts'")
    leads.unlink()
    for name in ("top", "middle", "base"):
        storage.does("volume-delete", name)


class Endless:
    """An upload that would take hours: a file that is one hole, whose zeros are all counted."""

    def __init__(self, daemon: Daemon, alice: dict[str, str], pool: str, place: Path, folder: Path) -> None:
        path = folder / "endless"
        with path.open("wb") as file:
            file.write(b"begins")
            file.truncate(1 << 40)
        words = [*daemon.prefix, "rxm", "-H", daemon.host, "-p", str(daemon.port), "volume-upload"]
        self.program = start([*words, pool, place.name, str(path)], env=alice, stderr=subprocess.PIPE)
        self._place = place

        def begun() -> bool:
            volumes = daemon.rxm(alice, "-j", "volumes", pool).json()["result"]["volumes"]
            return self.there and place.name in [one["name"] for one in volumes]

        wait_for(begun, 60, "the volume that is being uploaded")

    @property
    def there(self) -> bool:
        """Whether there is such a file."""
        return self._place.exists()


def test_an_upload_that_is_cut_off_leaves_nothing(lab: Lab, storage: Storage, tmp_path: Path) -> None:
    def removed() -> list[str]:
        ends = lab.xmand.syslog.audit(ev="end", verb="volume-upload")
        return [end["detail"] for end in ends if "What had arrived is removed" in end.get("detail", "")]

    before = len(removed())
    upload = Endless(lab.xmand, lab.alice, storage.pool, storage.folder / "endless", tmp_path)
    (told,) = lab.rxm("-j", "volumes", storage.pool).json()["result"]["volumes"]
    deleted = storage.rxm("volume-delete", "endless")
    fetched = storage.rxm("volume-download", "endless", str(tmp_path / "back"))
    built_upon = storage.rxm("volume-create", "--base", "endless", "top")

    upload.program.kill()
    upload.program.wait()

    assert told["incomplete"] is True
    refused(deleted, "The volume is busy: being uploaded.")
    refused(fetched, "is being uploaded")
    refused(built_upon, "The volume is busy: being uploaded.")
    wait_for(lambda: not upload.there, 60, "its end")
    # Whatever it was in the middle of, when its client went.
    wait_for(lambda: len(removed()) > before, 20, "the word of what became of it")


def test_an_upload_that_xmand_is_torn_out_of_is_removed_when_it_is_back(
    lab: Lab, storage: Storage, tmp_path: Path
) -> None:
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), port=4379)
    upload = Endless(daemon, lab.alice, storage.pool, storage.folder / "endless", tmp_path)

    daemon.process.kill()
    daemon.process.wait()
    left = upload.there
    status = upload.program.wait(60)
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), port=4379)

    assert left
    assert status == 6
    wait_for(lambda: not upload.there, 60, "its end")

    def logged() -> list[str]:
        entries = daemon.rxm(lab.alice, "-j", "log").json()["result"]["entries"]
        return [entry["class"] for entry in entries if entry["verb"] == "volume-upload"]

    wait_for(lambda: logged() == ["unreachable"], 60, "what became of it")
    assert daemon.stop() == 0


def test_a_pool_that_is_full_leaves_nothing_and_says_so(lab: Lab, own_name: str, tmp_path: Path) -> None:
    folder = lab.first.directory / f"{own_name}.volumes"
    folder.mkdir()
    mount = [*lab.first.prefix, "mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    subprocess.run(mount, check=True)
    storage = Storage(lab, own_name)
    image = tmp_path / "image"
    image.write_bytes(os.urandom(4 * MIB))

    full = storage.rxm("volume-upload", "a", str(image))

    assert full.status == 8, full
    assert "No space left on device" in full.json()["message"]
    assert "What had arrived is removed" in full.json()["message"]
    assert storage.names() == []
    assert lab.first.virsh("pool-destroy", storage.pool).status == 0
    subprocess.run([*lab.first.prefix, "umount", str(folder)], check=True)
