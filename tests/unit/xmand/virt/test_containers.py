"""A container that libvirt cannot pause, or stumbles over when it has killed it (`xmand.virt.domain.Domain`)."""

from typing import Any

import libvirt
import pytest

from xman.errors import HypervisorError, UnsupportedError, XmanError
from xmand.system import mounts
from xmand.virt import domain
from xmand.virt.domain import Domain


class Raw:
    """A stand-in for libvirt's domain, with LXC's failures; it is seen to be active so many times."""

    def __init__(self, driver: str, active: int = 0) -> None:
        self._driver = driver
        self._active = active

    def name(self) -> str:
        return "box1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"

    def connect(self) -> "Raw":
        return self

    def ID(self) -> int:  # noqa: N802
        return 7

    def isAlive(self) -> bool:  # noqa: N802
        return True

    def getType(self) -> str:  # noqa: N802
        return self._driver

    def suspend(self) -> None:
        raise failure(libvirt.VIR_ERR_OPERATION_FAILED, "Suspend operation failed")

    def destroy(self) -> None:
        raise failure(libvirt.VIR_ERR_SYSTEM_ERROR, "Unable to read from 'cgroup.controllers'")

    def isActive(self) -> int:  # noqa: N802
        self._active -= 1
        return int(self._active >= 0)


def failure(code: int, words: str) -> libvirt.libvirtError:
    """Return an error of libvirt's."""
    error = libvirt.libvirtError(words)
    error.err = (code, 0, words, 0, "", "", "", 0, 0)
    return error


def pause(driver: str) -> XmanError:
    """Return how it fails."""
    raw: Any = Raw(driver)
    with pytest.raises(XmanError) as raised:
        Domain(raw).pause()
    return raised.value


def test_without_the_first_freezer_no_container_can_be_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "freezer", lambda: False)

    error = pause("LXC")

    assert isinstance(error, UnsupportedError)
    assert "first version of control groups" in str(error)


@pytest.mark.parametrize(("driver", "freezer"), [("LXC", True), ("QEMU", False)])
def test_any_other_failure_is_the_hypervisors(monkeypatch: pytest.MonkeyPatch, driver: str, freezer: bool) -> None:
    monkeypatch.setattr(mounts, "freezer", lambda: freezer)

    assert isinstance(pause(driver), HypervisorError)


def test_a_container_that_has_ended_is_destroyed_whatever_libvirt_says() -> None:
    raw: Any = Raw("LXC", active=2)

    Domain(raw).destroy()


@pytest.mark.parametrize(("driver", "active"), [("LXC", 1_000), ("QEMU", 0)])
def test_else_the_failure_is_told(monkeypatch: pytest.MonkeyPatch, driver: str, active: int) -> None:
    monkeypatch.setattr(domain, "_ENDS_SECONDS", 0.1)
    raw: Any = Raw(driver, active)

    with pytest.raises(HypervisorError, match=r"cgroup\.controllers"):
        Domain(raw).destroy()
