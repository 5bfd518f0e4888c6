"""What a disk image says of itself, read from its first octets: its format, and other files that it leads to.

Source: QEMU, docs/interop/qcow2.txt. Nothing is opened but a regular file or a block device, and nothing that it names.
"""

import os
import stat
import struct
from dataclasses import dataclass

_QCOW = b"QFI\xfb"
# Magic, version, offset of the backing file's name.
_HEAD = struct.Struct(">4sIQ")
_FEATURES_AT = 72
_FEATURES = struct.Struct(">Q")
# Incompatible feature 2: the guest's data are in another file, which the header names.
_EXTERNAL_DATA = 1 << 2
# As many octets tell all of it.
HEAD = _FEATURES_AT + _FEATURES.size
# Magic, three sizes, features; the first one: there is a backing file.
_QED = struct.Struct("<4sIIIQ")
_QED_MAGIC = b"QED\0"
_QED_BACKING = 1
# VMware's: a text that names the files with the data, or an image that names the one it is built upon.
_VMDK_TEXT = b"# Disk DescriptorFile"
_VMDK = b"KDMV"
_VMDK_PARENT = b"parentFileNameHint="
_VERSION_3 = 3
_VERSION_2 = 2


@dataclass(frozen=True)
class Image:
    """`format` is qcow2, or raw: whatever else it may be, its own octets are what the guest gets."""

    format: str
    # Whether opening it opens another file as well.
    leads_on: bool


def probe(path: str) -> Image:
    """Return what the file is. Raises OSError, ValueError where it is neither a file nor a block device."""
    # Not a FIFO that nobody writes into, and not what a link points to: the caller has resolved those.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise ValueError("it is neither a file nor a block device")
        octets = os.read(descriptor, HEAD)
    finally:
        os.close(descriptor)
    return of_octets(octets)


def of_octets(octets: bytes) -> Image:
    """Return what an image with these first octets is."""
    if len(octets) < _HEAD.size:
        return Image("raw", False)
    magic, version, backing_at = _HEAD.unpack_from(octets)
    if magic != _QCOW:
        return Image("raw", False)
    if version < _VERSION_2:  # qcow, the first one; nobody makes these any more, and their backing files are the same
        return Image("raw", False)
    features = 0
    if version >= _VERSION_3 and len(octets) >= HEAD:
        (features,) = _FEATURES.unpack_from(octets, _FEATURES_AT)
    return Image("qcow2", bool(backing_at) or bool(features & _EXTERNAL_DATA))


def needs_another(octets: bytes) -> bool:
    """Whether an image with these first octets is none without another file, whatever program it is an image for.

    A guest is given nothing but qcow2 and raw; another program may know more (QEMU, docs/interop/qed_spec.rst).
    """
    if of_octets(octets).leads_on or octets.startswith(_VMDK_TEXT):
        return True
    if octets.startswith(_VMDK):
        return _VMDK_PARENT in octets
    if len(octets) >= _QED.size and octets.startswith(_QED_MAGIC):
        return bool(_QED.unpack_from(octets)[-1] & _QED_BACKING)
    return octets.startswith(_QCOW) and len(octets) >= _HEAD.size and bool(_HEAD.unpack_from(octets)[2])
