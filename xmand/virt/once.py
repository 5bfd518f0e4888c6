"""A start by another description than the one that is kept, once: nothing of it has to be undone."""

import contextlib

from lxml import etree

from xman.errors import RefusedError
from xmand.virt import attaching
from xmand.virt.binding import api
from xmand.virt.description import read_xml
from xmand.virt.domain import Domain, files_of_disks, unsupported_flags

_CDROM = "cdrom"
# What of a machine's boot is no matter of its firmware.
_DIRECT = ("kernel", "initrd", "cmdline", "dtb")


def drive(domain: Domain) -> attaching.Element:
    """Return the first drive for CDs that a domain is kept with. Raises RefusedError where it has none."""
    for name in attaching.drives(domain):
        found = attaching.find(domain, attaching.disk(name)).kept
        if found is not None and found.get("device") == _CDROM:
            return found
    raise RefusedError(f"Domain '{domain.name}' has no drive for CDs; edit gives it one.")


def from_cd(xml: str, medium: str) -> str:
    """Return a description by which the firmware tries the drive first that `medium` describes, with what is in it."""
    root, wanted = read_xml(xml), read_xml(medium)
    target = _target(wanted)
    orders = sorted(root.iterfind("devices/*/boot[@order]"), key=lambda each: int(each.get("order", "0")))
    for number, order in enumerate(orders, 2):
        order.set("order", str(number))
    for disk in root.findall("devices/disk"):
        if _target(disk) != target:
            continue
        for boot in [*wanted.findall("boot"), *disk.findall("boot")]:
            holder = boot.getparent()
            if holder is not None:
                holder.remove(boot)
        if orders:
            etree.SubElement(wanted, "boot", order="1")
        holder = disk.getparent()
        if holder is not None:
            holder.replace(disk, wanted)
    system = root.find("os")
    if system is not None:
        for tag in _DIRECT:
            for element in system.findall(tag):
                system.remove(element)
        if not orders:
            for boot in system.findall(f"boot[@dev='{_CDROM}']"):
                system.remove(boot)
            first = system.find("boot")
            place = len(system) if first is None else system.index(first)
            system.insert(place, etree.Element("boot", dev=_CDROM))
    return etree.tostring(root, encoding="unicode")


def start(domain: Domain, xml: str, *, paused: bool, anew: bool) -> None:
    """Start a domain that is off by this description; what is kept of it stays as it is. As `Domain.start`."""
    flags = api.VIR_DOMAIN_START_PAUSED if paused else 0
    if anew and "<nvram" in xml:
        flags |= api.VIR_DOMAIN_START_RESET_NVRAM
    with contextlib.ExitStack() as around:
        around.enter_context(files_of_disks(xml))
        around.enter_context(domain.change())
        around.enter_context(unsupported_flags(bool(flags)))
        # As libvirt has it, so that it is not validated anew: its schema may have become stricter since.
        domain.raw.connect().createXML(xml, flags)
    if not domain.active():
        raise domain.not_so("does not run")


def _target(disk: etree._Element) -> str:
    target = disk.find("target")
    return "" if target is None else str(target.get("dev", ""))
