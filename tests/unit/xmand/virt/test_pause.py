"""A container that libvirt cannot pause (`xmand.virt.domain.Domain.pause`)."""

from typing import Any

import libvirt
import pytest

from xman.errors import HypervisorError, UnsupportedError, XmanError
from xmand.system import mounts
from xmand.virt.domain import Domain


class Raw:
    """A stand-in for libvirt's domain, whose `suspend` fails as LXC's does, whatever the reason is."""

    def __init__(self, driver: str) -> None:
        self._driver = driver

    def name(self) -> str:
        return "box1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"

    def connect(self) -> "Raw":
        return self

    def isAlive(self) -> bool:  # noqa: N802
        return True

    def getType(self) -> str:  # noqa: N802
        return self._driver

    def suspend(self) -> None:
        error = libvirt.libvirtError("Suspend operation failed")
        error.err = (libvirt.VIR_ERR_OPERATION_FAILED, 0, "Suspend operation failed", 0, "", "", "", 0, 0)
        raise error


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
