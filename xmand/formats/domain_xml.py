"""From settled keys to libvirt's description of a domain; which key becomes what follows xm.cfg(5) and xl.cfg(5)."""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from xman import values
from xman.errors import UsageError
from xmand.formats import boot, cpus, devices, graphics, machine, refused, serials, smbios, usb
from xmand.formats.context import Context, add
from xmand.formats.dialect import XL

# xend's own start and stop with the host.
_AT_START = {"ignore": "", "start": "start"}
_AT_STOP = {word: word for word in ("ignore", "shutdown", "suspend")}
_DEFAULT_MEMORY = 128
_MOST_MEMORY = 1 << 30
_BARE_UUID = re.compile(r"^[0-9a-f]{32}$")


def to_xml(context: Context) -> str:
    """Return the description. Raises UsageError and UnsupportedError, with all that is in the way at once."""
    settings = context.settings
    root = Element("domain", {"type": context.domain_type})
    refused.refuse(context)
    if not settings.has("name"):
        raise UsageError("The description has no name; give one in it, or as name=... behind FILE.")
    with context.going_on():
        _identity(context, root)
    with context.going_on():
        _memory(context, root)
    with context.going_on():
        cpus.write(context, root)
    asked = made = boot.PV
    with context.going_on():
        asked = boot.kind(context)
        made = boot.settle(context, asked)
        boot.write(context, root, asked, made)
    with context.going_on():
        smbios.write(context, root, asked)
    with context.going_on():
        machine.features(context, root, made)
    with context.going_on():
        cpus.numa(context, root)
    with context.going_on():
        machine.clock(context, root, asked)
    with context.going_on():
        machine.events(context, root)
    with context.going_on():
        _with_the_host(context)
    found = add(root, "devices")
    with context.going_on():
        devices.write_disks(context, found, asked, made)
    with context.going_on():
        devices.write_interfaces(context, found, asked, made)
    with context.going_on():
        serials.write(context, found, made, asked)
    with context.going_on():
        serials.write_channels(context, found)
    usb.write(context, found)
    graphics.write(context, found, made, asked)
    with context.going_on():
        devices.write_pci(context, found)
    with context.going_on():
        machine.limits(context, found)
    refused.pass_over(context)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _identity(context: Context, root: Element) -> None:
    settings = context.settings
    add(root, "name", settings.text("name"))
    if settings.has("uuid"):
        uuid = settings.text("uuid").strip().lower()
        if _BARE_UUID.match(uuid):
            uuid = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
        if not values.is_uuid(uuid):
            raise UsageError(f"'{uuid[:64]}' is not a UUID {settings.where('uuid')}.")
        add(root, "uuid", uuid)
    if settings.has("description"):
        add(root, "description", settings.text("description"))


def _memory(context: Context, root: Element) -> None:
    settings = context.settings
    usual = settings.number("maxmem", _DEFAULT_MEMORY, 1) if context.theirs == XL else _DEFAULT_MEMORY
    memory = settings.number("memory", usual, 1)
    most = settings.number("maxmem", memory, 1)
    if most < memory:
        raise UsageError(f"The memory of {memory} MiB is more than the maximum {settings.where('maxmem')}.")
    if most > _MOST_MEMORY:
        raise UsageError(f"{most} MiB is more memory than there is {settings.where('memory')}.")
    add(root, "memory", str(most), unit="MiB")
    add(root, "currentMemory", str(memory), unit="MiB")


def _with_the_host(context: Context) -> None:
    settings = context.settings
    context.autostart = settings.choice("on_xend_start", "ignore", _AT_START) == "start"
    if settings.choice("on_xend_stop", "ignore", _AT_STOP) != "ignore":
        context.leave_out(
            f"what becomes of it when its host stops is the host's own setting {settings.where('on_xend_stop')}"
        )
