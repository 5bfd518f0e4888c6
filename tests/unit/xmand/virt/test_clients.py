"""The description of a client (`xmand.virt.clients`): its profile's, with disks, a name and cards of its own."""

import pytest
from lxml import etree

from xman.metadata import Metadata, Origin
from xmand.virt import cards, clients
from xmand.virt.metadata import parse

OLD, NEW = "11111111-2222-3333-4444-555555555555", "66666666-2222-3333-4444-555555555555"
DRIVE = "<disk type='file' device='cdrom'><target dev='{}' bus='{}'/><readonly/><address type='drive' unit='1'/></disk>"


def profile(devices: str) -> str:
    return f"<domain type='kvm'><name>win</name><uuid>{OLD}</uuid><devices>{devices}</devices></domain>"


def drives(xml: str) -> list[tuple[str | None, str | None]]:
    """Return the target and the channel of each drive."""
    found = []
    for disk in etree.fromstring(xml).iterfind("devices/disk[@device='cdrom']"):
        target, address = disk.find("target"), disk.find("address")
        assert target is not None
        found.append((target.get("dev"), None if address is None else address.get("bus")))
    return found


def test_its_cards_have_addresses_that_follow_from_its_name() -> None:
    card = "<interface type='user'><mac address='52:54:00:11:22:33'/></interface>"

    made, _notes = clients.describe(profile(card * 2), "lab01", NEW)

    first, second = clients.macs(made.xml)
    assert (first, second) == (cards.mac_of("lab01"), cards.mac_of("lab01", 1))
    assert first != second
    assert first.startswith("02:")
    # What a site has in its DHCP server stays true: SHA-256 of "xmanlab01".
    assert first == "02:b1:b8:67:96:58"


def test_its_vnc_listens_on_no_network_and_other_screens_as_they_did() -> None:
    screens = "<graphics type='vnc' port='5901' listen='0.0.0.0'/><graphics type='spice' autoport='yes'/>"

    made, notes = clients.describe(profile(screens), "lab01", NEW)

    vnc, spice = etree.fromstring(made.xml).iterfind("devices/graphics")
    assert (dict(vnc.attrib), [each.get("type") for each in vnc.findall("listen")]) == ({"type": "vnc"}, ["none"])
    assert dict(spice.attrib) == {"type": "spice", "autoport": "yes"}
    assert notes == ()


@pytest.mark.parametrize(
    ("devices", "found"),
    [
        (DRIVE.format("hdb", "ide"), [("hdc", "1")]),
        (DRIVE.format("hdc", "ide"), [("hdc", None)]),
        (DRIVE.format("sda", "sata"), [("sda", None)]),
        (DRIVE.format("hda", "ide") + DRIVE.format("hdb", "ide"), [("hda", None), ("hdb", None)]),
    ],
)
def test_the_one_drive_on_ide_is_the_second_channels_master(
    devices: str, found: list[tuple[str | None, str | None]]
) -> None:
    made, _notes = clients.describe(profile(devices), "lab01", NEW)

    assert drives(made.xml) == found


def test_each_disk_that_has_an_overlay_is_that_and_nothing_else_of_it_is_lost() -> None:
    disks = (
        "<disk type='volume' device='disk'><driver name='qemu' type='raw' cache='none'/><source pool='p' volume='v'/>"
        "<backingStore/><target dev='vda' bus='virtio'/></disk>"
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/read'/>"
        "<target dev='vdb' bus='virtio'/><readonly/></disk>"
    )
    marks = Metadata(origin=Origin(OLD, True, "pool"))
    wanted, _notes = clients.describe(profile(disks), "lab01", NEW)

    made = clients.with_overlays(wanted, {"vda": "/pool/overlay.qcow2"}, marks)

    first, second = etree.fromstring(made.xml).iterfind("devices/disk")
    source, driver = first.find("source"), first.find("driver")
    assert source is not None
    assert driver is not None
    assert (first.get("type"), dict(source.attrib)) == ("file", {"file": "/pool/overlay.qcow2"})
    assert dict(driver.attrib) == {"name": "qemu", "type": "qcow2", "cache": "none"}
    assert first.find("backingStore") is None
    assert clients.files(made.xml) == {"vda": "/pool/overlay.qcow2", "vdb": "/read"}
    assert second.find("readonly") is not None
    (kept,) = etree.fromstring(made.xml).iterfind("metadata/{urn:xman:1}domain")
    assert parse(etree.tostring(kept, encoding="unicode")) == marks
