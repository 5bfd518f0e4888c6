"""The description of a clone: its original's, without what must be no other domain's. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from xman.errors import UnsupportedError
from xmand.virt.description import Description, parse, read_xml, with_uuid

# What has a name of its own on the host, and is made by libvirt where nothing is said.
_NOT_COPIED = ("slices", "reservations", "encryption")
# Where the source of a disk of this type says what it is.
_PLACES = {"file": "file", "block": "dev"}
_DRIVES = ("cdrom", "floppy")
_MEMORY_ON_DISK = ("nvdimm", "virtio-pmem")


@dataclass(frozen=True)
class Disk:
    """A disk that its guest writes, and no other: `kind` is libvirt's (file, block, volume), `format` the driver's.

    `path` is where it is, or `pool` and `volume` name it.
    """

    target: str
    kind: str
    format: str
    path: str = ""
    pool: str = ""
    volume: str = ""


def own_disks(xml: str) -> list[Disk]:
    """Return the disks that a clone has to have of its own. Raises UnsupportedError for one that cannot be copied."""
    found = []
    for element in read_xml(xml).iterfind("devices/disk"):
        if not _is_own(element):
            continue
        source, target, driver = element.find("source"), element.find("target"), element.find("driver")
        name = "?" if target is None else str(target.get("dev"))
        kind = element.get("type", "file")
        form = "raw" if driver is None else str(driver.get("type", "raw"))
        if source is None or kind not in ("file", "block", "volume"):
            raise UnsupportedError(f"The disk {name} is of the type {kind}; what libvirt copies is files and volumes.")
        if any(source.find(part) is not None for part in _NOT_COPIED):
            raise UnsupportedError(f"The disk {name} is encrypted, reserved or a part of something; it is not copied.")
        path = str(source.get("dev" if kind == "block" else "file", ""))
        found.append(Disk(name, kind, form, path, str(source.get("pool", "")), str(source.get("volume", ""))))
    return found


def cannot(xml: str, *, container: bool) -> str:
    """Return why a domain has no clone, though its disks might be copied; empty where nothing is in the way."""
    root = read_xml(xml)
    for element in root.iterfind("devices/memory"):
        if element.get("model") in _MEMORY_ON_DISK:
            return f"it has {element.get('model')} memory, which is kept in a file of the host's"
    if container and any(each.find("readonly") is None for each in root.iterfind("devices/filesystem")):
        return "a container's files are in folders of the host's, which libvirt does not copy"
    return ""


def describe(xml: str, name: str, uuid: str, mac: Callable[[], str]) -> tuple[Description, tuple[str, ...]]:
    """Return the description of a clone, whose disks are still its original's, and what is to be said of it.

    `mac` gives an address that nobody has. What xman keeps of the original is not among it: labels, jobs, who launched
    it, how it is to be treated in batch work.
    """
    root = read_xml(xml)
    old = (root.findtext("uuid") or "").strip()
    before = root.find("name")
    if before is None:  # libvirt always has one
        before = etree.SubElement(root, "name")
    before.text = name
    for element in root.findall("genid"):  # by which a guest finds out that it is another machine now
        element.text = None
    notes = [*_media(root, old), *_firmware(root), *_smbios(root), *_devices(root, old, mac)]
    return with_uuid(parse(etree.tostring(root, encoding="unicode")), uuid), tuple(notes)


def with_disks(wanted: Description, disks: Iterable[Disk]) -> Description:
    """Return the same description with other images; of each its path and kind, pool and volume.

    Raises UnsupportedError for one that is neither a file nor a device.
    """
    root, copies = read_xml(wanted.xml), {disk.target: disk for disk in disks}
    for element in root.iterfind("devices/disk"):
        source, target = element.find("source"), element.find("target")
        if source is None or target is None or target.get("dev") not in copies:
            continue
        copy = copies[str(target.get("dev"))]
        if "volume" in source.attrib:
            source.set("pool", copy.pool)
            source.set("volume", copy.volume)
        elif copy.kind not in _PLACES:
            raise UnsupportedError(
                f"The volumes of the pool '{copy.pool}' are neither files nor devices of the host's."
            )
        else:  # in another pool it may be a file where its original is a device
            for key in _PLACES.values():
                source.attrib.pop(key, None)
            source.set(_PLACES[copy.kind], copy.path)
            element.set("type", copy.kind)
        source.attrib.pop("index", None)
        # It is a whole copy, whatever its original was built upon.
        for backing in element.findall("backingStore"):
            element.remove(backing)
    return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode"))


def shared(xml: str) -> list[str]:
    """Return where the disks are that both will have: those that are only read, and those that several write."""
    found = []
    for element in read_xml(xml).iterfind("devices/disk"):
        source = element.find("source")
        if source is not None and not _is_own(element):
            place = next((str(source.get(key)) for key in ("file", "dev", "volume", "name") if source.get(key)), "")
            if place:
                found.append(place)
    return found


def _is_own(element: etree._Element) -> bool:
    if element.find("source") is None or element.get("device") in _DRIVES:
        return False
    return element.find("readonly") is None and element.find("shareable") is None


def _media(root: etree._Element, old: str) -> Iterator[str]:
    """Take out media that are called after the original: a seed tells its guest who it is."""
    for element in root.iterfind("devices/disk"):
        source = element.find("source")
        if source is None or element.get("device") not in _DRIVES or not old:
            continue
        if place := next((str(value) for value in source.attrib.values() if old in str(value)), ""):
            element.remove(source)
            yield f"{place} stays with the other."


def _firmware(root: etree._Element) -> Iterator[str]:
    for nvram in root.iterfind("os/nvram"):
        # Where it is says libvirt, which makes a new one of the template.
        nvram.text = None
        for child in list(nvram):
            nvram.remove(child)
        for key in [key for key in nvram.attrib if not key.startswith("template")]:
            del nvram.attrib[key]
        yield "The variables of its firmware (UEFI) are as in a new machine."
    # libvirt before 10 chooses them at the start, by the domain's name.
    if root.find("os[@firmware='efi']") is not None and root.find("os/nvram") is None:
        yield "The variables of its firmware (UEFI) are as in a new machine."


def _smbios(root: etree._Element) -> Iterator[str]:
    for system in root.iterfind("sysinfo/system"):
        for entry in system.findall("entry"):
            if entry.get("name") == "uuid":  # libvirt compares it
                system.remove(entry)
    yield from ()


def _devices(root: etree._Element, old: str, mac: Callable[[], str]) -> Iterator[str]:
    devices = root.find("devices")
    if devices is None:
        return
    for interface in devices.iterfind("interface"):
        for target in interface.findall("target"):
            interface.remove(target)
        address = interface.find("mac")
        if address is None:
            address = etree.Element("mac")
            interface.insert(0, address)
        address.attrib.clear()
        address.set("address", mac())
        for parameters in interface.iterfind("virtualport/parameters"):
            parameters.attrib.pop("interfaceid", None)  # libvirt makes one
    for number in devices.iterfind("vsock/cid"):
        number.attrib.pop("address", None)
        number.set("auto", "yes")
    for screen in devices.iterfind("graphics"):
        yield from _screen(screen)
    for device in devices:
        source = device.find("source")
        for log in device.findall("log"):
            file = str(log.get("file", ""))
            if old and old in file:
                device.remove(log)
            else:
                yield f"What both print at their {device.tag!s} goes into {file}; choose another file with edit."
        if device.tag not in ("serial", "parallel", "console", "channel") or source is None:
            continue
        path = str(source.get("path", ""))
        if device.tag == "channel" and device.get("type") == "unix":
            source.attrib.pop("path", None)
        elif device.get("type") in ("file", "unix", "pipe") and path and device.tag != "console":
            yield f"Both have {path} as a {device.tag} port; choose another one with edit."
    if any(device.tag == "tpm" for device in devices):
        yield "Its TPM is a new one: it cannot read what the other sealed."
    if devices.find("hostdev") is not None or devices.find("interface[@type='hostdev']") is not None:
        yield "Both have the same device of the host, and cannot run at the same time."


def _screen(screen: etree._Element) -> Iterator[str]:
    screen.attrib.pop("socket", None)
    for listen in screen.findall("listen[@type='socket']"):
        listen.attrib.pop("socket", None)
    fixed = [key for key in ("port", "tlsPort", "websocket") if screen.get(key, "-1") not in ("-1", "0")]
    if not fixed:
        return
    ports = ", ".join(str(screen.attrib.pop(key)) for key in fixed)
    screen.set("autoport", "yes")
    yield f"Its screen gets a port of its own; {ports} is the other's."
