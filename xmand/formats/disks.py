"""Disks: xm's `phy:vg/root,xvda,w` (xm.cfg(5)) and xl's `/dev/vg/root,raw,xvda,rw` (xl-disk-configuration(5))."""

import re
from dataclasses import dataclass

from xman.errors import UnsupportedError, UsageError

_PREFIX = re.compile(r"^(phy|file|tap2?|drbd|raw|nbd|iscsi|vmdk|blktap2?|npiv|e?nbd):")
_VDEV = re.compile(r"^(?:ioemu:)?(?:/dev/)?(xvd|sd|hd|vd|fd)([a-z]{1,2})([0-9]{0,3})$")
_NUMBERED = re.compile(r"^d([0-9]{1,2})(?:p([0-9]{1,3}))?$")
# The names of xm and xl, and libvirt's.
_FORMATS = {
    "": "raw",
    "raw": "raw",
    "aio": "raw",
    "qcow": "qcow",
    "qcow2": "qcow2",
    "vhd": "vpc",
    "qed": "qed",
    "vmdk": "vmdk",
    "tapdisk": "raw",
}
_XL_FORMATS = frozenset(("", "raw", "qcow", "qcow2", "vhd", "qed", "empty"))
_ACCESS = {"": "w", "r": "r", "ro": "r", "w": "w", "rw": "w", "w!": "w!"}
# Said by xl of how it opens the file; nothing depends on it here.
_FLAGS = frozenset(("discard", "no-discard", "direct-io-safe"))
# How virtual devices are attached.
_BUSES = {"xvd": "xen", "sd": "scsi", "hd": "ide", "vd": "virtio", "fd": "fdc"}


@dataclass
class Disk:
    """One disk."""

    path: str
    block: bool
    format: str
    prefix: str
    letters: str
    partition: str
    access: str
    cdrom: bool
    backend: str = ""

    @property
    def vdev(self) -> str:
        """The virtual device's name."""
        return f"{self.prefix}{self.letters}{self.partition}"


def parse(text: str, where: str) -> Disk:
    """Return what a word of `disk = [...]` means, in either syntax. Raises UsageError and UnsupportedError."""
    fields = [field.strip() for field in text.strip().split(",")]
    second = fields[1] if len(fields) > 1 else ""
    device = second.removesuffix(":cdrom").removesuffix(":disk")
    if _VDEV.match(device) or _NUMBERED.match(device):
        return _xm(fields, device, second.endswith(":cdrom"), where)
    return _xl(text.strip(), where)


def target(disk: Disk, xen: bool, hvm: bool, where: str) -> tuple[str, str]:
    """Return the names of device and bus under which the guest has the disk: Xen's own disks are virtio elsewhere.

    On Xen a guest that is not HVM has no other bus than Xen's, whatever its disks are called.
    """
    prefix = disk.prefix
    if not xen:
        if disk.partition:
            raise UnsupportedError(f"'{disk.vdev}' is a partition; this hypervisor has whole disks only {where}.")
        if prefix == "xvd":
            prefix = "hd" if disk.cdrom else "vd"  # virtio has no CD-ROM drives
    elif prefix == "vd":
        prefix = "xvd"
    bus = _BUSES["xvd"] if xen and not hvm else _BUSES[prefix]
    return f"{prefix}{disk.letters}{disk.partition}", bus


def _xm(fields: list[str], device: str, cdrom: bool, where: str) -> Disk:
    """uname,dev[:cdrom],mode[,backend]"""
    if len(fields) not in (3, 4, 5):
        raise UsageError(f"A disk of xm's has three or four fields: uname,dev,mode[,backend] {where}.")
    path, block, format = _uname(fields[0], where)
    if not path and not cdrom:
        raise UsageError(f"Only a CD-ROM drive can be empty {where}.")
    backend = fields[3] if len(fields) > 3 else ""
    return Disk(path, block, format, *_device(device, where), _access(fields[2], where), cdrom, _backend(backend))


def _uname(uname: str, where: str) -> tuple[str, bool, str]:
    """Return path, whether it is a block device, and format of a `uname` of xm's."""
    scheme, colon, rest = uname.partition(":")
    if not uname:
        return "", False, "raw"
    if not colon or uname.startswith("/"):
        return uname, uname.startswith("/dev/"), "raw"
    if scheme == "phy":
        return rest if rest.startswith("/") else f"/dev/{rest}", True, "raw"
    if scheme == "drbd":
        return f"/dev/drbd/by-res/{rest}", True, "raw"
    if scheme in ("file", "raw"):
        return rest, False, "raw"
    if scheme in ("tap", "tap2", "blktap", "blktap2"):
        kind, _, path = rest.removeprefix("tapdisk:").partition(":")
        if kind in _FORMATS and path:
            return path, path.startswith("/dev/"), _FORMATS[kind]
    raise UnsupportedError(f"A disk's source of this kind is not supported: '{scheme[:32]}:' {where}.")


def _xl(text: str, where: str) -> Disk:
    """target,format,vdev,access and key=value in any order; `target=` takes the rest."""
    values: dict[str, str] = {}
    positional = ["target", "format", "vdev", "access"]
    cdrom = False
    rest = text
    while rest:
        if re.match(r"\s*target=", rest):
            values["target"] = rest.split("=", 1)[1]
            break
        field, _, rest = (part.strip() for part in rest.partition(","))
        key, equals, value = field.partition("=")
        if equals and re.fullmatch(r"[a-z-]+", key):
            cdrom = cdrom or (key, value) == ("devtype", "cdrom")
            _known(key, where)
            values[key] = value
        elif field == "cdrom" or field in _FLAGS:
            cdrom = cdrom or field == "cdrom"
        elif positional:
            values[positional.pop(0)] = field
        else:
            raise UsageError(f"A disk has at most four positional values {where}.")
    return _of_xl(values, cdrom, where)


def _known(key: str, where: str) -> None:
    if key == "script":
        raise UsageError(f"'script' is not taken: it names a program that the host would run {where}.")
    if key not in ("target", "format", "vdev", "access", "devtype", "backend", "backendtype"):
        raise UsageError(f"'{key[:32]}' is no key of a disk {where}.")


def _of_xl(values: dict[str, str], cdrom: bool, where: str) -> Disk:
    path, block, format = values.get("target", ""), False, values.get("format", "")
    if _PREFIX.match(path):  # deprecated, and still taken by xl
        path, block, prefix_format = _uname(path, where)
        format = format or prefix_format
    if format not in _XL_FORMATS and format not in _FORMATS:
        raise UsageError(f"'{format[:32]}' is no format of a disk {where}.")
    if format == "empty":
        path, format = "", "raw"
    if not path and not cdrom:
        raise UsageError(f"A disk needs a target; only a CD-ROM drive can be empty {where}.")
    if "vdev" not in values:
        raise UsageError(f"A disk needs a vdev {where}.")
    block = block or path.startswith("/dev/") or values.get("backendtype") == "phy"
    access = _access("r" if cdrom else values.get("access", ""), where)
    device = _device(values["vdev"], where)
    return Disk(path, block, _FORMATS[format], *device, access, cdrom, _backend(values.get("backend", "")))


def _device(word: str, where: str) -> tuple[str, str, str]:
    """Return prefix, letters and partition of a virtual device; xl's `d0p1` is Xen's own xvda1."""
    match = _VDEV.match(word)
    if match:
        return match[1], match[2], match[3]
    numbered = _NUMBERED.match(word)
    if numbered and int(numbered[1]) < 26:
        partition = int(numbered[2] or 0)
        return "xvd", chr(ord("a") + int(numbered[1])), str(partition) if partition else ""
    raise UsageError(f"'{word[:32]}' is no virtual device {where}.")


def _access(word: str, where: str) -> str:
    if word not in _ACCESS:
        raise UsageError(f"'{word[:32]}' is none of r, ro, w, rw, w! {where}.")
    return _ACCESS[word]


def _backend(word: str) -> str:
    return "" if word in ("0", "Domain-0") else word
