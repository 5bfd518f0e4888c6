"""What is attached to a domain, changed in it and taken from it: now where it runs, and for its next start.

libvirt's success says that a guest was asked to let go of a device. Each is read back, in both descriptions.
"""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from xman.errors import RefusedError, UnsupportedError, WaitTimeoutError, XmanError
from xmand.virt import condition, driver
from xmand.virt.binding import api
from xmand.virt.description import read_xml
from xmand.virt.domain import Domain
from xmand.virt.errors import code_of, reading

_LIVE, _CONFIG = int(api.VIR_DOMAIN_AFFECT_LIVE), int(api.VIR_DOMAIN_AFFECT_CONFIG)
_FORCE = int(api.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
# libvirt itself has waited five seconds for the guest.
_LETS_GO_SECONDS = 1.0
_POLL_SECONDS = 0.1
_AGENT = "devices/channel/target[@name='org.qemu.guest_agent.0'][@state='connected']"
# An agent that does not know the question, as old ones and those for some systems.
_CANNOT_TELL = (int(api.VIR_ERR_OPERATION_UNSUPPORTED), int(api.VIR_ERR_NO_SUPPORT))
# What is only so while it runs.
_RUNTIME = ("alias", "address", "backingStore", "mirror", "boot")
Element = etree._Element
Pick = Callable[[etree._Element], etree._Element | None]


@dataclass(frozen=True)
class Found:
    """A device as it is now (`live`), and as it will be at the next start (`kept`); None where it is not there."""

    live: etree._Element | None
    kept: etree._Element | None

    @property
    def any(self) -> etree._Element | None:
        """The one of them that there is."""
        return self.kept if self.live is None else self.live


def parsed(xml: str) -> Element:
    """Return the XML of one device, as it is to be looked at."""
    return read_xml(xml)


def text(element: Element) -> str:
    """Return a device's XML."""
    return etree.tostring(element, encoding="unicode")


def set_mac(element: Element, address: str) -> None:
    """Let an interface that has no address have this one."""
    element.insert(0, etree.Element("mac", address=address))


def require_machine(domain: Domain, what: str) -> None:
    """Raise UnsupportedError for a container, which has nothing like it (`what`), and for libvirt's test driver."""
    with reading(domain.name):
        kind = domain.raw.connect().getType()
    if kind == "TEST":
        raise UnsupportedError("This host's hypervisor cannot do that: libvirt's test driver changes no devices.")
    if what and kind == driver.LXC:
        raise UnsupportedError(f"This host's hypervisor cannot do that: a container has no {what}.")


def require_changeable(domain: Domain) -> None:
    """Raise RefusedError for a domain that is neither off, nor running, nor paused."""
    found = condition.condition(domain)
    if found not in (condition.RUNNING, condition.PAUSED, condition.OFF):
        raise condition.refusal(domain, found)


def find(domain: Domain, pick: Pick) -> Found:
    """Return what `pick` finds in the devices of both descriptions."""
    live = kept = None
    if domain.active():
        live = pick(_devices(domain.description()))
    if domain.persistent():
        kept = pick(_devices(domain.description(inactive=True)))
    return Found(live, kept)


def disk(word: str) -> Pick:
    """Return what finds a disk by the guest's name of it, or by xm's where the guest has another (xvdb for vdb)."""
    short = word.removeprefix("/dev/")
    names = (short, f"vd{short[3:]}") if short.startswith("xvd") else (short,)

    def pick(devices: etree._Element) -> etree._Element | None:
        known = {_name(element): element for element in devices.iterfind("disk")}
        return next((known[name] for name in names if name in known), None)

    return pick


def interface(word: str) -> Pick:
    """Return what finds an interface by its address, its number in `network-list`, or the host's name of it."""

    def pick(devices: etree._Element) -> etree._Element | None:
        found = devices.findall("interface")
        if word.isascii() and word.isdecimal():
            return found[int(word)] if len(word) < 5 and int(word) < len(found) else None
        for element in found:
            target = element.find("target")
            if mac(element) == word.lower() or (target is not None and target.get("dev") == word):
                return element
        return None

    return pick


def mac(element: etree._Element) -> str:
    """Return the address of an interface."""
    found = element.find("mac")
    return "" if found is None else str(found.get("address", "")).lower()


def drives(domain: Domain) -> list[str]:
    """Return the guest's names of its drives, for CDs and floppies."""
    found = _devices(domain.description()).iterfind("disk")
    return [_name(element) for element in found if element.get("device") in ("cdrom", "floppy")]


def names(domain: Domain, tag: str) -> list[str]:
    """Return what its disks or interfaces (`tag`) are called, now or at its next start."""
    texts = [domain.description()] + ([domain.description(inactive=True)] if domain.persistent() else [])
    called = mac if tag == "interface" else _name
    return list(dict.fromkeys(called(element) for text in texts for element in _devices(text).iterfind(tag)))


def _name(element: etree._Element) -> str:
    target = element.find("target")
    return "" if target is None else str(target.get("dev", ""))


def place(element: etree._Element | None) -> str:
    """Return where a disk is; empty for an empty drive."""
    source = None if element is None else element.find("source")
    if source is None:
        return ""
    return next((str(source.get(key)) for key in ("file", "dev", "dir", "name", "volume") if source.get(key)), "")


def attach(domain: Domain, xml: str, pick: Pick, before: Found) -> Found:
    """Attach what `xml` describes wherever it is not yet (`before`); return it as it is then.

    Raises what libvirt does; HypervisorError where it is there by halves, or not at all, although libvirt said so.
    """
    flags = (_LIVE if domain.active() and before.live is None else 0) | (
        _CONFIG if domain.persistent() and before.kept is None else 0
    )
    with domain.change():
        domain.raw.attachDeviceFlags(xml, flags)
    found = find(domain, pick)
    if (flags & _LIVE and found.live is None) or (flags & _CONFIG and found.kept is None):
        later = found.live is not None or not flags & _LIVE
        raise domain.not_so("will not have it from its next start on" if later else "does not have it")
    return found


def detach(domain: Domain, pick: Pick, found: Found, what: str) -> None:
    """Take a device from wherever it is; `what` it is called. Raises what libvirt does.

    Raises WaitTimeoutError where the guest keeps it: it was asked, and may let go later.
    """
    element = found.any
    assert element is not None  # noqa: S101  # the caller's
    flags = (_LIVE if found.live is not None else 0) | (_CONFIG if found.kept is not None else 0)
    try:
        with domain.change():
            domain.raw.detachDeviceFlags(_plain(element), flags)
    except XmanError as error:
        # It was asked before, and QEMU does not ask twice while it waits.
        asked = code_of(error.__cause__) in (api.VIR_ERR_OPERATION_FAILED, api.VIR_ERR_INTERNAL_ERROR)
        if not asked or found.live is None or found.kept is not None or find(domain, pick).live is None:
            raise
    until = time.monotonic() + _LETS_GO_SECONDS
    while (left := find(domain, pick)).live is not None and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    if left.kept is not None:
        raise domain.not_so(f"will still have {what} at its next start")
    if left.live is not None:
        raise WaitTimeoutError(
            f"The guest of '{domain.name}' was asked to release {what}, and still has it. It may do so later (not while"
            " paused); from its next start on it is gone."
        )


def change(domain: Domain, xml: str, found: Found, *, force: bool = False) -> None:
    """Change a device to what `xml` describes, wherever it is."""
    flags = (_LIVE if found.live is not None else 0) | (_CONFIG if found.kept is not None else 0)
    with domain.change():
        domain.raw.updateDeviceFlags(xml, flags | (_FORCE if force else 0))


def with_medium(element: etree._Element, path: str, *, block: bool) -> str:
    """Return the XML of a drive with another medium in it, or with none."""
    drive = deepcopy(element)
    for tag in (*_RUNTIME, "source"):
        for child in drive.findall(tag):
            drive.remove(child)
    drive.set("type", "block" if block else "file")
    if path:
        source = etree.Element("source", {"dev" if block else "file": path})
        target = drive.find("target")
        drive.insert(0 if target is None else drive.index(target), source)
    return etree.tostring(drive, encoding="unicode")


def mounted_in_guest(domain: Domain, target: str) -> list[str] | None:
    """Return where the guest has a disk mounted; None where no agent in it can tell.

    Raises RefusedError where there is an agent that does not answer: that is no sign that nothing is mounted.
    """
    if not domain.on_qemu() or etree.fromstring(domain.description().encode()).find(_AGENT) is None:
        return None
    try:
        return sorted(str(point) for point, _name, _kind, disks in domain.raw.fsInfo(0) if target in disks)
    except api.libvirtError as error:
        if code_of(error) in _CANNOT_TELL:
            return None
        raise RefusedError(
            f"The agent in the guest of '{domain.name}' does not say whether {target} is mounted there"
            f" ({str(error).rstrip('.')}). --force detaches it anyway."
        ) from error


def capacity(domain: Domain, target: str) -> int:
    """Return how many octets a disk has."""
    with reading(domain.name):
        return int(domain.raw.blockInfo(target, 0)[0])


def grow(domain: Domain, target: str, octets: int) -> int:
    """Let the disk of a domain that runs have more octets; return how many it has then. Never fewer."""
    if octets < capacity(domain, target):
        raise RefusedError(f"The disk {target} of '{domain.name}' would be cut, and what is behind its new end lost.")
    with domain.change():
        domain.raw.blockResize(target, octets, int(api.VIR_DOMAIN_BLOCK_RESIZE_BYTES))
    return capacity(domain, target)


def _devices(description: str) -> etree._Element:
    devices = etree.fromstring(description.encode()).find("devices")
    return etree.Element("devices") if devices is None else devices


def _plain(element: etree._Element) -> str:
    """Return a device as both descriptions know it: without what differs between them."""
    copy = deepcopy(element)
    for tag in _RUNTIME:
        for child in copy.findall(tag):
            copy.remove(child)
    if copy.tag == "interface":
        for child in copy.findall("target"):
            copy.remove(child)
    return etree.tostring(copy, encoding="unicode")
