"""What kind of guest it is, and how it boots: kernel, command line, boot loader, boot order (xm.cfg(5), xl.cfg(5))."""

import posixpath
import re
from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats.context import Context, add

PV, HVM, PVH = "pv", "hvm", "pvh"
_BUILDERS = {"linux": PV, "generic": PV, "hvm": HVM, "pvh": PVH}
_OS_TYPES = {PV: "linux", HVM: "hvm", PVH: "xenpvh"}
_BOOT = {"a": "fd", "c": "hd", "d": "cdrom", "n": "network"}
_XEN_DISK = re.compile(r"(?<![A-Za-z0-9])xvd(?=[a-z])")


def kind(context: Context) -> str:
    """Return the kind of guest that is asked for. Raises UsageError."""
    settings = context.settings
    if settings.has("type"):
        return settings.choice("type", PV, {PV: PV, HVM: HVM, PVH: PVH})
    if settings.flag("pvh"):
        return PVH
    return settings.choice("builder", "linux", _BUILDERS)


def settle(context: Context, asked: str) -> str:
    """Return the kind of guest that it will be on this host. Raises UnsupportedError where there is none."""
    if context.xen or asked == HVM:
        return asked
    settings = context.settings
    if settings.has("bootloader"):
        raise context.unsupported("bootloader", f"{context.driver} has no boot loader for Xen's guests")
    key = next((key for key in ("kernel", "type", "pvh", "builder") if settings.has(key)), "kernel")
    if not settings.has("kernel"):
        raise context.unsupported(
            key, f"{context.driver} has no {asked.upper()} guests, and there is no kernel to convert"
        )
    if not context.convert:
        raise context.unsupported(
            key, f"{context.driver} has no {asked.upper()} guests; --convert makes it one that boots this kernel itself"
        )
    context.warn(f"Converted: the {asked.upper()} guest is an HVM guest that boots its kernel directly.")
    return HVM


def write(context: Context, root: Element, asked: str, made: str) -> None:
    """Write <os> and what belongs to it. Raises UsageError."""
    settings = context.settings
    if made != HVM and settings.has("bootloader"):
        add(root, "bootloader", settings.text("bootloader"))
        arguments = settings.text("bootargs") or settings.text("bootloader_args")
        if arguments:
            add(root, "bootloader_args", arguments)
    os = add(root, "os")
    add(os, "type", _OS_TYPES[made], machine="xenpvh" if made == PVH else "")
    kernel = settings.text("kernel")
    if asked == HVM and posixpath.basename(kernel) == "hvmloader":
        kernel = ""  # xm named the firmware so; every hypervisor has its own
    if kernel:
        add(os, "kernel", kernel)
        if settings.has("ramdisk"):
            add(os, "initrd", settings.text("ramdisk"))
    elif made != HVM and not settings.has("bootloader"):
        raise UsageError(f"A {made.upper()} guest needs a kernel or a bootloader.")
    command_line = _command_line(context) if kernel or made != HVM else ""
    if asked != made:
        command_line = _converted(context, command_line)
    if command_line:
        add(os, "cmdline", command_line)
    if made == HVM and not kernel:
        _order(context, os)


def _order(context: Context, os: Element) -> None:
    word = context.settings.text("boot") or "c"
    for letter in word:
        if letter not in _BOOT:
            raise UsageError(f"'{word[:16]}' is no order of a, c, d and n {context.settings.where('boot')}.")
    for letter in dict.fromkeys(word):
        add(os, "boot", dev=_BOOT[letter])


def _command_line(context: Context) -> str:
    """Return the kernel's command line: `cmdline`, or as xend put it together, `ip=`, `root=` and `extra`."""
    settings = context.settings
    if settings.has("cmdline"):
        return settings.text("cmdline")
    root = settings.text("root")
    parts = [_ip(context)]
    if settings.has("nfs_root"):
        root = root or "/dev/nfs"
        parts.append(f"nfsroot={settings.text('nfs_server')}:{settings.text('nfs_root')}")
    parts += [f"root={root}" if root else "", settings.text("extra")]
    return " ".join(filter(None, parts))


def _ip(context: Context) -> str:
    settings = context.settings
    given = settings.text("cmdline_ip")  # xend's own form, in SXP
    if given:
        return given if given.startswith("ip=") else f"ip={given}"
    dhcp = settings.text("dhcp") not in ("", "0", "off", "no")
    names = ("ip", "nfs_server", "gateway", "netmask", "hostname")
    words = [settings.text(name) for name in names]
    if not words[0] and not dhcp:
        return ""
    return "ip=" + ":".join([*words, "eth0", "dhcp" if dhcp else "off"])


def _converted(context: Context, text: str) -> str:
    """Return a command line without Xen's own names of console and disks."""
    found = text.replace("console=hvc0", "console=ttyS0").replace("console=xvc0", "console=ttyS0")
    if found != text:
        context.warn("Converted: the kernel's console is ttyS0.")
    renamed = _XEN_DISK.sub("vd", found)
    if renamed != found:
        context.warn("Converted: the disks xvd... are vd... on the kernel's command line; see that /etc/fstab agrees.")
    return renamed
