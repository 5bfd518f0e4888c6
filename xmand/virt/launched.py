"""The machine that `launch` makes of an image, as libvirt's XML: nothing in it is of its owner's choice but sizes."""

import hashlib
from dataclasses import dataclass

from lxml import etree

from xman.metadata import Metadata
from xmand.virt import kvm, metadata
from xmand.virt.binding import RawConnection
from xmand.virt.description import Description
from xmand.virt.errors import reading

# The drive is virtio's, as the disk is: kernels made for clouds know no other controllers (Debian's has no AHCI).
_DEVICES = """\
<devices>
  <disk type='file' device='disk'>
    <driver name='qemu' type='qcow2' discard='unmap'/><source/><target dev='vda' bus='virtio'/>
  </disk>
  <disk type='file' device='cdrom'>
    <driver name='qemu' type='raw'/><source/><target dev='sda' bus='scsi'/><readonly/>
  </disk>
  <controller type='scsi' model='virtio-scsi'/>
  <serial type='pty'/>
  <console type='pty'/>
  <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  <graphics type='vnc'><listen type='none'/></graphics>
  <video><model type='vga'/></video>
  <memballoon model='virtio'/>
  <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
</devices>"""
# QEMU's machine where an image may boot from disks as they have been for long; elsewhere libvirt knows what is usual.
_MACHINES = {"x86_64": "q35"}


@dataclass(frozen=True)
class Machine:
    """What one is to be: `memory` in octets; `disk` and `seed` are paths; without a `network` it has no card."""

    name: str
    uuid: str
    memory: int
    vcpus: int
    disk: str
    seed: str
    network: str
    firmware: str
    metadata: Metadata


def mac(uuid: str) -> str:
    """Return the address of a machine's card: its own for good, and of those that nobody sells."""
    digest = hashlib.sha256(f"xman {uuid}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def described(machine: Machine, arch: str, kind: str) -> Description:
    """Return the description for the host's architecture; `kind` is qemu or kvm."""
    root = etree.Element("domain", type=kind)
    for name, text in (("name", machine.name), ("uuid", machine.uuid)):
        etree.SubElement(root, name).text = text
    etree.SubElement(root, "memory", unit="b").text = str(machine.memory)
    etree.SubElement(root, "vcpu").text = str(machine.vcpus)
    kept = etree.SubElement(root, "metadata")
    kept.append(metadata.element(machine.metadata))
    system = etree.SubElement(root, "os")
    if machine.firmware:
        system.set("firmware", machine.firmware)
    kernel = etree.SubElement(system, "type", arch=arch)
    kernel.text = "hvm"
    if arch in _MACHINES:
        kernel.set("machine", _MACHINES[arch])
    etree.SubElement(system, "boot", dev="hd")
    features = etree.SubElement(root, "features")
    etree.SubElement(features, "acpi")
    if kind == "kvm":
        etree.SubElement(root, "cpu", mode="host-model")
    devices = etree.fromstring(_DEVICES)
    root.append(devices)
    for source, path in zip(devices.iterfind("disk/source"), (machine.disk, machine.seed), strict=True):
        source.set("file", path)
    if machine.network:
        card = etree.SubElement(devices, "interface", type="network")
        etree.SubElement(card, "mac", address=mac(machine.uuid))
        etree.SubElement(card, "source", network=machine.network)
        etree.SubElement(card, "model", type="virtio")
    return Description(machine.name, machine.uuid, etree.tostring(root, encoding="unicode"))


def host_kind(connection: RawConnection, wanted: bool) -> tuple[str, str]:
    """Return the host's architecture, and kvm where that is `wanted` and can be had, else qemu.

    Raises HypervisorError.
    """
    with reading():
        capabilities = etree.fromstring(str(connection.getCapabilities()).encode())
    return str(capabilities.findtext("host/cpu/arch")), "kvm" if wanted and not kvm.why_not(connection) else "qemu"
