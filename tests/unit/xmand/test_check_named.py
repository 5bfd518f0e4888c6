"""What `xmand --check` says of pools' folders: who could put a link there, and which are there."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import HypervisorError
from xmand.check import named
from xmand.settings import Settings
from xmand.virt import pools


class Pool:
    """A pool of a folder's files."""

    def __init__(self, folder: Path) -> None:
        self.name = "pool1"
        self._folder = folder

    def folder(self) -> str:
        """As a pool's."""
        return str(self._folder)

    def volumes(self) -> list[Any]:
        """As a pool's."""
        return [SimpleNamespace(name=path.name, path=str(path)) for path in sorted(self._folder.iterdir())]


def said(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Return what the check says."""
    monkeypatch.setattr(pools, "each", lambda _connection: [Pool(folder)])
    return [text for _kind, text in named.check(Settings(), None)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pool"
    made.mkdir(mode=0o755)
    (made / "disk").write_bytes(b"")
    (made / "same").symlink_to("disk")
    return made


def test_a_pool_as_it_should_be(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert said(monkeypatch, folder) == []


def test_links_that_lead_out_are_named_and_many_counted(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for number in range(10):
        (folder / f"link{number}").symlink_to("/etc/hostname")

    lines = said(monkeypatch, folder)

    assert lines[0].startswith("storage: the volume 'link0' of the pool 'pool1' leads out")
    assert lines[-1] == "storage: 2 more volumes of the pool 'pool1' do so"
    assert len(lines) == 9


def test_a_folder_that_others_can_change(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    folder.chmod(0o777)

    assert f"others than root can change what is in {folder}" in said(monkeypatch, folder)[0]


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert said(monkeypatch, tmp_path / "none") == []


def test_a_libvirt_without_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_connection: object) -> list[Pool]:
        raise HypervisorError("no storage")

    monkeypatch.setattr(pools, "each", none)

    assert list(named.check(Settings(), None)) == []
