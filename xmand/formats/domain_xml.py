"""From settled keys to libvirt's description of a domain; which key becomes what follows xm.cfg(5) and xl.cfg(5)."""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from xman import values
from xman.errors import UsageError
from xmand.formats import boot, cpus, disks, graphics, vifs
from xmand.formats.boot import HVM
from xmand.formats.context import Context, add

# Programs and hardware of the host: whoever may describe a guest in xm's words shall not choose these along with it.
_REFUSED = re.compile(r"^(device_model.*|.*_override|ioports|iomem|irqs?|pci|vscsi|usbdev|dtdev|script)$")

_DESTROY, _RESTART = "destroy", "restart"
_EVENTS = {"on_poweroff": _DESTROY, "on_reboot": _RESTART, "on_crash": _RESTART}
_ACTIONS = {word: word for word in (_DESTROY, _RESTART, "preserve", "rename-restart")}
_CRASH_ACTIONS = _ACTIONS | {word: word for word in ("coredump-destroy", "coredump-restart")}
# xm's old `restart=`: what it means for each of the events.
_RESTARTS = {
    "always": (_RESTART, _RESTART, _RESTART),
    "onreboot": (_DESTROY, _RESTART, _DESTROY),
    "never": (_DESTROY, _DESTROY, _DESTROY),
}
# xend's own start and stop with the host.
_AT_START = {"ignore": "", "start": "start"}
_AT_STOP = {word: word for word in ("ignore", "shutdown", "suspend")}
_DEFAULT_MEMORY = 128
_MOST_MEMORY = 1 << 30


def to_xml(context: Context) -> str:
    """Return the description. Raises UsageError and UnsupportedError."""
    settings = context.settings
    refuse(context)
    root = Element("domain", {"type": context.domain_type})
    if not settings.has("name"):
        raise UsageError("The description has no name; give one in it, or as name=... behind FILE.")
    add(root, "name", settings.text("name"))
    if settings.has("uuid"):
        uuid = settings.text("uuid").strip().lower()
        if not values.is_uuid(uuid):
            raise UsageError(f"'{uuid[:64]}' is not a UUID {settings.where('uuid')}.")
        add(root, "uuid", uuid)
    _memory(context, root)
    cpus.write(context, root)
    asked = boot.kind(context)
    made = boot.settle(context, asked)
    boot.write(context, root, asked, made)
    _features(context, root, made)
    _clock(context, root)
    _events(context, root)
    _with_the_host(context)
    devices = add(root, "devices")
    _disks(context, devices, made)
    _interfaces(context, devices, asked, made)
    graphics.write(context, devices, made, asked)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def refuse(context: Context) -> None:
    """Raise UsageError for a key that is not taken at all; one that is empty asks for nothing."""
    settings = context.settings
    for key in settings.names():
        if _REFUSED.match(key) and settings.get(key) not in ("", 0, [], "0"):
            where = settings.where(key)
            raise UsageError(f"'{key}' is not taken: it names a program or hardware of the host {where}.")


def _memory(context: Context, root: Element) -> None:
    settings = context.settings
    memory = settings.number("memory", _DEFAULT_MEMORY, 1)
    most = settings.number("maxmem", memory, 1)
    if most < memory:
        raise UsageError(f"The memory of {memory} MiB is more than the maximum {settings.where('maxmem')}.")
    if most > _MOST_MEMORY:
        raise UsageError(f"{most} MiB is more memory than there is {settings.where('memory')}.")
    add(root, "memory", str(most), unit="MiB")
    add(root, "currentMemory", str(memory), unit="MiB")


def _features(context: Context, root: Element, made: str) -> None:
    settings = context.settings
    wanted = [name for name in ("acpi", "apic", "pae") if settings.flag(name, default=True)]
    if settings.flag("viridian"):
        if context.xen:
            wanted.append("viridian")
        else:
            context.warn(f"Left out: Xen's viridian interface {settings.where('viridian')}.")
    if not settings.flag("nx", default=True):
        context.warn(f"Left out: hiding NX from the guest {settings.where('nx')}.")
    if made == HVM and wanted:
        features = add(root, "features")
        for name in wanted:
            add(features, name)


def _clock(context: Context, root: Element) -> None:
    settings = context.settings
    basis = "localtime" if settings.flag("localtime") else "utc"
    offset = settings.text("rtc_timeoffset").strip()
    if offset in ("", "0"):
        clock = add(root, "clock", offset=basis)
    elif re.fullmatch(r"-?[0-9]{1,9}", offset, re.ASCII):
        clock = add(root, "clock", offset="variable", adjustment=offset, basis=basis)
    else:
        raise UsageError(f"'{offset[:32]}' is not a number of seconds {settings.where('rtc_timeoffset')}.")
    if settings.has("hpet"):
        add(clock, "timer", name="hpet", present="yes" if settings.flag("hpet") else "no")


def _events(context: Context, root: Element) -> None:
    settings = context.settings
    defaults = tuple(_EVENTS.values())
    if settings.has("restart"):
        word = settings.choice("restart", "onreboot", {word: word for word in _RESTARTS})
        defaults = _RESTARTS[word]
    for key, default in zip(_EVENTS, defaults, strict=True):
        action = settings.choice(key, default, _CRASH_ACTIONS if key == "on_crash" else _ACTIONS)
        refused = action == "rename-restart" or (action == "preserve" and key != "on_crash")
        if refused and not context.xen:
            raise context.unsupported(key, f"{context.driver} has no {action}")
        add(root, key, action)


def _with_the_host(context: Context) -> None:
    settings = context.settings
    context.autostart = settings.choice("on_xend_start", "ignore", _AT_START) == "start"
    if settings.choice("on_xend_stop", "ignore", _AT_STOP) != "ignore":
        where = settings.where("on_xend_stop")
        context.warn(f"Left out: what becomes of it when its host stops is the host's own setting {where}.")


def _disks(context: Context, devices: Element, made: str) -> None:
    settings = context.settings
    where = settings.where("disk")
    taken: set[str] = set()
    for text in settings.words("disk"):
        disk = disks.parse(text, where)
        target, bus = disks.target(disk, context.xen, made == boot.HVM, where)
        if target in taken:
            raise UsageError(f"Two disks are {target} {where}.")
        taken.add(target)
        if disk.backend and not context.xen:
            raise context.unsupported("disk", f"{context.driver} has no backend domains")
        if target != disk.vdev and not disk.cdrom:
            context.warn(f"The disk {disk.vdev} is {target} here.")
        device = "cdrom" if disk.cdrom else "floppy" if disk.prefix == "fd" else "disk"
        element = add(devices, "disk", type="block" if disk.block else "file", device=device)
        add(element, "driver", type=disk.format)
        if disk.backend:
            add(element, "backenddomain", name=disk.backend)
        if disk.path:
            add(element, "source", **{"dev" if disk.block else "file": disk.path})
        add(element, "target", dev=target, bus=bus)
        if disk.cdrom or disk.access == "r":
            add(element, "readonly")
        elif disk.access == "w!":
            add(element, "shareable")


def _interfaces(context: Context, devices: Element, asked: str, made: str) -> None:
    settings = context.settings
    where = settings.where("vif")
    for vif in [vifs.parse(text, where) for text in _vif_words(context)]:
        if not vif.bridge:
            context.warn(f"An interface names no bridge; it is on {vifs.DEFAULT_BRIDGE}, xl's default.")
        if vif.backend and not context.xen:
            raise context.unsupported("vif", f"{context.driver} has no backend domains")
        model = vif.model
        if not context.xen:
            model = "virtio" if model == "netfront" or (not model and asked != made) else model or "rtl8139"
            if vif.addresses:
                context.warn(f"Left out: an interface's ip {where}.")
        for name in vif.left_out:
            context.warn(f"Left out: an interface's {name} {where}.")
        element = add(devices, "interface", type="bridge")
        if vif.mac:
            add(element, "mac", address=vif.mac)
        add(element, "source", bridge=vif.bridge or vifs.DEFAULT_BRIDGE)
        if vif.backend:
            add(element, "backenddomain", name=vif.backend)
        for address in vif.addresses if context.xen else ():
            add(element, "ip", address=address, family="ipv6" if ":" in address else "ipv4")
        if vif.name:
            add(element, "target", dev=vif.name)
        if model:
            add(element, "model", type=model)
        if vif.mtu:
            add(element, "mtu", size=str(vif.mtu))
        if vif.rate:
            add(add(element, "bandwidth"), "outbound", average=str(vif.rate))


def _vif_words(context: Context) -> list[str]:
    """Return the interfaces; an empty word in the list is one with all defaults, an empty value none."""
    words = context.settings.words("vif")
    missing = context.settings.number("nics", 0) - len(words)
    return words + [""] * min(max(missing, 0), 16)
