"""Whose file it is: xm's or xl's. Most keys are both's; the defaults are not (xm.cfg(5), xl.cfg(5))."""

import re

from xmand.formats.keyvalues import Settings

XM, XL = "xm", "xl"
DIALECTS = (XM, XL)

# Keys that only xl reads; xm was gone before most of them came.
_ONLY_XL = re.compile(
    r"""type|cmdline|maxvcpus|cpus_soft|cap|on_watchdog|on_soft_reset|firmware|bios|vga|spice.*|nestedhvm|altp2m.*
    |device_model_.*|stubdomain_.*|ms_vm_genid|usbversion|usbctrl|usbdev|vnuma|pool|seclabel|init_seclabel|mmio_hole
    |acpi_s3|acpi_s4|acpi_laptop_slate|.*_firmware|firmware_override|bios_path_override|hdtype|rdm|e820_host
    |pvshim.*|max_grant_.*|max_maptrack_frames|max_event_channels|vdispl|vkb|vsnd|p9|pvcalls|channel|passthrough
    |pci_permissive|pci_seize|driver_domain|dm_restrict|vendor_device|pvh|claim_mode|vuart|gic_version|iomem""",
    re.VERBOSE,
)
# Its disks: key=value anywhere, or a format in the second place.
_XL_DISK = re.compile(
    r"(?:^|.*,)\s*(?:target|format|vdev|access|devtype|backendtype)=|^[^,]*,\s*(?:raw|qcow2?|vhd|qed)?\s*,"
)


def of(settings: Settings) -> str:
    """Return whose the settled keys are; what both would take is xm's."""
    if any(_ONLY_XL.fullmatch(key) for key in settings.names()):
        return XL
    if isinstance(settings.peek("serial"), list):
        return XL
    disks = settings.peek("disk")
    words = disks if isinstance(disks, list) else [disks]
    if any(isinstance(word, str) and _XL_DISK.match(word.strip()) for word in words):
        return XL
    return XM
