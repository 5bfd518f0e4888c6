"""Volumes that somebody who can write in their pool's folder puts links in the place of (`xmand.virt.in_place`)."""

import os
from pathlib import Path

import pytest

from xman.errors import RefusedError
from xmand.virt import in_place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pool's folder, with a volume."""
    made = tmp_path / "pool"
    made.mkdir()
    (made / "disk").write_bytes(b"a disk")
    (tmp_path / "secret").write_bytes(b"a secret")
    return made


def read(folder: Path, *, links: bool = True) -> bytes:
    """Open the volume as libvirt does, by its path, and read it."""
    path = str(folder / "disk")
    descriptor = in_place.opened(str(folder), path, lambda: os.open(path, os.O_RDONLY), os.close, links=links)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_volume_is_opened(folder: Path) -> None:
    assert read(folder, links=False) == b"a disk"


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "..", "sub/../../secret", "/nonexistent/x"])
def test_a_link_that_leads_out_is_not_followed(folder: Path, target: str) -> None:
    (folder / "disk").unlink()
    (folder / "disk").symlink_to(target)

    with pytest.raises(RefusedError, match="leads out of the folder"):
        read(folder)


def test_a_link_to_a_link_that_leads_out_is_not_followed(folder: Path) -> None:
    (folder / "disk").rename(folder / "other")
    (folder / "disk").symlink_to("one")
    (folder / "one").symlink_to("../secret")

    with pytest.raises(RefusedError, match="leads out of the folder"):
        read(folder)


def test_links_in_a_ring_are_no_volume(folder: Path) -> None:
    (folder / "disk").unlink()
    (folder / "disk").symlink_to("disk")

    with pytest.raises(RefusedError, match="leads out of the folder"):
        read(folder)


@pytest.mark.parametrize("whole", [False, True])
def test_a_link_to_another_volume_of_the_folder_is_read_and_not_written_through(folder: Path, whole: bool) -> None:
    (folder / "disk").rename(folder / "other")
    (folder / "disk").symlink_to(folder / "other" if whole else "other")

    assert read(folder) == b"a disk"
    with pytest.raises(RefusedError, match="is a link"):
        read(folder, links=False)


def test_the_pool_itself_may_be_behind_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder)

    assert read(tmp_path / "linked") == b"a disk"


def test_what_is_no_file_is_refused(folder: Path) -> None:
    (folder / "disk").unlink()
    os.mkfifo(folder / "disk")

    with pytest.raises(RefusedError, match="is a FIFO, and no image"):
        read(folder)


def test_what_is_gone_is_told(folder: Path) -> None:
    (folder / "disk").unlink()

    with pytest.raises(RefusedError, match="is not there any more"):
        read(folder)


@pytest.mark.parametrize("back", [False, True])
def test_a_link_that_is_put_there_just_when_it_is_opened_gains_nothing(folder: Path, back: bool) -> None:
    path, opened, closed = folder / "disk", [], []

    def swapped() -> int:
        path.rename(folder / "aside")
        path.symlink_to("../secret")
        opened.append(os.open(path, os.O_RDONLY))
        if back:
            (folder / "aside").replace(path)
        return opened[-1]

    def close(descriptor: int) -> None:
        os.close(descriptor)
        closed.append(descriptor)

    with pytest.raises(RefusedError, match=r"leads out of the folder|was replaced"):
        in_place.opened(str(folder), str(path), swapped, close)
    assert opened
    assert closed == opened


def test_who_comes_and_goes_beside_it_holds_nothing_up(folder: Path) -> None:
    path, tries = folder / "disk", []

    def opening() -> int:
        tries.append(1)
        if len(tries) == 1:
            (folder / "new").write_bytes(b"")
        return os.open(path, os.O_RDONLY)

    descriptor = in_place.opened(str(folder), str(path), opening, os.close)

    assert os.read(descriptor, 100) == b"a disk"
    os.close(descriptor)
    assert len(tries) == 2


@pytest.mark.parametrize("where", ["", "/nonexistent"])
def test_what_this_process_cannot_see_is_not_judged(where: str) -> None:
    assert in_place.look(where, f"{where}/disk") is None
    assert in_place.opened(where, f"{where}/disk", lambda: "opened", lambda _found: None) == "opened"


def test_nothing_stays_that_was_made_of_a_file_while_another_came_in_its_place(folder: Path) -> None:
    path, copy = folder / "disk", folder / "copy"

    def make(*, replaced: bool) -> Path:
        copy.write_bytes(path.read_bytes())
        if replaced:
            path.rename(folder / "aside")
            path.write_bytes(b"another")
        return copy

    made = in_place.made_of(str(folder), str(path), lambda: make(replaced=False), Path.unlink)
    assert made.exists()
    with pytest.raises(RefusedError, match="was replaced meanwhile"):
        in_place.made_of(str(folder), str(path), lambda: make(replaced=True), Path.unlink)
    assert not copy.exists()
