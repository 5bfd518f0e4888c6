"""What is not taken from xm's and xl's words, and what to write instead; and what says nothing.

Programs and hardware of the host: whoever may describe a guest in xm's words shall not choose these along with it
unawares. libvirt's XML has most of them.
"""

import posixpath
import re

from xman.errors import UsageError
from xmand.formats.context import Context
from xmand.formats.keyvalues import Value

_EMULATOR = "<emulator> in libvirt's XML"
_LOADER = "bios = 'ovmf' or 'seabios', or <loader> in libvirt's XML"
_HOSTDEV = "pci = [...] for a whole device, or <hostdev> in libvirt's XML"
_INSTEAD = (
    (re.compile(r"device_model_override|device_model_user|device_model_stubdomain_.*|stubdomain_.*"), _EMULATOR),
    (re.compile(r"device_model_args.*"), "<qemu:commandline> or <xen:commandline> in libvirt's XML"),
    (re.compile(r"firmware_override|bios_path_override|bios_override"), _LOADER),
    (re.compile(r"acpi_firmware|smbios_firmware"), "<acpi><table> or <smbios> in libvirt's XML"),
    (re.compile(r"pvshim_path"), "nothing: Xen finds its own"),
    (re.compile(r"ioports|iomem|irqs?|dtdev|device_tree"), _HOSTDEV),
    (re.compile(r"vscsi|vusb"), "<hostdev> in libvirt's XML"),
    (re.compile(r"p9"), "<filesystem> in libvirt's XML"),
    (re.compile(r"script"), "script= within vif = [...]"),
)
_NOTHING: tuple[Value, ...] = ("", 0, [], "0")

# Keys that are both programs' own business, or whose value here is what happens anyway.
_SAYS_NOTHING: dict[str, frozenset[str]] = {
    "device_model_version": frozenset(("qemu-xen",)),
    "device_model_stubdomain_override": frozenset(("0",)),
    "oos": frozenset(("1",)),
    "vpt_align": frozenset(("1",)),
    "xen_platform_pci": frozenset(("1",)),
    "timer_mode": frozenset(("1", "no_delay_for_missed_ticks")),
    "acpi_s3": frozenset(("0", "1")),
    "acpi_s4": frozenset(("0", "1")),
    "acpi_laptop_slate": frozenset(("0",)),
    "on_watchdog": frozenset(("destroy",)),
    "on_soft_reset": frozenset(("soft-reset",)),
    "nographic": frozenset(("0",)),
    "guest_os_type": frozenset(("default",)),
    "passthrough": frozenset(("disabled", "default")),
    "vendor_device": frozenset(("none",)),
    "ms_vm_genid": frozenset(("none",)),
    "hdtype": frozenset(("ide",)),
    "pool": frozenset(("Pool-0",)),
    "altp2m": frozenset(("disabled",)),
    "s3_integrity": frozenset(("1",)),
    "pci_msitranslate": frozenset(("1",)),
    "claim_mode": frozenset(("1",)),
    "vkb_device": frozenset(("1",)),
    "cpuid_check": frozenset(),
}
# Where 0 is what happens anyway.
_ZERO = frozenset(
    (
        "nomigrate",
        "superpages",
        "vhpt",
        "pci_msitranslate",
        "pci_power_mgmt",
        "pci_permissive",
        "pci_seize",
        "monitor",
        "isa",
        "gfx_passthru",
        "opengl",
        "vncviewer",
        "vncconsole",
        "driver_domain",
        "shadow_memory",
        "suppress_spurious_page_faults",
        "machine_address_size",
        "altp2m",
        "altp2mhvm",
        "usbversion",
        "spice",
        "spiceusbredirection",
        "spicevdagent",
        "spice_clipboard_sharing",
        "dm_restrict",
        "vpmu",
        "xend_suspend_evtchn_compat",
        "pvshim",
        "msr_relaxed",
        "timer_mode",
        "vmtrace_buf_kb",
    )
)


def refuse(context: Context) -> None:
    """Remember a refusal for each key that is not taken at all; one that is empty asks for nothing."""
    settings = context.settings
    for key in settings.names():
        remedy = next((remedy for pattern, remedy in _INSTEAD if pattern.fullmatch(key)), "")
        if not remedy:
            continue
        with context.going_on():
            if settings.peek(key) in _NOTHING or _anyway(key, settings.peek(key)):
                settings.get(key)
                continue
            where = settings.where(key)
            settings.get(key)
            raise UsageError(
                f"'{key}' is refused: it names a program or hardware of the host; instead: {remedy} {where}."
            )
    if settings.text("device_model"):
        where = settings.where("device_model")
        context.leave_out(f"device_model, as xl does: the host's own is used; another is {_EMULATOR} {where}")


def pass_over(context: Context) -> None:
    """Deal with the keys whose value is what happens anyway."""
    settings = context.settings
    for key in settings.names():
        if _anyway(key, settings.peek(key)):
            settings.get(key)


def _anyway(key: str, value: object) -> bool:
    if isinstance(value, list):
        return False
    word = str(value)
    if key == "firmware_override" and posixpath.basename(word) == "hvmloader":
        return True  # every host's own
    return word in _SAYS_NOTHING.get(key, ()) or (word == "0" and key in _ZERO)
