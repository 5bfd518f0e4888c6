"""What kind of guest it is, and how it boots: kernel, command line, boot loader, boot order (xm.cfg(5), xl.cfg(5))."""

import posixpath
import re
from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats import disks
from xmand.formats.context import Context, add
from xmand.formats.dialect import XL

PV, HVM, PVH = "pv", "hvm", "pvh"
# `pv` is what xl took before Xen 4.10, as it took every word but hvm.
_BUILDERS = {"linux": PV, "generic": PV, "pv": PV, "hvm": HVM, "pvh": PVH}
_OS_TYPES = {PV: "linux", HVM: "hvm", PVH: "xenpvh"}
_BOOT = {"a": "fd", "c": "hd", "d": "cdrom", "n": "network"}
# Debian's places of Xen's firmware and programs.
_XEN_FIRMWARE = "/usr/lib/xen/boot"
_XEN_UEFI = f"{_XEN_FIRMWARE}/ovmf.bin"
_XEN_PROGRAMS = (
    "/usr/lib/xen/bin",
    "/usr/lib/xen-default/bin",
    "/usr/libexec/xen/bin",
    "/usr/lib/xen-4.17/bin",
    "/usr/bin",
)
# Kernels that no other hypervisor starts, and Xen's own boot loaders.
_XEN_KERNEL = re.compile(r"xen|pv-?grub", re.IGNORECASE)
_XEN_DISK = re.compile(r"(?<![A-Za-z0-9])xvd(?=[a-z])")


def kind(context: Context) -> str:
    """Return the kind of guest that is asked for. Raises UsageError."""
    settings = context.settings
    if settings.has("type"):
        for older in ("builder", "pvh"):  # which xl's newer key stands for
            settings.get(older)
        return settings.choice("type", PV, {PV: PV, HVM: HVM, PVH: PVH})
    if settings.flag("pvh"):
        return PVH
    return settings.choice("builder", "linux", _BUILDERS)


def settle(context: Context, asked: str) -> str:
    """Return the kind of guest that it will be on this host; remember a refusal where there is none."""
    if context.xen or asked == HVM:
        return asked
    settings = context.settings
    loads = boots_its_disk(context)
    key = "bootloader" if settings.has("bootloader") else ""
    key = key or next((key for key in ("kernel", "firmware", "type", "pvh", "builder") if settings.has(key)), "kernel")
    if not context.convert:
        way = "boots its disk itself" if loads else "boots this kernel itself"
        with context.going_on():
            raise context.unsupported(
                key, f"{context.driver} has no {asked.upper()} guests; --convert makes it one that {way}"
            )
    elif loads and not settings.words("disk"):
        with context.going_on():
            raise context.unsupported(
                key,
                f"{context.driver} has no {asked.upper()} guests, and there is neither a kernel nor a disk to boot;"
                " name a kernel, or a disk that has a boot loader on it",
            )
    else:
        way = "boots its disk" if loads else "boots its kernel directly"
        context.warn(f"Converted: the {asked.upper()} guest is an HVM guest that {way}.")
        if loads:
            context.warn("The disk must have a boot loader of its own, such as GRUB, and a kernel for virtio.")
    return HVM


def boots_its_disk(context: Context) -> bool:
    """Whether a guest of Xen's, converted, boots the disk: its kernel is on it, is Xen's own, or is not here."""
    settings = context.settings
    kernel = settings.text("kernel")
    if settings.has("bootloader") or not kernel:
        return True
    if not settings.words("disk"):
        return False
    if _XEN_KERNEL.search(posixpath.basename(kernel)):
        return True
    return context.host.has is not None and not context.host.has(context.located(kernel))


def write(context: Context, root: Element, asked: str, made: str) -> None:
    """Write <os> and what belongs to it. Raises UsageError."""
    settings = context.settings
    if made != HVM and settings.has("bootloader"):
        add(root, "bootloader", _program(context, settings.text("bootloader")))
        arguments = settings.words("bootargs") or settings.words("bootloader_args")
        if arguments:
            add(root, "bootloader_args", " ".join(arguments))
    for key in ("bootloader_args", "bootargs") if made == HVM else ():
        settings.get(key)
    settings.get("bootloader")
    uefi = made == HVM and _uefi(context)
    os = add(root, "os", firmware="efi" if uefi and not context.xen else "")
    add(os, "type", _OS_TYPES[made], machine="xenpvh" if made == PVH else "")
    if uefi and context.xen:
        add(os, "loader", _XEN_UEFI, readonly="yes", type="pflash")
    kernel = _kernel(context, asked, made)
    if kernel:
        with context.going_on():
            add(os, "kernel", disks.absolute(context.located(kernel), "The kernel", settings.where("kernel")))
        ramdisk = context.located(settings.text("ramdisk"))
        if ramdisk:
            with context.going_on():
                add(os, "initrd", disks.absolute(ramdisk, "The ramdisk", settings.where("ramdisk")))
    elif made != HVM and not settings.has("bootloader"):
        raise UsageError(f"A {made.upper()} guest needs a kernel or a bootloader.")
    command_line = _command_line(context)
    if not kernel and made == HVM:
        command_line = ""
        settings.get("ramdisk")
    if asked != made:
        command_line = _converted(context, command_line)
    if command_line:
        add(os, "cmdline", command_line)
    if made == HVM and not kernel:
        _order(context, os, asked)


def _kernel(context: Context, asked: str, made: str) -> str:
    """Return the kernel, where the guest is started from one."""
    settings = context.settings
    kernel = settings.text("kernel") or (settings.text("loader") if asked == HVM else "")
    if asked == HVM and posixpath.basename(kernel) == "hvmloader":
        return ""  # xm named the firmware so; every hypervisor has its own
    if asked != HVM and not kernel and settings.has("firmware"):  # xl: pvgrub32, pvgrub64
        kernel = f"{_XEN_FIRMWARE}/{settings.text('firmware')}.bin"
    if made == HVM and asked != HVM and boots_its_disk(context):
        return ""
    return kernel


def _uefi(context: Context) -> bool:
    """Return whether the guest's firmware is UEFI; xl's `firmware` and `bios` say so, and SeaBIOS is the default."""
    settings = context.settings
    found = False
    for key in ("firmware", "bios"):
        word = settings.text(key)
        # hvmloader loads the firmware, whichever that is; xl's own GRUB would boot a PV guest's disk, as is done here.
        if posixpath.basename(word) in ("hvmloader", "pvgrub32", "pvgrub64"):
            continue
        if word in ("uefi", "ovmf"):
            found = True
        elif word not in ("", "bios", "seabios", "rombios"):
            raise UsageError(
                f"'{word[:64]}' is none of ovmf, seabios, rombios {settings.where(key)}; a firmware of its own a guest"
                " gets by <loader> in libvirt's XML."
            )
    return found


def _program(context: Context, word: str) -> str:
    """Return a boot loader's path: Xen keeps its own programs where only it looks."""
    if "/" in word:
        return disks.absolute(word, "The boot loader", context.settings.where("bootloader"))
    for folder in _XEN_PROGRAMS if context.host.has else ():
        if context.host.has is not None and context.host.has(f"{folder}/{word}"):
            return f"{folder}/{word}"
    return f"/usr/bin/{word}"


def _order(context: Context, os: Element, asked: str) -> None:
    word = context.settings.text("boot") if asked == HVM else ""
    # xl goes on to the CD-ROM where nothing is on the disk.
    word = word or ("cd" if asked == HVM and context.theirs == XL else "c")
    for letter in word:
        if letter not in _BOOT:
            raise UsageError(f"'{word[:16]}' is not an order of a, c, d and n {context.settings.where('boot')}.")
    for letter in dict.fromkeys(word):
        add(os, "boot", dev=_BOOT[letter])


def _command_line(context: Context) -> str:
    """Return the kernel's command line: `cmdline`, or as xend put it together, `ip=`, `root=` and `extra`.

    xl passes over the keys that only say what `ip=` and `nfsroot=` are to be.
    """
    settings = context.settings
    if settings.has("cmdline"):
        return settings.text("cmdline")
    root = settings.text("root")
    if context.theirs == XL:
        return " ".join(filter(None, [f"root={root}" if root else "", settings.text("extra")]))
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
