"""Guests whose images are broken: each start fails with one clear line, of the right class, and leaves nothing."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.hypervisor import Guest
from xmand.virt import qemu_log

QEMU_ENDED = "Error: QEMU ended at its start: "


def qcow2(path: Path, *words: str) -> Path:
    """Make a qcow2 image."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words, path, "8M"], check=True)
    return path


def truncated(folder: Path) -> Path:
    made = qcow2(folder / "image")
    os.truncate(made, 100)
    return made


def without_its_base(folder: Path) -> Path:
    base = qcow2(folder / "base")
    made = qcow2(folder / "image", "-b", str(base), "-F", "qcow2")
    base.unlink()
    return made


def in_a_loop(folder: Path) -> Path:
    one, other = qcow2(folder / "image"), folder / "other"
    qcow2(other, "-b", str(one), "-F", "qcow2")
    subprocess.run(["qemu-img", "rebase", "-u", "-b", str(other), "-F", "qcow2", one], check=True)
    return one


def of_another_format(folder: Path) -> Path:
    (folder / "image").write_bytes(b"r" * 4096)
    return folder / "image"


def empty(folder: Path) -> Path:
    (folder / "image").touch()
    return folder / "image"


def absent(folder: Path) -> Path:
    return folder / "image"


def a_folder(folder: Path) -> Path:
    (folder / "image").mkdir()
    return folder / "image"


def a_fifo(folder: Path) -> Path:
    os.mkfifo(folder / "image")
    return folder / "image"


def a_link_to_itself(folder: Path) -> Path:
    (folder / "image").symlink_to(folder / "image")
    return folder / "image"


def unreadable(_folder: Path) -> Path:
    # libvirt's QEMU is root here, whom no mode keeps out. What reading it says differs with the namespaces around.
    return Path("/proc/1/mem")


def description(guest: Guest, image: Path) -> str:
    """Return the description of a machine with this disk."""
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{image}'/><target dev='vda' bus='virtio'/></disk></devices>"
    )
    return guest.empty_description().replace("</devices>", disk)


@pytest.mark.parametrize(
    ("broken", "status", "said"),
    [
        (truncated, 8, f"{QEMU_ENDED}qcow2 header too short: disk vda, {{}}, ends after 100 octets."),
        (of_another_format, 8, f"{QEMU_ENDED}Image is not in qcow2 format: disk vda, {{}}, is not a qcow2 image."),
        (empty, 8, f"{QEMU_ENDED}Image is not in qcow2 format: disk vda, {{}}, is empty."),
        (without_its_base, 8, "of storage file '{}'"),
        (in_a_loop, 8, "backing store for {} is self-referential"),
        (absent, 8, "'{}' (as uid:0, gid:0): No such file or directory"),
        (a_link_to_itself, 8, "Too many levels of symbolic links"),
        (a_folder, 3, "Error: Disk vda: {} is a folder, and no image."),
        (a_fifo, 3, "Error: Disk vda: {} is a FIFO, and no image."),
        (unreadable, 8, "'{}': "),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_image_is_named(
    lab: Lab, tmp_path: Path, own_name: str, broken: Callable[[Path], Path], status: int, said: str
) -> None:
    image = broken(tmp_path)

    answer = lab.rxm("create", "-", stdin=description(lab.guest(own_name), image))

    assert (answer.status, answer.stdout, answer.stderr.count("\n")) == (status, "", 1), answer
    assert said.format(image) in answer.stderr
    assert lab.rxm("list", own_name).status == 7


def test_what_qemu_said_at_its_end_is_found_in_its_log(
    lab: Lab, tmp_path: Path, own_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirt now and then only finds that nobody listens (tests/unit/xmand/virt/test_sources.py)."""
    monkeypatch.setattr(qemu_log, "LOGS", str(lab.first.directory / "log" / "qemu"))

    lab.rxm("create", "-", stdin=description(lab.guest(own_name), truncated(tmp_path)))

    assert qemu_log.last_words(own_name) == "qcow2 header too short"


def test_an_image_that_another_guest_has_is_named(lab: Lab, tmp_path: Path) -> None:
    image = qcow2(tmp_path / "image")
    first, second = lab.guest("has-it"), lab.guest("wants-it")
    assert lab.rxm("create", "-", stdin=description(first, image)).status == 0
    try:
        assert lab.rxm("new", "-", stdin=description(second, image)).status == 0
        refused = lab.rxm("start", second.name)

        assert (refused.status, refused.stderr.count("\n")) == (8, 1), refused
        assert refused.stderr.startswith(f'{QEMU_ENDED}Failed to get "write" lock')
        assert str(image) in refused.stderr
    finally:
        lab.rxm("destroy", first.name)
        for guest in (first, second):
            lab.rxm("delete", guest.name)


def test_all_that_the_host_does_not_have_is_named_at_once(lab: Lab, own_name: str) -> None:
    card = "<interface type='bridge'><source bridge='xman-none'/></interface></devices>"
    text = description(lab.guest(own_name), Path("/nonexistent/disk")).replace("</devices>", card)

    dry = lab.rxm("create", "--dry-run", "-", stdin=text)
    refused = lab.rxm("create", "-", stdin=text)

    assert (dry.status, dry.stderr) == (0, "Not found on this host: /nonexistent/disk, bridge xman-none.\n"), dry
    assert (refused.status, refused.stderr.count("\n")) == (8, 1), refused
    assert "/nonexistent/disk" in refused.stderr
    assert "bridge xman-none" in refused.stderr or "'xman-none'" in refused.stderr
    assert lab.rxm("list", own_name).status == 7
