"""Uploads that were cut off: what is removed and what stays, on libvirt's test driver, whose volumes hold nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import HOST_WITH_A_POOL
from xman.errors import RefusedError
from xmand.system.locks import DomainLocks
from xmand.virt import pools, uploads
from xmand.virt.pools import Pool
from xmand.virt.uploads import CutUploads, Upload, Uploads

MIB = 1024 * 1024
UPLOAD = Upload("default-pool", "a", MIB)


class OneConnection:
    """A driver with it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def connection(self, _purpose: str) -> Any:
        """Return it."""
        return self._connection


class Bench:
    """A pool, and what looks after its uploads."""

    def __init__(self, connection: Any, folder: Path) -> None:
        self.pool: Pool = pools.named(connection, "default-pool")
        self.uploads = Uploads(str(folder))
        self.locks = DomainLocks()
        self.settled: list[str] = []
        driver: Any = OneConnection(connection)
        self.cut = CutUploads(self.uploads, driver, self.locks, lambda **line: self.settled.append(line["detail"]))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "node.xml").write_text(HOST_WITH_A_POOL)
    opened = libvirt.open(f"test://{tmp_path}/node.xml")
    yield Bench(opened, tmp_path)
    opened.close()


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the heads of volumes hold."""
    pieces = [bytes(MIB)]
    monkeypatch.setattr(uploads, "Reading", lambda _volume, _length: iter(pieces))
    return pieces


def test_what_has_no_head_is_removed_and_told(bench: Bench, head: list[bytes]) -> None:
    bench.uploads.begin(UPLOAD)
    bench.pool.create("a", MIB, "raw")

    bench.cut.look()

    assert head
    assert not bench.pool.has("a")
    assert list(bench.uploads.pending()) == []
    assert bench.settled == ["the volume 'a' of 'default-pool' is removed: its upload was cut off"]


def test_what_has_one_is_whole_and_stays(bench: Bench, head: list[bytes]) -> None:
    head.append(b"QFI\xfb")
    bench.uploads.begin(UPLOAD)
    bench.pool.create("a", MIB, "raw")

    bench.cut.look()

    assert bench.pool.has("a")
    assert list(bench.uploads.pending()) == []
    assert bench.settled == []


def test_one_under_way_is_left_alone(bench: Bench, head: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PATIENCE_SECONDS", 0.0)
    bench.uploads.begin(UPLOAD)
    bench.pool.create("a", MIB, "raw")

    with bench.locks.hold(UPLOAD.key, "volume-upload", time.monotonic() + 1, "volume"):
        bench.cut.look()

    assert head
    assert bench.pool.has("a")
    assert list(bench.uploads.pending()) == [UPLOAD]


def test_one_that_was_never_made_is_crossed_out(bench: Bench) -> None:
    bench.uploads.begin(UPLOAD)

    bench.cut.look()

    assert list(bench.uploads.pending()) == []


def test_a_pool_that_is_not_there_may_come_back(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = Upload("nosuch", "a", MIB)
    bench.uploads.begin(elsewhere)

    bench.cut.look()

    assert list(bench.uploads.pending()) == [elsewhere]
    assert "nosuch" in caplog.text


def test_a_pool_that_is_asleep_is_waited_for(bench: Bench) -> None:
    bench.uploads.begin(UPLOAD)
    bench.pool.connection.storagePoolLookupByName("default-pool").destroy()

    bench.cut.look()

    assert list(bench.uploads.pending()) == [UPLOAD]


def test_where_nothing_can_be_written_down_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "uploading").touch()

    with pytest.raises(RefusedError, match="nothing was changed"):
        Uploads(str(tmp_path)).begin(UPLOAD)


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    noted = Uploads(str(tmp_path))
    noted.begin(UPLOAD)
    (tmp_path / "uploading" / "x.json").write_text("{")

    assert list(noted.pending()) == [UPLOAD]
