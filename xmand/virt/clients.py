"""The description of a client of a profile: the profile's, with disks of its own in place of those it writes. Pure."""

import itertools

from lxml import etree

from xman.metadata import Metadata
from xmand.virt import cards, cloned, metadata
from xmand.virt.description import Description, read_xml, without_listeners
from xmand.virt.volumes import QCOW2

# The master of the second IDE channel, where machines have had their CD ever since.
_DRIVE = "hdc"
_DRIVE_PLACE = {"type": "drive", "controller": "0", "bus": "1", "target": "0", "unit": "0"}


def describe(profile: str, name: str, uuid: str) -> tuple[Description, tuple[str, ...]]:
    """Return the description of a client, whose disks are still the profile's, and what is to be said of it.

    `profile` is libvirt's description of that one. Raises UnsupportedError.
    """
    numbers = itertools.count()
    # Of many machines alike none needs a port of the host's: who may see a screen gets it through xmand.
    quiet = without_listeners(Description("", "", profile)).xml
    wanted, notes = cloned.describe(quiet, name, uuid, lambda: cards.mac_of(name, next(numbers)))
    root = read_xml(wanted.xml)
    _place_drive(root)
    return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode")), notes


def with_overlays(wanted: Description, overlays: dict[str, str], marks: Metadata) -> Description:
    """Return the same description with the overlay at a path for each disk that has one, by target, and its marks."""
    root = read_xml(wanted.xml)
    for disk in root.iterfind("devices/disk"):
        path = overlays.get(_target(disk))
        if path is None:
            continue
        for tag in ("source", "backingStore", "transient"):
            for element in disk.findall(tag):
                disk.remove(element)
        disk.set("type", "file")
        driver = disk.find("driver")
        if driver is None:
            driver = etree.Element("driver", name="qemu")
            disk.insert(0, driver)
        driver.set("type", QCOW2)
        disk.insert(disk.index(driver) + 1, etree.Element("source", file=path))
    holder = root.find("metadata")
    if holder is None:
        holder = etree.Element("metadata")
        before = root.find("uuid")
        root.insert(0 if before is None else root.index(before) + 1, holder)
    holder.append(metadata.element(marks))
    return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode"))


def macs(xml: str) -> list[str]:
    """Return the addresses of a domain's cards, in order."""
    return [str(each.get("address", "")) for each in read_xml(xml).iterfind("devices/interface/mac")]


def files(xml: str) -> dict[str, str]:
    """Return the paths of the disks that are files, by target."""
    found = {}
    for disk in read_xml(xml).iterfind("devices/disk"):
        source = disk.find("source")
        if source is not None and source.get("file"):
            found[_target(disk)] = str(source.get("file"))
    return found


def _target(disk: etree._Element) -> str:
    target = disk.find("target")
    return "" if target is None else str(target.get("dev", ""))


def _place_drive(root: etree._Element) -> None:
    """Let the one CD drive on IDE be the second channel's master, where nothing else is."""
    devices = root.findall("devices/disk")
    drives = [disk for disk in devices if disk.get("device") == "cdrom" and _bus(disk) == "ide"]
    if len(drives) != 1 or any(_target(disk) == _DRIVE for disk in devices):
        return
    (drive,) = drives
    target = drive.find("target")
    assert target is not None  # noqa: S101  # its bus was read there
    target.set("dev", _DRIVE)
    for element in drive.findall("address"):
        drive.remove(element)
    etree.SubElement(drive, "address", _DRIVE_PLACE)


def _bus(disk: etree._Element) -> str:
    target = disk.find("target")
    return "" if target is None else str(target.get("bus", ""))
