"""Machines from images where their host is not as it was: pools that are away, images that were changed, clocks."""

import os
import signal
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hypervisor.test_devices import described
from tests.hypervisor.test_launch import IMAGE, PORT, REFUSED, SETTINGS, Site, nothing_left, site
from tests.hypervisor.test_snapshots import image
from xmand.launch.begun import FOLDER

__all__ = ("nothing_left", "site")

POOL = "launching"


def made(path: Path, *more: str) -> Path:
    """Make a qcow2 image of 4 MiB."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *more, path, "4M"], check=True)
    return path


@pytest.fixture
def kept(site: Site) -> Iterator[Site]:
    """Let libvirt know the pool when it is not active as well, as a site's."""
    virsh, folder = site.lab.first.virsh, str(site.folder)
    assert virsh("pool-destroy", POOL).status == 0
    assert virsh("pool-define-as", POOL, "dir", "--target", folder).status == 0
    assert virsh("pool-start", POOL).status == 0
    yield site
    # It is one that is forgotten when it ends again.
    virsh("pool-destroy", POOL)
    assert virsh("pool-undefine", POOL).status == 0
    assert virsh("pool-create-as", POOL, "dir", "--target", folder).status == 0


def test_a_pool_that_libvirt_has_let_go_keeps_nobody_from_ending_a_machine(kept: Site) -> None:
    kept.launched("lena", "lena-1")
    assert kept.lab.first.virsh("pool-destroy", POOL).status == 0

    ended = kept.rxm("lena", "terminate", "lena-1")

    assert ended.status == 0, ended
    assert kept.files() == set()


def test_where_the_folder_is_away_nothing_is_called_deleted(kept: Site) -> None:
    kept.launched("lena", "lena-1")
    away = kept.folder.rename(kept.folder.with_suffix(".away"))
    try:
        ended = kept.rxm("lena", "terminate", "lena-1")
        launched = kept.rxm("lena", "launch", "--memory", "64", IMAGE, "lena-2")
    finally:
        away.rename(kept.folder)

    assert (ended.status, f"'{POOL}'" in ended.stderr) == (REFUSED, True), ended
    assert (launched.status, f"The storage pool '{POOL}' is not active here" in launched.stderr) == (REFUSED, True)
    assert len(kept.files()) == 2
    assert kept.rxm("lena", "terminate", "lena-1").status == 0
    assert kept.files() == set()


@pytest.mark.parametrize("found", ["paused", "saved", "crashed", "with snapshots and its memory", "without its files"])
def test_it_can_be_ended_however_it_is(site: Site, found: str) -> None:
    site.launched("lena", "lena-1")
    for words in {
        "paused": (("pause", "lena-1"),),
        "saved": (("suspend", "lena-1"),),
        "with snapshots and its memory": (("snapshot", "lena-1", "a"), ("suspend", "lena-1")),
    }.get(found, ()):
        assert site.rxm("alice", *words).status == 0, words
    if found == "crashed":
        number = int((site.lab.first.directory / "run" / "qemu" / "lena-1.pid").read_text())
        os.kill(number, signal.SIGKILL)
    if found == "without its files":
        for name in site.files():
            (site.folder / name).unlink()

    ended = site.rxm("lena", "terminate", "lena-1")

    assert ended.status == 0, ended
    assert ("lena-1" in site.names(), site.files()) == (False, set())


def test_limits_hold_while_others_are_ended_and_nothing_is_left(site: Site) -> None:
    answers: Counter[tuple[str, int]] = Counter()
    most: list[int] = []

    def ask(number: int) -> None:
        name = f"lena-{number % 5}"
        for words in (("launch", "--memory", "64", IMAGE, name), ("terminate", name)):
            answers[words[0], site.rxm("lena", *words).status] += 1
            most.append(len([one for one in site.names() if one.startswith("lena-")]))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {status for _verb, status in answers} <= {0, REFUSED, 7}, answers
    assert answers["launch", 0] >= 1
    assert answers["launch", 0] >= answers["terminate", 0]
    assert max(most) <= 2


def test_nobody_writes_to_the_image_of_a_machine_while_that_is_off(site: Site, own_name: str) -> None:
    base = made(site.folder / "tiny-base.qcow2")
    guest, other = site.lab.guest(own_name), site.lab.guest(f"{own_name}-2")
    assert site.rxm("alice", "new", "-", stdin=described(guest, base)).status == 0
    assert site.rxm("alice", "new", "-", stdin=described(other, image(site.lab, other.name))).status == 0
    assert site.rxm("alice", "launch", "--memory", "64", base.name, "lena-1").status == 0
    assert site.rxm("alice", "destroy", "lena-1").status == 0

    answers = [
        site.rxm("alice", "start", guest.name),
        site.rxm("alice", "block-attach", other.name, f"qcow2:{base}", "vdb", "w"),
        site.rxm("alice", "new", "-", stdin=described(site.lab.guest(f"{own_name}-3"), base)),
    ]

    assert [answer.status for answer in answers] == [REFUSED] * 3, answers
    assert all("is the image that a machine was launched from" in answer.stderr for answer in answers)
    assert site.rxm("alice", "terminate", "lena-1").status == 0
    assert site.rxm("alice", "start", "--paused", guest.name).status == 0
    assert site.rxm("alice", "destroy", guest.name).status == 0
    for name in (guest.name, other.name):
        assert site.rxm("alice", "delete", name).status == 0
    base.unlink()


def test_of_an_image_that_was_written_past_us_the_next_start_tells(site: Site) -> None:
    base = made(site.folder / "tiny-base.qcow2")
    assert site.rxm("alice", "launch", "--memory", "64", base.name, "lena-1").status == 0
    assert site.rxm("alice", "destroy", "lena-1").status == 0
    before = site.rxm("alice", "start", "lena-1")
    assert site.rxm("alice", "destroy", "lena-1").status == 0
    later = base.stat().st_mtime + 3600
    os.utime(base, (later, later))

    after = site.rxm("alice", "start", "lena-1")

    assert (before.status, "was written since" in before.stderr) == (0, False), before
    assert (after.status, "was written since 'lena-1' was launched from it" in after.stderr) == (0, True), after
    assert site.rxm("alice", "terminate", "lena-1").status == 0
    base.unlink()


def test_an_image_that_is_broken_keeps_nobody_from_the_others(site: Site) -> None:
    head = (site.folder / IMAGE).read_bytes()
    broken = {
        "tiny-empty": b"",
        # More than any number of results.
        "tiny-huge": head[:24] + struct.pack(">Q", (1 << 64) - 1) + head[32:],
        "tiny-clusters": head[:20] + struct.pack(">I", 63) + head[24:],
        "tiny-features": head[:72] + struct.pack(">Q", 1 << 63) + head[80:],
        "tiny-base": head[:8] + struct.pack(">QI", 1 << 60, 1023) + head[20:],
    }
    for name, octets in broken.items():
        (site.folder / name).write_bytes(octets)

    told = site.rxm("lena", "-j", "images")
    volumes = site.rxm("alice", "-j", "volumes", POOL)
    answers = {name: site.rxm("lena", "launch", "--memory", "64", name, "lena-1") for name in broken}

    names = {row["image"] for row in told.json()["result"]["images"]}
    assert (IMAGE in names, {"tiny-empty", "tiny-huge"} & names) == (True, set())
    assert {row["name"] for row in volumes.json()["result"]["volumes"]} >= set(broken)
    assert all(answer.status != 0 for answer in answers.values()), answers
    assert "lena-1" not in site.names()
    for name in broken:
        (site.folder / name).unlink()
    assert site.files() == set()


def test_the_base_of_overlays_that_libvirt_does_not_see_is_not_deleted(site: Site, own_name: str) -> None:
    base, other = made(site.folder / "tiny-base.qcow2"), site.lab.first.pool(own_name)
    folder = site.lab.first.directory / f"{own_name}.volumes"
    guest, delete = site.lab.guest(own_name), ("volume-delete", POOL, base.name)
    site.rxm("lena", "images")  # libvirt has looked at it

    # Made past us, as by qemu-img.
    over = made(folder / "over.qcow2", "-b", str(base), "-F", "qcow2")
    unseen = site.rxm("alice", *delete)
    # In a pool that is not active.
    assert site.rxm("alice", "new", "-", stdin=described(guest, over)).status == 0
    assert site.lab.first.virsh("pool-destroy", other).status == 0
    assert site.lab.first.virsh("pool-define-as", other, "dir", "--target", str(folder)).status == 0
    asleep = site.rxm("alice", *delete)

    assert (unseen.status, f"is the base of the volume '{other}/over.qcow2'" in unseen.stderr) == (REFUSED, True)
    assert (asleep.status, f"virsh pool-start {other}" in asleep.stderr) == (REFUSED, True), asleep
    assert base.exists()
    assert site.lab.first.virsh("pool-undefine", other).status == 0
    assert site.rxm("alice", "delete", guest.name).status == 0
    over.unlink()
    assert site.rxm("alice", *delete).status == 0


def test_user_data_that_its_guest_ignores_is_told(site: Site, tmp_path: Path) -> None:
    data = tmp_path / "data"
    answers = []
    for text in ("packages: [vim]\n", "#cloud-config\npackages: [vim]\n"):
        data.write_text(text)
        answers.append(site.rxm("lena", "launch", "-n", "--memory", "64", "--user-data", str(data), IMAGE, "lena-1"))

    assert [(answer.status, "its guest ignores it" in answer.stderr) for answer in answers] == [(0, True), (0, False)]


def test_a_pool_that_is_full_leaves_nothing_of_a_machine(site: Site, own_name: str) -> None:
    host, pool = site.lab.first, own_name
    folder = host.directory / f"{pool}.volumes"
    folder.mkdir(exist_ok=True)
    subprocess.run([*host.prefix, "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
    host.pool(pool)
    command = ["qemu-img", "create", "-q", "-f", "qcow2", str(folder / IMAGE), "4M"]
    subprocess.run([*host.prefix, *command], check=True)
    tables = SETTINGS.replace(f'["{POOL}"]', f'["{pool}"]')
    daemon = host.xmand(site.lab.realm, admins=("alice@XMAN.TEST",), tables=tables, port=PORT + 40, name=own_name)

    answer = daemon.rxm(site.people["lena"], "launch", "--memory", "64", IMAGE, "lena-1")

    assert (answer.status, "No space left" in answer.stderr) == (8, True), answer
    there = subprocess.run([*host.prefix, "ls", str(folder)], check=True, capture_output=True, text=True).stdout
    assert (there.split(), "lena-1" in site.names()) == ([IMAGE], False)
    assert list((daemon.directory / "state" / FOLDER).iterdir()) == []
    assert daemon.stop() == 0
    assert host.virsh("pool-destroy", pool).status == 0
    subprocess.run([*host.prefix, "umount", str(folder)], check=True)
