"""Disks, interfaces and the host's PCI devices as libvirt describes them."""

import re
from xml.etree.ElementTree import Element

from xman.errors import UnsupportedError, UsageError
from xmand.formats import boot, disks, vifs
from xmand.formats.context import Context, add
from xmand.formats.dialect import XL

_PCI = re.compile(r"^(?:([0-9a-fA-F]{1,4}):)?([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})\.([0-7*])(@[0-9a-fA-F]+)?(?:=.*)?$")
# What holds without being said.
_PCI_ANYWAY = ("rdm_policy=relaxed", "")
_QEMUS = "qemu"
# IEEE 802.1Q has twelve bits for one.
_VLANS = 4096
# The places on two IDE cables, the usual one of CD-ROM drives first; and those that a word names.
_IDE = ("hdc", "hdd", "hdb", "hda")
_PLACE = re.compile(r"\bhd[a-d]\b")


def write_disks(context: Context, devices: Element, asked: str, made: str) -> None:
    """Write <disk> for each of `disk`, and xm's floppies. Raises nothing: what is refused is remembered."""
    settings = context.settings
    where = settings.where("disk")
    taken: set[str] = set()
    # xl, and the emulator that it starts, look where the caller is; xend looked from the host's `/`.
    located = context.located if context.theirs == XL else str
    # What each is called, before one gets a name that it did not ask for.
    wanted = {word for text in settings.words("disk") for word in _PLACE.findall(text)}
    for text in settings.words("disk"):
        with context.going_on():
            _disk(context, devices, disks.parse(text, where, located), asked, made, taken, wanted, where)
    if context.xen and made != boot.HVM and settings.has("bootloader"):
        _first(context, devices, where)
    for key in ("fda", "fdb"):
        path = settings.text(key)
        if path:
            with context.going_on():
                disks.absolute(path, "A floppy's", settings.where(key))
                element = add(devices, "disk", type="block" if path.startswith("/dev/") else "file", device="floppy")
                add(element, "source", **{"dev" if path.startswith("/dev/") else "file": path})
                add(element, "target", dev=key, bus="fdc")


def _first(context: Context, devices: Element, where: str) -> None:
    """Say where Xen's boot loader reads another disk than the first of the file: libvirt puts them into their order."""
    names = [target.get("dev", "") for target in devices.iterfind("disk/target")]
    letters = [name.rstrip("0123456789") for name in names]
    first = min(letters, key=lambda word: (len(word), word), default="")
    if letters and letters[0] != first:
        context.warn(
            f"The boot loader reads {first}, not {names[0]}: libvirt puts disks into the order of names {where}."
        )


def _disk(
    context: Context,
    devices: Element,
    disk: disks.Disk,
    asked: str,
    made: str,
    taken: set[str],
    wanted: set[str],
    where: str,
) -> None:
    target, bus = disks.target(disk, context.xen, made == boot.HVM, where, asked != boot.HVM)
    if bus == "ide" and not context.xen and target not in _IDE:
        target, bus = _elsewhere(disk, taken | wanted, where)
    if target in taken:
        raise UsageError(f"Two disks are called {target} {where}.")
    taken.add(target)
    if disk.backend and not context.xen:
        raise context.unsupported("disk", f"{context.driver} has no backend domains; the disk must be this host's own")
    if disk.number:
        context.warn(f"The disk {disk.number} is {target} here: libvirt knows disks by names only.")
    elif target != disk.vdev and not disk.cdrom:
        context.warn(f"The disk {disk.vdev} is {target} here.")
    for name in disk.left_out:
        context.leave_out(f"a disk's {name} {where}")
    if disk.drbd:
        context.warn(f"DRBD's {disk.path} has to be primary here when the guest starts: Xen's script did that {where}.")
    device = "cdrom" if disk.cdrom else "floppy" if disk.prefix == "fd" else "disk"
    element = add(devices, "disk", type="block" if disk.block else "file", device=device)
    # Without a name libxl takes every image for a raw one, and its guest writes over what it holds.
    image_format = "vpc" if disk.format == "vhd" and not context.xen else disk.format
    driver = disk.driver or (_QEMUS if disk.format != "raw" else "")
    keeps = "ignore" if disk.keeps else ""
    add(element, "driver", name=driver if context.xen else "", type=image_format, discard=keeps)
    if disk.backend:
        add(element, "backenddomain", name=disk.backend)
    if disk.path:
        add(element, "source", **{"dev" if disk.block else "file": disk.path})
    add(element, "target", dev=target, bus=bus)
    if disk.cdrom or disk.access == "r":
        add(element, "readonly")
    elif disk.access == "w!":
        add(element, "shareable")


def _elsewhere(disk: disks.Disk, taken: set[str], where: str) -> tuple[str, str]:
    """Return a place for what would be a fifth drive on two IDE cables; Xen's guests have those by Xen's drivers."""
    if not disk.cdrom:
        return f"vd{disk.letters}", "virtio"
    for place in _IDE:
        if place not in taken:
            return place, "ide"
    raise UnsupportedError(f"There is no room for the CD-ROM drive {disk.vdev}: hda to hdd are taken {where}.")


def write_interfaces(context: Context, devices: Element, asked: str, made: str) -> None:
    """Write <interface> for each of `vif`."""
    where = context.settings.where("vif")
    for text in _vif_words(context):
        with context.going_on():
            _interface(context, devices, vifs.parse(text, where, xls=context.theirs == XL), asked, made, where)


def _interface(context: Context, devices: Element, vif: vifs.Vif, asked: str, made: str, where: str) -> None:
    switched = vif.script.rsplit("/", 1)[-1] == vifs.OPENVSWITCH_SCRIPT
    routed = bool(vif.script) and not vif.bridge and not switched
    if vif.script and not context.xen and not switched:
        raise UnsupportedError(
            f"'script': {context.driver} does not run Xen's scripts; write bridge=NAME for a bridge of this host's, or"
            f" describe the interface in libvirt's XML {where}."
        )
    if not vif.bridge and not routed:
        context.warn(f"An interface names no bridge; it is on {vifs.DEFAULT_BRIDGE}, xl's default.")
    if vif.backend and not context.xen:
        raise context.unsupported("vif", f"{context.driver} has no backend domains; the bridge must be this host's own")
    model = vifs.NETFRONT if vif.paravirtual else vif.model
    if not context.xen:
        converted = not model and asked != made
        model = "virtio" if model == vifs.NETFRONT or converted else vifs.QEMUS_MODELS.get(model, model) or "rtl8139"
        if vif.addresses:
            context.leave_out(f"an interface's ip {where}")
    for name in vif.left_out:
        context.leave_out(f"an interface's {name} {where}")
    element = add(devices, "interface", type="ethernet" if routed else "bridge")
    if vif.mac:
        add(element, "mac", address=vif.mac)
    if not routed:
        add(element, "source", bridge=vif.bridge or vifs.DEFAULT_BRIDGE)
    if switched:
        add(element, "virtualport", type="openvswitch")
    elif vif.script:
        add(element, "script", path=vif.script)
    if vif.backend:
        add(element, "backenddomain", name=vif.backend)
    for address in vif.addresses if context.xen else ():
        plain, _, prefix = address.partition("/")
        add(element, "ip", address=plain, family="ipv6" if ":" in plain else "ipv4", prefix=prefix)
    if vif.name.startswith(vifs.LIBVIRTS_XEN_NAMES if context.xen else vifs.LIBVIRTS_NAMES):
        if not vifs.MADE_UP.match(vif.name):
            context.leave_out(f"an interface's vifname, as libvirt itself makes those that begin so {where}")
    elif vif.name:
        add(element, "target", dev=vif.name)
    if model:
        add(element, "model", type=model)
    if vif.trunks:
        _trunks(context, element, vif, where)
    elif vif.vlan:
        _vlan(context, element, vif.vlan, where)
    if vif.mtu:
        add(element, "mtu", size=str(vif.mtu))
    if vif.rate:
        add(add(element, "bandwidth"), "outbound", average=str(vif.rate))


def _vlan(context: Context, element: Element, word: str, where: str) -> None:
    """Write xl's `5/1/2` (an untagged one, then trunks), of which libvirt has the single tag."""
    if word.isdecimal() and word.isascii() and int(word) < _VLANS:
        add(add(element, "vlan"), "tag", id=word)
    else:
        context.leave_out(f"an interface's vlan of several tags {where}")


def _trunks(context: Context, element: Element, vif: vifs.Vif, where: str) -> None:
    """Write what vif-openvswitch makes of `ovsbr0.10:20:30`: VLAN 10 without its tag, 20 and 30 with theirs."""
    tags = {word: int(word) for word in (vif.vlan, *vif.trunks) if word}
    if max(tags.values()) >= _VLANS:
        raise UsageError(f"A VLAN is a number below {_VLANS} {where}.")
    vlan = add(element, "vlan", trunk="yes")
    if vif.vlan and context.xen:
        context.leave_out(f"an interface's VLAN beside its trunks, which libvirt's driver for Xen does not set {where}")
    elif vif.vlan:
        add(vlan, "tag", id=str(tags[vif.vlan]), nativeMode="untagged")
    for word in vif.trunks:
        add(vlan, "tag", id=str(tags[word]))


def _vif_words(context: Context) -> list[str]:
    """Return the interfaces; an empty word in the list is one with all defaults, an empty value none."""
    words = context.settings.words("vif")
    if context.theirs == XL:
        return words
    missing = context.settings.number("nics", 0) - len(words)
    return words + [""] * min(max(missing, 0), 16)


def _pci_words(word: str) -> tuple[str, list[str]]:
    """Return the address in `03:00.0,seize=1` or `seize=1,bdf=03:00.0` (xl-pci-configuration(5)), and what is left."""
    parts = [part.strip() for part in word.split(",")]
    address = next((part for part in parts if part.startswith("bdf=")), parts[0])
    parts.remove(address)
    return address.removeprefix("bdf="), parts


def write_pci(context: Context, devices: Element) -> None:
    """Write <hostdev> for each of `pci`: its address, with options."""
    settings = context.settings
    where = settings.where("pci")
    words = settings.words("pci")
    permissive = settings.flag("pci_permissive")
    for key in ("pci_power_mgmt", "pci_msitranslate", "rdm", "rdm_mem_boundary"):
        if words and settings.text(key) not in ("", "0"):
            context.leave_out(f"{key} {settings.where(key)}")
    # libvirt takes the device away from the host where it may; xl does where it is told to seize it.
    seizes = settings.flag("pci_seize") or not context.xen
    for word in words:
        with context.going_on():
            _pci(context, devices, word, where, seizes=seizes, permissive=permissive)


def _pci(context: Context, devices: Element, word: str, where: str, *, seizes: bool, permissive: bool) -> None:
    """Write one <hostdev>; its own options come before what holds for all."""
    address, options = _pci_words(word)
    match = _PCI.match(address)
    if match and match[4] == "*":
        raise UsageError(f"'{address[:32]}' is all of a device's functions; name each, such as 0000:03:00.0 {where}.")
    if not match:
        raise UsageError(f"'{address[:32]}' is not a PCI device, such as 0000:03:00.0 {where}.")
    if match[5]:
        options.append("vslot")
    for option in options:
        if option == "seize=1":
            seizes = True
        elif option in ("permissive=1", "permissive=0"):
            permissive = option == "permissive=1"
        elif option not in _PCI_ANYWAY and not option.endswith("=0"):
            context.leave_out(f"a PCI device's {option[:32]} {where}")
    if permissive and not context.xen:
        context.leave_out(f"pci_permissive, or permissive=1, which is Xen's own {where}")
    hostdev = add(devices, "hostdev", mode="subsystem", type="pci", managed="yes" if seizes else "no")
    source = add(hostdev, "source", **({"writeFiltering": "no"} if permissive and context.xen else {}))
    parts = {"domain": (match[1] or "0", 4), "bus": (match[2], 2), "slot": (match[3], 2), "function": (match[4], 1)}
    add(source, "address", **{name: f"0x{int(digits, 16):0{width}x}" for name, (digits, width) in parts.items()})
