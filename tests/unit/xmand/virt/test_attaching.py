"""Devices in both descriptions of a domain (`xmand.virt.attaching`), where libvirt or a guest does not do as asked."""

from typing import Any
from unittest.mock import Mock

import libvirt
import pytest

from tests.unit.xmand.virt.test_listing import libvirt_error
from xman.errors import HypervisorError, RefusedError
from xmand.virt import attaching
from xmand.virt.domain import Domain

_DISK = "<disk type='file' device='{kind}'><source file='{file}'/><target dev='vdb'/><alias name='x'/></disk>"
_AGENT = "<channel><target name='org.qemu.guest_agent.0' state='connected'/></channel>"


def described(*devices: str) -> str:
    return f"<domain><devices>{''.join(devices)}</devices></domain>"


def with_disk(file: str = "/a", kind: str = "disk") -> str:
    return described(_DISK.format(file=file, kind=kind))


def a_domain(live: str, kept: str) -> Any:
    """Return a domain that runs, with these descriptions whatever is done to it."""
    raw = Mock()
    raw.name.return_value, raw.UUIDString.return_value = "vm1", "uuid"
    raw.isActive.return_value = raw.isPersistent.return_value = 1
    raw.XMLDesc.side_effect = lambda flags=0: kept if flags & libvirt.VIR_DOMAIN_XML_INACTIVE else live
    raw.connect.return_value.getType.return_value = "QEMU"
    return Domain(raw)


def test_a_success_that_left_the_kept_description_as_it_was_is_none() -> None:
    domain = a_domain(with_disk(), described())
    pick = attaching.disk("vdb")

    with pytest.raises(HypervisorError, match="will not have it from its next start on, although"):
        attaching.attach(domain, "<disk/>", pick, attaching.Found(None, None))


def test_only_what_is_not_there_yet_is_attached() -> None:
    domain = a_domain(with_disk(), with_disk())
    found = attaching.find(domain, attaching.disk("xvdb"))

    attaching.attach(domain, "<disk/>", attaching.disk("vdb"), attaching.Found(None, found.kept))

    domain.raw.attachDeviceFlags.assert_called_once_with("<disk/>", libvirt.VIR_DOMAIN_AFFECT_LIVE)


def test_what_libvirt_cannot_detach_is_no_guest_that_keeps_it() -> None:
    domain = a_domain(with_disk(), with_disk())
    domain.raw.detachDeviceFlags.side_effect = libvirt_error(libvirt.VIR_ERR_OPERATION_FAILED)
    pick = attaching.disk("vdb")

    with pytest.raises(HypervisorError):
        attaching.detach(domain, pick, attaching.find(domain, pick), "vdb")


@pytest.mark.parametrize(("agent", "found"), [(_AGENT, ["/", "/srv"]), ("", None)])
def test_where_a_guest_has_it_mounted_its_agent_tells(agent: str, found: list[str] | None) -> None:
    domain = a_domain(described(agent), described())
    domain.raw.fsInfo.return_value = [
        ["/srv", "vdb1", "ext4", ["vdb"]],
        ["/", "vdb2", "ext4", ["vdb"]],
        ["/x", "vda1", "ext4", ["vda"]],
    ]

    assert attaching.mounted_in_guest(domain, "vdb") == found


def test_an_agent_that_does_not_answer_is_no_sign_that_nothing_is_mounted() -> None:
    domain = a_domain(described(_AGENT), described())
    domain.raw.fsInfo.side_effect = libvirt_error(libvirt.VIR_ERR_AGENT_UNRESPONSIVE)

    with pytest.raises(RefusedError, match="does not say whether vdb is mounted"):
        attaching.mounted_in_guest(domain, "vdb")


def test_an_agent_that_does_not_know_the_question_cannot_tell() -> None:
    domain = a_domain(described(_AGENT), described())
    domain.raw.fsInfo.side_effect = libvirt_error(libvirt.VIR_ERR_OPERATION_UNSUPPORTED)

    assert attaching.mounted_in_guest(domain, "vdb") is None


def test_a_disk_is_never_cut() -> None:
    domain = a_domain(with_disk(), with_disk())
    domain.raw.blockInfo.return_value = [1 << 30, 0, 0]

    with pytest.raises(RefusedError, match="would be cut"):
        attaching.grow(domain, "vdb", (1 << 30) - 1)
    domain.raw.blockResize.assert_not_called()


def test_a_drive_with_another_medium_is_the_same_drive() -> None:
    drive = attaching.parsed(_DISK.format(file="/old.iso", kind="cdrom"))

    changed = attaching.parsed(attaching.with_medium(drive, "/dev/sr0", block=True))
    empty = attaching.parsed(attaching.with_medium(drive, "", block=False))

    assert (attaching.place(changed), changed.get("type"), changed.find("alias")) == ("/dev/sr0", "block", None)
    assert (attaching.place(empty), empty.get("device")) == ("", "cdrom")
