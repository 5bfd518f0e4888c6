"""Copies of volumes (`xmand.virt.volume_copies`), on libvirt's test driver in this process, and by stand-ins."""

import threading
from typing import Any
from unittest.mock import Mock

import libvirt
import pytest

from tests.unit.xmand.virt.test_listing import libvirt_error
from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UnsupportedError
from xmand.settings import Patience
from xmand.virt import pools, volume_copies
from xmand.virt.volume_copies import Place

POOL = "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>"
PATIENCE = Patience(60.0, 60.0)


@pytest.fixture(autouse=True)
def _there(connection: Any) -> None:
    """A pool of files, with a volume."""
    connection.storagePoolDefineXML(POOL, 0).create(0)
    pools.named(connection, "p").create("a.qcow2", 1 << 20, "qcow2")


def test_a_copy_is_a_volume_of_the_same_size(connection: Any) -> None:
    original = volume_copies.of_name(connection, "p", "a.qcow2")

    made = volume_copies.copy(connection, original, Place("p", "b.qcow2"), PATIENCE, lambda _octets: None)

    assert made.facts().name == "b.qcow2"
    assert made.capacity() == original.facts.capacity
    assert volume_copies.left(connection, [Place("p", "b.qcow2"), Place("p", "c")]) == ([Place("p", "b.qcow2")], [])


def test_what_is_there_already_is_refused_before_it_is_begun(connection: Any) -> None:
    original = volume_copies.of_name(connection, "p", "a.qcow2")

    with pytest.raises(RefusedError, match=r"already has a volume 'a\.qcow2'"):
        volume_copies.copy(connection, original, original.place, PATIENCE, lambda _octets: None)
    with pytest.raises(RefusedError, match="no pool 'q'"):
        volume_copies.check(connection, original, Place("q", "b.qcow2"))


def test_a_file_is_found_in_the_pool_of_its_folder(connection: Any) -> None:
    assert volume_copies.of_path(connection, "/p/a.qcow2").place == Place("p", "a.qcow2")
    with pytest.raises(RefusedError, match="in none of libvirt's storage pools"):
        volume_copies.of_path(connection, "/elsewhere/a.qcow2")
    connection.storagePoolLookupByName("p").destroy()
    with pytest.raises(RefusedError, match="is not active"):
        volume_copies.of_path(connection, "/p/a.qcow2")


def test_of_a_pool_that_cannot_be_asked_it_is_not_known_that_nothing_is_left(connection: Any) -> None:
    connection.storagePoolLookupByName("p").destroy()

    assert volume_copies.left(connection, [Place("p", "x")]) == ([], [Place("p", "x")])


def test_an_encrypted_volume_is_not_copied() -> None:
    text = "<volume><name>a</name><target><encryption format='luks'/></target></volume>"
    volume = Mock(XMLDesc=Mock(return_value=text), info=Mock(return_value=(0, 1, 1)))

    with pytest.raises(UnsupportedError, match="encrypted"):
        volume_copies._original(Mock(), volume)


class Slow:
    """A pool in which a copy grows as far as `sizes` say, and ends then."""

    def __init__(self, sizes: list[int], error: Exception | None = None) -> None:
        self._sizes = sizes
        self._error = error
        self._over = threading.Event()
        self.raw = self

    def beside(self) -> "Slow":
        return self

    def storageVolLookupByName(self, _name: str) -> "Slow":  # noqa: N802
        return self

    def info(self) -> list[int]:
        if len(self._sizes) == 1:
            self._over.set()
            return [0, 0, self._sizes[0]]
        return [0, 0, self._sizes.pop(0)]

    def call(self) -> None:
        assert self._over.wait(30)
        if self._error is not None:
            raise self._error


def watch(pool: Any, call: Any, monkeypatch: pytest.MonkeyPatch, silent: float = 60.0) -> list[int]:
    """Return what is told of a copy."""
    monkeypatch.setattr(volume_copies, "_POLL_SECONDS", 0.01)
    told: list[int] = []
    volume_copies._watched(pool, Place("p", "b"), call, Patience(silent, silent), told.append)
    return told


def test_how_far_it_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Slow([1, 2, 2, 3])

    assert watch(pool, pool.call, monkeypatch) == [1, 2, 3]


def test_its_error_is_libvirts(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Slow([1], libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR))

    with pytest.raises(libvirt.libvirtError):
        watch(pool, pool.call, monkeypatch)


def test_one_that_stands_still_is_left_to_libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = threading.Event()
    pool = Mock()
    pool.beside.return_value = pool
    pool.raw.storageVolLookupByName.return_value.info.return_value = [0, 0, 0]

    with pytest.raises(UnknownOutcomeError, match="'b' in the pool 'p' makes no progress"):
        watch(pool, ends.wait, monkeypatch, silent=0.0)

    ends.set()


def test_a_success_that_is_none_is_not_believed(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = volume_copies.of_name(connection, "p", "a.qcow2")
    monkeypatch.setattr(volume_copies, "_watched", lambda *_arguments: None)

    with pytest.raises(HypervisorError, match="although libvirt said so"):
        volume_copies.copy(connection, original, Place("p", "b.qcow2"), PATIENCE, lambda _octets: None)
