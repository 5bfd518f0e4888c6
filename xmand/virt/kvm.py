"""Whether QEMU's guests can have the processor's own virtualization on this host."""

import errno
import os
import pwd
import stat
from pathlib import Path

from lxml import etree

from xmand.virt.binding import RawConnection
from xmand.virt.errors import reading

DEVICE = Path("/dev/kvm")


def why_not(connection: RawConnection) -> str:
    """Return why a guest of the host's own architecture has to be emulated; empty where KVM can be had.

    libvirtd asks QEMU as root, and offers KVM where the user whom guests run as may not open the device: every start
    fails then. Raises HypervisorError.
    """
    with reading():
        capabilities = etree.fromstring(str(connection.getCapabilities()).encode())
    machine = capabilities.findtext("host/cpu/arch")
    offered = {
        (arch.get("name"), domain.get("type")) for arch in capabilities.iter("arch") for domain in arch.iter("domain")
    }
    if (machine, "kvm") not in offered:
        return "This host has no KVM; the guest is emulated."
    if not _answers():
        return f"The guest is emulated: {DEVICE} exists, but does not work."
    owner = _owner_of_guests(capabilities)
    if owner is not None and not _may_open(*owner):
        return f"The guest is emulated: the user whom QEMU runs as ({owner[0]}) may not open {DEVICE}."
    return ""


def _answers() -> bool:
    """Whether the device is more than a name: the kernel's part may be missing, as in a container."""
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return error.errno not in (errno.ENODEV, errno.ENXIO)
    return True


def _owner_of_guests(capabilities: etree._Element) -> tuple[int, int] | None:
    """Return (user, group) of the guests' processes; None where libvirt does not tell."""
    for model in capabilities.iterfind("host/secmodel"):
        label = model.findtext("baselabel[@type='kvm']", "")
        user, _, group = label.replace("+", "").partition(":")
        if model.findtext("model") == "dac" and user.isdecimal() and group.isdecimal():
            return int(user), int(group)
    return None


def _may_open(user: int, group: int) -> bool:
    """Whether the modes of the device let that user read and write it, by its groups of the user database as well."""
    try:
        device = DEVICE.stat()
    except FileNotFoundError:
        # Our own unit shows us no devices (PrivateDevices); libvirt sees them, and offers it.
        return True
    except OSError:
        return False
    if user == 0:
        return True
    try:
        groups = os.getgrouplist(pwd.getpwuid(user).pw_name, group)
    except KeyError:
        groups = [group]
    if device.st_uid == user:
        wanted = stat.S_IRUSR | stat.S_IWUSR
    elif device.st_gid in groups:
        wanted = stat.S_IRGRP | stat.S_IWGRP
    else:
        wanted = stat.S_IROTH | stat.S_IWOTH
    return device.st_mode & wanted == wanted
