"""libvirt's XML for a machine that a person describes by a form. Pure."""

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from xman import values
from xman.errors import UsageError

FIELDS = ("name", "memory", "vcpus", "disk", "network", "medium")
NEEDED = ("name", "memory", "vcpus")


def write(given: Mapping[str, str]) -> tuple[str, str]:
    """Return (the description, the field that is wrong or missing): a machine of QEMU's, with console and screen."""
    said = {field: given.get(field, "").strip() for field in FIELDS}
    for field in FIELDS:
        if (field in NEEDED and not said[field]) or not said[field].isprintable():
            return "", field
    try:
        memory = values.memory(said["memory"]) // 1024
    except UsageError:
        return "", "memory"
    try:
        vcpus = values.count(said["vcpus"])
    except UsageError:
        return "", "vcpus"
    for field in ("disk", "medium"):
        if said[field] and not said[field].startswith("/"):
            return "", field
    lines = [
        f"<domain type='{'kvm' if given.get('kvm') else 'qemu'}'>",
        f"  <name>{escape(said['name'])}</name>",
        f"  <memory unit='KiB'>{memory}</memory>",
        f"  <vcpu>{vcpus}</vcpu>",
        "  <os>",
        "    <type>hvm</type>",
        *(["    <boot dev='cdrom'/>"] if said["medium"] else []),
        "    <boot dev='hd'/>",
        "  </os>",
        "  <features><acpi/><apic/></features>",
        "  <devices>",
        *_disk(said["disk"]),
        *_medium(said["medium"]),
        *_network(said["network"]),
        "    <console type='pty'/>",
        "    <graphics type='vnc'/>",
        "  </devices>",
        "</domain>",
    ]
    return "\n".join(lines) + "\n", ""


def _disk(path: str) -> list[str]:
    if not path:
        return []
    kind = "qcow2" if path.endswith(".qcow2") else "raw"
    return [
        "    <disk type='file' device='disk'>",
        f"      <driver name='qemu' type='{kind}'/>",
        f"      <source file={quoteattr(path)}/>",
        "      <target dev='vda' bus='virtio'/>",
        "    </disk>",
    ]


def _medium(path: str) -> list[str]:
    if not path:
        return []
    return [
        "    <disk type='file' device='cdrom'>",
        "      <driver name='qemu' type='raw'/>",
        f"      <source file={quoteattr(path)}/>",
        "      <target dev='sda' bus='sata'/>",
        "      <readonly/>",
        "    </disk>",
    ]


def _network(name: str) -> list[str]:
    if not name:
        return []
    return [
        "    <interface type='network'>",
        f"      <source network={quoteattr(name)}/>",
        "      <model type='virtio'/>",
        "    </interface>",
    ]
