"""What the guest reads of its machine: `smbios = ["system_manufacturer=Example", "oem=..."]` (xl.cfg(5))."""

from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats.boot import HVM
from xmand.formats.context import Context, add

# By xl's words: libvirt's element, and the name of its entry.
_ENTRIES = {
    "bios_vendor": ("bios", "vendor"),
    "bios_version": ("bios", "version"),
    "system_manufacturer": ("system", "manufacturer"),
    "system_product_name": ("system", "product"),
    "system_version": ("system", "version"),
    "system_serial_number": ("system", "serial"),
    "baseboard_manufacturer": ("baseBoard", "manufacturer"),
    "baseboard_product_name": ("baseBoard", "product"),
    "baseboard_version": ("baseBoard", "version"),
    "baseboard_serial_number": ("baseBoard", "serial"),
    "baseboard_asset_tag": ("baseBoard", "asset"),
    "baseboard_location_in_chassis": ("baseBoard", "location"),
    "enclosure_manufacturer": ("chassis", "manufacturer"),
    "enclosure_serial_number": ("chassis", "serial"),
    "enclosure_asset_tag": ("chassis", "asset"),
}
# libvirt has no battery.
_UNTOLD = ("battery_manufacturer", "battery_device_name")
_OEM = "oem"


def write(context: Context, root: Element, asked: str) -> None:
    """Write <sysinfo>, and in <os> that the guest is to see it. Raises UsageError."""
    settings = context.settings
    if not settings.has("smbios"):
        return
    where = settings.where("smbios")
    words = settings.words("smbios")
    if asked != HVM:
        context.leave_out(f"SMBIOS, as xl does: only HVM guests have it {where}")
        return
    if context.xen:
        context.leave_out(f"the guest's SMBIOS, which libvirt's driver for Xen does not set {where}")
        return
    found: dict[str, Element] = {}
    for word in words:
        key, equals, value = (part.strip() for part in word.partition("="))
        if not equals or key not in (*_ENTRIES, *_UNTOLD, _OEM):
            raise UsageError(f"'{key[:32]}' is no key of SMBIOS {where}.")
        if key in _UNTOLD:
            context.leave_out(f"SMBIOS's {key} {where}")
            continue
        tag, name = _ENTRIES.get(key, ("oemStrings", ""))
        holder = found.setdefault(tag, Element(tag))
        for former in holder.iterfind(f"entry[@name='{name}']") if name else ():
            holder.remove(former)  # the last one holds
        add(holder, "entry", value, name=name)
    if found:
        add(root, "sysinfo", type="smbios").extend(found[tag] for tag in _order(found))
        os = root.find("os")
        add(root if os is None else os, "smbios", mode="sysinfo")


def _order(found: dict[str, Element]) -> list[str]:
    return [tag for tag in ("bios", "system", "baseBoard", "chassis", "oemStrings") if tag in found]
