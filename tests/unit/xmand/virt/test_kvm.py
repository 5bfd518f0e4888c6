"""Whether QEMU's guests can have KVM: what libvirt offers, and what the guests' user may open."""

import errno
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from xmand.virt import kvm

MACHINE = "x86_64"
NOBODY = pwd.getpwnam("nobody")


class Connection:
    """A libvirt connection with capabilities of the test's own."""

    def __init__(self, *, types: tuple[str, ...] = ("qemu", "kvm"), arch: str = MACHINE, owner: str = "") -> None:
        domains = "".join(f"<domain type='{name}'/>" for name in types)
        model = f"<secmodel><model>dac</model><baselabel type='kvm'>{owner}</baselabel></secmodel>" if owner else ""
        self._text = (
            f"<capabilities><host><cpu><arch>{MACHINE}</arch></cpu>{model}</host>"
            f"<guest><arch name='{arch}'>{domains}</arch></guest></capabilities>"
        )

    def getCapabilities(self) -> str:  # noqa: N802
        return self._text


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device that is its owner's only."""
    path = tmp_path / "kvm"
    path.touch(mode=0o600)
    monkeypatch.setattr(kvm, "DEVICE", path)
    return path


def why_not(**given: Any) -> str:
    """Return what is said of a host with such capabilities."""
    return kvm.why_not(Connection(**given))


def test_a_host_that_offers_it(device: Path) -> None:
    assert why_not(owner="+0:+0") == ""


def test_a_host_that_does_not_tell_as_whom_guests_run(device: Path) -> None:
    assert why_not() == ""


@pytest.mark.parametrize("given", [{"types": ("qemu",)}, {"arch": "aarch64"}], ids=["emulation only", "foreign"])
def test_a_host_without(device: Path, given: dict[str, Any]) -> None:
    assert why_not(**given) == "This host has no KVM; the guest is emulated."


def test_an_offer_that_the_guests_user_cannot_use(device: Path) -> None:
    assert f"({NOBODY.pw_uid}) may not open {device}" in why_not(owner=f"+{NOBODY.pw_uid}:+{NOBODY.pw_gid}")


@pytest.mark.parametrize(("mode", "allowed"), [(0o606, True), (0o604, False), (0o602, False)])
def test_everybodys_modes(device: Path, mode: int, allowed: bool) -> None:
    device.chmod(mode)

    assert (why_not(owner=f"+{NOBODY.pw_uid}:+{NOBODY.pw_gid}") == "") is allowed


@pytest.mark.parametrize(("mode", "allowed"), [(0o660, True), (0o640, False), (0o606, False)])
def test_the_groups_modes(device: Path, mode: int, allowed: bool) -> None:
    device.chmod(mode)

    # A user whom no database knows, of the device's own group.
    assert (why_not(owner=f"+{2**31 - 7}:+{device.stat().st_gid}") == "") is allowed


def test_the_owners_modes(device: Path) -> None:
    if os.geteuid() == 0:  # who may open whatever there is
        os.chown(device, NOBODY.pw_uid, NOBODY.pw_gid)
    owner = f"+{device.stat().st_uid}:+{device.stat().st_gid}"

    assert why_not(owner=owner) == ""
    device.chmod(0o066)
    assert why_not(owner=owner) != ""


def test_who_sees_no_devices_believes_libvirt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """xmand's own unit has PrivateDevices, so that it never sees the device that libvirt offers."""
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "none")

    assert why_not(owner="+0:+0") == ""
    assert why_not(owner="+0:+0", types=("qemu",)) != ""


@pytest.mark.parametrize("number", [errno.ENODEV, errno.ENXIO])
def test_a_device_with_nothing_behind_it(device: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*_words: object) -> int:
        raise OSError(number, "nothing there")

    monkeypatch.setattr(os, "open", fail)

    assert "exists, but does not work" in why_not(owner="+0:+0")
