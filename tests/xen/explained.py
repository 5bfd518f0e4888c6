"""In what others may differ from what is made of a configuration here, and why."""

import re
from collections.abc import Callable
from typing import Any

# What libvirt's converters are compared by, beside devices.
TEXTS = (
    "name",
    "os/type",
    "os/kernel",
    "os/initrd",
    "os/cmdline",
    "bootloader",
    "vcpu",
    "on_poweroff",
    "on_reboot",
    "on_crash",
)
_Allowed = Callable[[Any, Any], bool]


def _given(*values: Any) -> _Allowed:
    """Xl says nothing, and libxl is given one of these."""
    return lambda xl, given: xl is None and given in values


def _unsaid(*values: Any) -> _Allowed:
    """Xl says one of these, and libxl is given nothing."""
    return lambda xl, given: given is None and xl in values


def _lost(xl: Any, given: Any) -> bool:
    return xl is not None and given is None


def _always(_xl: Any, _given: Any) -> bool:
    return True


_HVM = r"b_info\.type\.hvm\."
# Fields of libxl's own JSON, what differs in them, and why that is no other meaning.
FIELDS: tuple[tuple[str, _Allowed, str], ...] = (
    (r"c_info\.uuid|nics\[\d+\]\.mac", _always, "made up where the file has none"),
    # What holds where xl says nothing: libvirt says it.
    (r"b_info\.localtime", _given("False"), "the default"),
    (r"b_info\.(acpi|apic)|" + _HVM + "pae", _given("True"), "the default"),
    (r"b_info\.(max_vcpus|avail_vcpus\[0\])", _given(1, 0), "the default, one CPU"),
    (r"b_info\.(max|target)_memkb", _given(131072), "the file has none; xl's least is 32 MiB, xm's default 128"),
    (_HVM + r"(viridian|sdl\.enable)", _given("False"), "the default"),
    (_HVM + r"serial", _given("none"), "the default"),
    (_HVM + r"usb", _given("True"), "a tablet is on USB"),
    (_HVM + r"boot", _given("c", "cd"), "xl's default is the disk, then the CD-ROM"),
    (_HVM + r"vnc\.enable", _given("True", "False"), "xl's default is a screen; with SPICE there is one"),
    (r"(" + _HVM + r"|vfbs\[\d+\]\.)vnc\.listen", _given("127.0.0.1"), "the default"),
    (
        r"(" + _HVM + r"|vfbs\[\d+\]\.)vnc\.findunused",
        _given("True", "False"),
        "libvirt finds the port itself, or has it",
    ),
    (r"nics\[\d+\]\.script", _given("vif-bridge"), "the default"),
    (r"nics\[\d+\]\.bridge", _given("xenbr0"), "the default"),
    (r"nics\[\d+\]\.nictype", _given("vif"), "xm's type=netfront"),
    (r"disks\[\d+\]\.backend", _given("qdisk"), "an image that is not raw has no other"),
    # What xl says of what holds anyway.
    (_HVM + r"(xen_platform_pci|nx)|c_info\.hap", _unsaid("True"), "the default"),
    (_HVM + r"(nographic|vnc\.enable|sdl\..*)|b_info\.nested_hvm", _unsaid("True", "False"), "no screen; no nesting"),
    (_HVM + r"vnc\.passwd|disks\[\d+\]\.pdev_path|b_info\.device_tree", _unsaid(""), "empty"),
    (r"nics\[\d+\]\.nictype", _unsaid("vif_ioemu"), "an HVM guest's default"),
    (r"vfbs\[\d+\]\.(vnc|sdl)\.(enable|opengl)", _unsaid("True", "False"), "what a screen is by its kind"),
    (r"b_info\.sched_params\.weight", _unsaid(256), "the default"),
    (r"disks\[\d+\]\.discard_enable", _unsaid("True"), "the default"),
    # What libvirt's driver gives to libxl, and its writer of xl's files, which is asked here, leaves out.
    (r"b_info\.sched_params\.weight", _lost, "its driver has <shares>"),
    (r"b_info\.vcpu_hard_affinity\[\d+\]\[\d+\]", _given(*range(8)), "xl pins none where the file has no vcpus"),
    (r"b_info\.(vcpu_hard_affinity\[\d+\]\[\d+\]|numa_placement)", _lost, "its driver has <vcpupin>"),
    (_HVM + r"vga\.kind|b_info\.video_memkb", _lost, "its driver has <video>"),
    (_HVM + r"(usbdevice|serial)_list\[\d+\]", _lost, "one of them it writes as no list"),
    (_HVM + r"(usbdevice|serial)", _given("tablet", "mouse", "pty"), "one of them it writes as no list"),
    (_HVM + r"serial", lambda xl, given: xl is None and str(given).startswith("tcp:"), "one of them, as no list"),
    (_HVM + r"soundhw", lambda xl, given: (xl, given) == ("all", "sb16,es1370"), "each by itself"),
    (_HVM + r"soundhw", lambda xl, given: (xl, given) == ("hda", "ich6"), "its driver says hda"),
    (r"(nics|disks)\[\d+\]\.(backend_domname|mtu|discard_enable)", _lost, "its driver has them"),
    (r"nics\[\d+\]\.rate_bytes_per_interval", lambda xl, given: 0.9 < given / xl <= 1, "its driver counts KiB"),
    # What a warning names, since libvirt has nothing for it.
    (r"b_info\.(altp2m|shadow_memkb|device_model_version|disable_migrate|timer_mode)", _lost, "left out"),
    (r"b_info\.(sched_params\.cap|vcpu_soft_affinity\[\d+\]\[\d+\]|cpuid\..*)", _lost, "left out"),
    (_HVM + r"(usbversion|hdtype|spice\.usbredirection)", _lost, "left out"),
    (r"nics\[\d+\]\.gatewaydev|disks\[\d+\]\.direct_io_safe", _lost, "left out"),
    (_HVM + r"(xen_platform_pci|timer_mode|gfx_passthru.*)|c_info\.(ssid_label|pool_name)", _lost, "left out"),
    # What is said otherwise.
    (r"b_info\.bootloader", lambda xl, given: given.endswith(f"/{xl}"), "where that program is"),
    (
        r"disks\[\d+\]\.vdev",
        lambda xl, _given: str(xl).startswith(("0x", "d")) or str(xl).isdecimal(),
        "a number's name",
    ),
    (r"disks\[\d+\]\.pdev_path", lambda xl, given: given in (f"/dev/{xl}", f"/dev/drbd/by-res/{xl}"), "below /dev"),
    (r"disks\[\d+\]\.script", _unsaid("block-drbd"), "a warning says what that script did"),
    (_HVM + r"vnc\.listen", lambda xl, given: (xl, given) == ("", "0.0.0.0"), "every address"),
    (_HVM + r"vnc\.listen", lambda xl, given: str(xl).startswith(f"{given}:"), "the display behind it is by itself"),
    (
        _HVM + r"vnc\.display",
        lambda xl, given: None in (xl, given),
        "the display behind the address, or one that is free",
    ),
)
# Where one file is the reason, and why.
FILES: tuple[tuple[str, str, str], ...] = (
    ("hvm-floppy.cfg", r"disks\[\d+\]\..*", "libvirt's writer leaves out floppies"),
    (
        "pv-bootloader-kernel.cfg",
        r"disks\[\d+\]\..*",
        "libvirt puts disks into the order of their names; a warning says so",
    ),
    ("pvh-old.cfg", r"c_info\.type", "xl has forgotten pvh = 1, with which older ones made such a guest"),
    (
        "strict-serial.cfg",
        r"b_info\.type\.hvm\.usbdevice",
        "QEMU knows no usb-tablet; a warning says that it is left out",
    ),
    (
        "twovnc-hvm.cfg",
        r"(vfbs|vkbs)\[0\]\..*|b_info\.type\.hvm\.keymap",
        "vfb and vnc are one screen, with the password and the keys of vfb",
    ),
    ("viftype.cfg", r"nics\[\d+\]\.model", "type=vif has no emulated card, of which that is the model"),
    ("xen-tools-pygrub.cfg", r"nics\[\d+\]\.ip", "a blank in front of it"),
)
# Of the converters: the file or any, the program or any, what is compared, and why.
CONVERTED: tuple[tuple[str, str, str, str], ...] = (
    (r".*", "xl", "screens", "libvirt's converter has neither xl's default screen nor a screen's password"),
    (r".*", "xm", "screens", "libvirt's converter does not read a password in vfb"),
    (r".*", r"x[lm]", "on_crash", "libvirt's converters have xm's default; xl destroys"),
    (r".*", r"x[lm]", "os/kernel", "hvmloader is Xen's firmware, no kernel"),
    (r".*", r"x[lm]", "bootloader", "where that program is"),
    (r"pvh-old\.cfg", r"x[lm]", "os/type", "pvh = 1 is a key of older ones"),
    (r"hvm-netboot\.cfg", "xl", "interfaces", "type=netfront is xm's; so is what it means"),
    (r"viftype\.cfg", r"x[lm]", "interfaces", "by xl's meaning: type=vif has no emulated card"),
    (r"(pv-read-only|qcow2-tap-xm)\.cfg", "xm", "disks", "an image that is not raw is QEMU's; tapdisk is no more"),
)


def field(name: str, key: str, xl: Any, given: Any) -> bool:
    """Whether a field of libxl's may differ so."""
    if any(re.fullmatch(pattern, key) for file, pattern, _why in FILES if file == name):
        return True
    return any(re.fullmatch(pattern, key) and allowed(xl, given) for pattern, allowed, _why in FIELDS)


def nothing(name: str, said: dict[str, Any]) -> bool:
    """Whether it may be that one of the two has nothing: xm's own files, and what libvirt's writer of xl's garbles."""
    xl, made = said["xl"], said["made"]
    if isinstance(xl, str) and not made.startswith("!"):
        return True  # Python, or xm's own way with disks
    return name in {
        "cpusnot.cfg": "no CPU is left; xl says so as late as at the start",
        "relative.cfg": "libvirt's schema: the way out is named",
        "hvm-viridian.cfg": "its writer has a negative rtc_timeoffset without quotes",
        "qcow2-tap-xm.cfg": "its writer says xvhd",
        "xl-cdrom-keys.cfg": "its writer says xvhd",
    }


def converted(name: str, program: str, key: str, theirs: Any, ours: Any) -> bool:
    """Whether what libvirt's converter has may differ so."""
    if key == "disks" and [_below_dev(disk) for disk in theirs] == ours:
        return True
    if key == "interfaces" and [(bridge or "xenbr0", *rest) for bridge, *rest in theirs] == ours:
        return True
    return any(
        re.fullmatch(file, name) and re.fullmatch(who, program) and what == key for file, who, what, _why in CONVERTED
    )


def _below_dev(disk: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a disk by its whole path: DRBD's resource, or what is below /dev."""
    path, *rest = disk
    if not path or path.startswith("/"):
        return disk
    return (f"/dev/{path}" if "/" in path or path.startswith(("hd", "sd")) else f"/dev/drbd/by-res/{path}", *rest)
