"""Live migrations that this host's Xen cannot do (`xmand.verbs.migrate`): refused before anything is begun."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import UnsupportedError
from xman.metadata import Metadata
from xmand.settings import Limits, Migration
from xmand.system import xl
from xmand.verbs import migrate
from xmand.virt import metadata, migration
from xmand.virt.domain import Domain


class Raw:
    """A stand-in for libvirt's object of a domain, and for its connection."""

    def __init__(self, driver: str, os_type: str) -> None:
        self._driver, self._os_type = driver, os_type

    def connect(self) -> "Raw":
        return self

    def getType(self) -> str:  # noqa: N802  # libvirt's name
        return self._driver

    def OSType(self) -> str:  # noqa: N802  # libvirt's name
        return self._os_type

    def name(self) -> str:
        return "vm1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"

    def snapshotNum(self, _flags: int) -> int:  # noqa: N802
        return 0

    def isActive(self) -> bool:  # noqa: N802  # libvirt's name
        return True

    def state(self) -> list[int]:
        return [1, 1]


def call(raw: Raw, *flags: str, suspend_after: float | None = None) -> Any:
    """Return a call of migrate."""

    @contextlib.contextmanager
    def changing(_purpose: str) -> Iterator[Domain]:
        yield Domain(raw)

    parsed = SimpleNamespace(
        flag=lambda name: name in flags, text=lambda _name: "h2", seconds=lambda _name: suspend_after
    )
    settings = SimpleNamespace(
        migrate=Migration(allow=("h2",), uri="xen://{host}/"),
        state_dir="/nowhere",
        keytab="",
        limits=Limits(),
    )
    host = SimpleNamespace(settings=settings)
    return SimpleNamespace(parsed=parsed, changing=changing, host=host, writer=None, progress=print)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What was begun: whether each migration was live."""
    begun: list[bool] = []

    def record(*_words: object, live: bool, suspend_after: float | None, **_options: object) -> dict[str, Any]:
        begun.append(live)
        return {"seconds": 1.0, "transferred": 0} | (
            {} if suspend_after is None else {"suspended_after": suspend_after}
        )

    monkeypatch.setattr(migration, "migrate", record)
    monkeypatch.setattr(metadata, "read", lambda _domain: Metadata())
    monkeypatch.setattr(xl, "without_shadow_paging", lambda: True)
    return begun


@pytest.mark.parametrize("os_type", ["xen", "linux"])
def test_a_pv_guest_is_not_moved_live(moved: list[bool], os_type: str) -> None:
    with pytest.raises(UnsupportedError, match=r"'vm1' is a PV guest.*Without --live it moves"):
        migrate.migrate(call(Raw("Xen", os_type), "live"))

    assert moved == []


def test_it_moves_paused(moved: list[bool]) -> None:
    migrate.migrate(call(Raw("Xen", "xen")))

    assert moved == [False]


@pytest.mark.parametrize(("driver", "os_type"), [("Xen", "xenpvh"), ("Xen", "hvm"), ("QEMU", "hvm"), ("QEMU", "xen")])
def test_others_move_live(moved: list[bool], driver: str, os_type: str) -> None:
    migrate.migrate(call(Raw(driver, os_type), "live"))

    assert moved == [True]


def test_a_xen_with_shadow_paging_moves_it_live(moved: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xl, "without_shadow_paging", lambda: False)

    migrate.migrate(call(Raw("Xen", "xen"), "live"))

    assert moved == [True]


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize(
    ("driver", "says"),
    [("Xen", "Xen ends a live migration by itself"), ("QEMU", "It was paused after 5.0 s")],
)
def test_xen_is_left_to_end_a_live_migration(driver: str, says: str) -> None:
    result = migrate.migrate(call(Raw(driver, "hvm"), "live", suspend_after=5.0))

    assert ("suspended_after" in result.data) == (driver == "QEMU")
    assert says in result.notes[0]
