"""Disks: xm's `phy:vg/root,xvda,w` (xm.cfg(5)) and xl's `/dev/vg/root,raw,xvda,rw` (xl-disk-configuration(5))."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from xman.errors import UnsupportedError, UsageError
from xmand.formats.keyvalues import whole

_PREFIX = re.compile(r"^(phy|file|tap2?|tapdisk|aio|ioemu|drbd|raw|qcow2?|vhd|qed|e?nbd|iscsi|vmdk|blktap2?|npiv):")
_VDEV = re.compile(r"^(?:ioemu:)?(?:/dev/)?(xvd|sd|hd|vd|fd)([a-z]{1,2})([0-9]{0,3})$")
_NUMBERED = re.compile(r"^d([0-9]{1,2})(?:p([0-9]{1,3}))?$")
_NUMBER = re.compile(r"^(?:0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$")
# The names of xm and xl, and libvirt's.
_FORMATS = {
    "": "raw",
    "raw": "raw",
    "aio": "raw",
    "qcow": "qcow",
    "qcow2": "qcow2",
    "vhd": "vhd",
    "qed": "qed",
    "vmdk": "vmdk",
    "tapdisk": "raw",
}
_XL_FORMATS = frozenset(("", "raw", "qcow", "qcow2", "vhd", "qed", "empty"))
_ACCESS = {"": "w", "r": "r", "ro": "r", "w": "w", "rw": "w", "w!": "w!"}
# What holds without being said: of how xl opens the file, of the backend, and of COLO.
_FLAGS = frozenset(("discard", "trusted", "no-colo", "grant_usage=0"))
# The reverse, which libvirt cannot be told.
_UNTOLD = frozenset(("direct-io-safe", "untrusted", "colo", "grant_usage=1"))
_KEEPS = "no-discard"
_DRBD = "drbd:"
_KEYS = frozenset(
    ("target", "format", "vdev", "access", "devtype", "backend", "backendtype", "specification", "script")
)
_LEFT_OUT = frozenset(("colo-host", "colo-port", "colo-export", "active-disk", "hidden-disk"))
_BACKENDS = {"": "", "phy": "phy", "tap": "tap", "qdisk": "qemu", "standalone": ""}
# How virtual devices are attached.
_BUSES = {"xvd": "xen", "sd": "scsi", "hd": "ide", "vd": "virtio", "fd": "fdc"}
# Linux's device numbers, which xl and xm take in place of a name: first, devices, partitions of each.
_MAJORS = (
    (202 << 8, "xvd", 16, 16, 0),
    (3 << 8, "hd", 2, 64, 0),
    (22 << 8, "hd", 2, 64, 2),
    (8 << 8, "sd", 16, 16, 0),
)


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
    # libvirt's name of the backend that was chosen, where one was.
    driver: str = ""
    # What nothing stands for, and what a device number was taken for.
    left_out: tuple[str, ...] = ()
    number: str = ""
    # Whether what the guest discards is kept.
    keeps: bool = False
    # Whether it is DRBD's, by the resource's name.
    drbd: bool = False

    @property
    def vdev(self) -> str:
        """The virtual device's name."""
        return f"{self.prefix}{self.letters}{self.partition}"


def parse(text: str, where: str, located: Callable[[str], str]) -> Disk:
    """Return what a word of `disk = [...]` means, in either syntax. Raises UsageError and UnsupportedError.

    `located` says where a relative path leads.
    """
    fields = [field.strip() for field in text.strip().split(",")]
    second, third = [*fields, "", ""][1:3]
    # Where a device follows, a word that could be one is meant as a format (`vdi`).
    if is_device(second.removesuffix(":cdrom").removesuffix(":disk")) and not is_device(third):
        disk = _xm(fields, second, where)
    else:
        disk = _xl(text.strip(), where)
    disk.path = absolute(located(disk.path), "A disk's", where)
    return disk


def absolute(path: str, what: str, where: str) -> str:
    """Return a path that begins with `/`, as libvirt's schema has it. Raises UsageError."""
    if path and not path.startswith("/"):
        raise UsageError(f"{what} '{path[:64]}' does not begin with '/'; write the absolute path on the host {where}.")
    return path


def target(disk: Disk, xen: bool, hvm: bool, where: str, pv: bool = False) -> tuple[str, str]:
    """Return the names of device and bus under which the guest has the disk: Xen's own disks are virtio elsewhere.

    On Xen a guest that is not HVM has no other bus than Xen's, whatever its disks are called; elsewhere a guest that
    was one (`pv`) has virtio disks.
    """
    prefix = disk.prefix
    if not xen:
        if disk.partition:
            raise UnsupportedError(
                f"'{disk.vdev}' is a partition; this hypervisor has only whole disks: copy the guest's partitions to"
                f" one disk with a partition table, and name that one only {where}."
            )
        if disk.cdrom and prefix in ("xvd", "vd"):
            prefix = "hd"  # virtio has no CD-ROM drives
        elif prefix == "xvd" or (pv and prefix in ("hd", "sd") and not disk.cdrom):
            prefix = "vd"
    elif prefix == "vd":
        prefix = "xvd"
    bus = _BUSES["xvd"] if xen and not hvm else _BUSES[prefix]
    return f"{prefix}{disk.letters}{disk.partition}", bus


def is_device(word: str) -> bool:
    """Whether a word names a virtual device: xvda, d0p1, 51712."""
    return bool(_VDEV.match(word) or _NUMBERED.match(word) or _NUMBER.match(word))


def _xm(fields: list[str], second: str, where: str) -> Disk:
    """uname,dev[:cdrom],mode[,backend[,protocol]]; xl takes its own words behind them as well."""
    device, cdrom = second.removesuffix(":cdrom").removesuffix(":disk"), second.endswith(":cdrom")
    path, block, image_format, driver = _uname(fields[0], where)
    access, backend, left_out, keeps = "", "", [], False
    positional = 0
    if len(fields) < 3:
        raise UsageError(f"A disk of xm's has three or four fields: uname,dev,mode[,backend] {where}.")
    for field in fields[2:]:
        key, equals, value = field.partition("=")
        if field == "cdrom" or field == "devtype=cdrom":
            cdrom = True
        elif field in _FLAGS or field == "devtype=disk":
            continue
        elif field in _UNTOLD:
            left_out.append(field)
        elif field == _KEEPS:
            keeps = True
        elif equals and key in _KEYS:
            access = value if key == "access" else access
            backend = value if key == "backend" else backend
            driver = _backend_type(value, where) if key == "backendtype" else driver
            if key == "script":
                raise _script(where)
        else:
            positional += 1
            if positional == 1:
                access = field
            elif positional == 2:
                backend = field
            elif positional == 3:
                left_out.append("protocol")
            else:
                raise UsageError(f"A disk of xm's has three or four fields: uname,dev,mode[,backend] {where}.")
    if not path and not cdrom:
        raise UsageError(f"Only a CD-ROM drive can be empty {where}.")
    made = _device(device, where)
    disk = Disk(path, block, image_format, *made, _access(access, where), cdrom)
    disk.backend, disk.driver, disk.left_out = _backend(backend), driver, tuple(filter(None, left_out))
    disk.number = device if _NUMBER.match(device) else ""
    disk.keeps, disk.drbd = keeps, fields[0].startswith(_DRBD)
    return disk


def _uname(uname: str, where: str) -> tuple[str, bool, str, str]:
    """Return path, whether it is a block device, format, and backend of a `uname` of xm's."""
    rest, image_format, block, driver = uname, "raw", False, ""
    while match := _PREFIX.match(rest):
        scheme, rest = match[1], rest[match.end() :]
        if scheme in ("iscsi", "nbd", "enbd", "npiv"):
            raise UnsupportedError(
                f"A disk's source of this kind is not supported: '{scheme}:'; attach it on the host, and write"
                f" phy:/dev/... for what it is there {where}."
            )
        if scheme == "drbd":
            return f"/dev/drbd/by-res/{rest}", True, "raw", ""
        if scheme == "phy":
            return (rest if rest.startswith("/") or not rest else f"/dev/{rest}"), True, "raw", ""
        if scheme in _FORMATS:
            image_format = _FORMATS[scheme]
    _require_path(rest, where)
    return rest, block or rest.startswith("/dev/"), image_format, driver


def _require_path(path: str, where: str) -> None:
    """Raise UnsupportedError for what QEMU would look for elsewhere: `rbd:pool/image`, `https://host/x`."""
    kind, colon, _ = path.partition(":")
    if colon and "/" not in kind:
        raise UnsupportedError(
            f"A disk's source of this kind is not supported: '{kind[:32]}:'; write phy:/dev/... or file:/... {where}."
        )


def _xl(text: str, where: str) -> Disk:
    """target,format,vdev,access and key=value in any order; `target=` takes the rest."""
    values: dict[str, str] = {}
    positional = ["target", "format", "vdev", "access"]
    cdrom = keeps = False
    left_out: list[str] = []
    rest = text
    while rest:
        if re.match(r"\s*target=", rest):
            values["target"] = rest.split("=", 1)[1].rstrip(",")
            break
        field, _, rest = (part.strip() for part in rest.partition(","))
        key, equals, value = field.partition("=")
        if field in _FLAGS:
            continue
        if field in _UNTOLD or key in _LEFT_OUT:
            left_out.append(key)
        elif field == _KEEPS:
            keeps = True
        elif field in ("cdrom", "devtype=cdrom"):
            cdrom = True
        elif equals and re.fullmatch(r"[a-z-]+", key):
            _known(key, value, where)
            values[key] = value
        elif left := [name for name in positional if name not in values]:
            # What a key has said already is not expected once more.
            name = left[0]
            positional = left[1:]
            values[name] = field
            if name == "vdev" and field.endswith(":cdrom"):
                cdrom = True
        else:
            raise UsageError(f"A disk has at most four positional values {where}.")
    disk = _of_xl(values, cdrom, where)
    disk.left_out += tuple(left_out)
    disk.keeps, disk.drbd = keeps, values.get("target", "").startswith(_DRBD)
    return disk


def _script(where: str) -> UsageError:
    return UsageError(
        "'script' is refused: it names a program that the host would run; run it there, and write the block device"
        f" that it makes {where}."
    )


def _known(key: str, value: str, where: str) -> None:
    if key == "script":
        raise _script(where)
    if key not in _KEYS:
        raise UsageError(f"'{key[:32]}' is not a key of a disk {where}.")
    if key == "devtype" and value not in ("disk", "cdrom"):
        raise UsageError(f"'{value[:32]}' is neither disk nor cdrom {where}.")
    if key == "specification" and value not in ("xen", "virtio"):
        raise UsageError(f"'{value[:32]}' is neither xen nor virtio {where}.")


def _backend_type(word: str, where: str) -> str:
    if word not in _BACKENDS:
        raise UsageError(f"'{word[:32]}' is none of phy, tap, qdisk {where}.")
    return _BACKENDS[word]


def _of_xl(values: dict[str, str], cdrom: bool, where: str) -> Disk:
    path, block, image_format, driver = values.get("target", ""), False, values.get("format", ""), ""
    if _PREFIX.match(path):  # deprecated, and still taken by xl
        path, block, prefix_format, driver = _uname(path, where)
        image_format = image_format or prefix_format
    _require_path(path, where)
    if image_format not in _XL_FORMATS and image_format not in _FORMATS:
        raise UsageError(
            f"'{image_format[:32]}' is not a format of a disk; an xl disk is target,format,vdev,access, such as"
            f" /dev/vg/x,raw,xvda,rw {where}."
        )
    if image_format == "empty":
        path, image_format = "", "raw"
    if not path and not cdrom:
        raise UsageError(f"A disk needs a target; only a CD-ROM drive can be empty {where}.")
    if "vdev" not in values:
        raise UsageError(f"A disk needs a vdev {where}.")
    driver = _backend_type(values.get("backendtype", ""), where) or driver
    block = block or path.startswith("/dev/") or values.get("backendtype") == "phy"
    access = _access("r" if cdrom else values.get("access", ""), where)
    vdev = values["vdev"].removesuffix(":cdrom").removesuffix(":disk")
    made = _device(vdev, where)
    disk = Disk(path, block, _FORMATS[image_format], *made, access, cdrom)
    if values.get("specification") == "virtio":
        disk.prefix = "vd"
    disk.backend, disk.driver = _backend(values.get("backend", "")), driver
    disk.number = vdev if _NUMBER.match(vdev) else ""
    return disk


def _device(word: str, where: str) -> tuple[str, str, str]:
    """Return prefix, letters and partition of a virtual device; xl's `d0p1` is Xen's own xvda1."""
    match = _VDEV.match(word)
    if match:
        return match[1], match[2], match[3]
    numbered = _NUMBERED.match(word)
    if numbered and int(numbered[1]) < 26:
        partition = int(numbered[2] or 0)
        return "xvd", chr(ord("a") + int(numbered[1])), str(partition) if partition else ""
    number = whole(word) if _NUMBER.match(word) else None
    if number is not None:
        return _by_number(number, word, where)
    raise UsageError(f"'{word[:32]}' is not a virtual device; write xvda, hda, sda or the like {where}.")


def _by_number(number: int, word: str, where: str) -> tuple[str, str, str]:
    """Return the device that Linux's number stands for; small ones are NetBSD's, which counts its disks."""
    for first, prefix, devices, minors, offset in _MAJORS:
        if first <= number < first + devices * minors:
            index, partition = divmod(number - first, minors)
            return prefix, chr(ord("a") + index + offset), str(partition) if partition else ""
    if number <= 26:
        return "xvd", chr(ord("a") + max(number - 1, 0)), ""
    raise UsageError(f"'{word[:32]}' is a device number that no name stands for; write xvda or the like {where}.")


def _access(word: str, where: str) -> str:
    if word not in _ACCESS:
        raise UsageError(f"'{word[:32]}' is none of r, ro, w, rw, w! {where}.")
    return _ACCESS[word]


def _backend(word: str) -> str:
    return "" if word in ("0", "Domain-0") else word
