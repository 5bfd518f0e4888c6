"""What may stand for saved memory (`xmand.virt.lifecycle.require_image`)."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from xman.errors import RefusedError
from xmand.virt import lifecycle
from xmand.virt.domain import Domain


class Raw:
    """A domain, and its connection."""

    def __init__(self, driver: str, name: str) -> None:
        self._driver, self._name = driver, name

    def connect(self) -> "Raw":
        return self

    def getType(self) -> str:  # noqa: N802  # libvirt's name
        return self._driver

    def name(self) -> str:
        return self._name

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"


def _file(path: Path) -> None:
    path.write_bytes(b"")


def _link(path: Path) -> None:
    path.with_suffix(".other").write_bytes(b"")
    path.symlink_to(path.with_suffix(".other"))


def _dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def _nothing(_path: Path) -> None:
    """Let nothing be there."""


def _linked_fifo(path: Path) -> None:
    os.mkfifo(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lifecycle, "_IMAGES", tmp_path)
    return tmp_path


@pytest.mark.parametrize("make", [_file, _link, _dangling, _nothing])
def test_files_are_libvirts_to_judge(images: Path, make: Callable[[Path], None]) -> None:
    make(images / "vm1.save")

    lifecycle.require_image(Domain(Raw("QEMU", "vm1")))


@pytest.mark.parametrize(("make", "what"), [(Path.mkdir, "a folder"), (os.mkfifo, "a FIFO"), (_linked_fifo, "a FIFO")])
def test_all_else_is_refused_and_named(images: Path, make: Callable[[Path], None], what: str) -> None:
    make(images / "a name.save")

    with pytest.raises(RefusedError, match=rf"^What stands for .* 'a name', {images}/a name\.save, is {what}; move it"):
        lifecycle.require_image(Domain(Raw("QEMU", "a name")))


def test_other_drivers_keep_it_elsewhere(images: Path) -> None:
    (images / "vm1.save").mkdir()

    lifecycle.require_image(Domain(Raw("TEST", "vm1")))
