"""Which elements and attributes a description may have that is somebody's who is not on the list: one table. Pure."""

import re
from collections.abc import Iterator, Mapping

from lxml import etree

_MOST_WORD = 200
# The attributes that are paths, each looked at by itself.
_PATHS = {
    "domain/devices/disk/source": ("file", "dev"),
    "domain/devices/filesystem/source": ("dir",),
    "domain/devices/filesystem/target": ("dir",),
}
# What every other attribute is made of: libvirt makes paths of some (a channel's name), and QEMU of others (a keymap).
_WORD = re.compile(r"[A-Za-z0-9_.:+-]*")
# Those that are words in their own right: names that are looked up, and a password.
_FREE = {
    "domain/devices/disk/source": ("pool", "volume"),
    "domain/devices/interface/source": ("network", "bridge"),
    "domain/devices/graphics": ("passwd",),
    "domain/os/initenv": ("name",),
}
_TIME_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
# What may stand there more than once; of everything else libvirt may take another one than we looked at.
_SEVERAL = frozenset(
    (
        *("boot", "entry", "initarg", "initenv", "uid", "gid", "timer", "feature", "listen"),
        *("disk", "interface", "console", "serial", "channel", "graphics", "video", "input", "sound", "rng"),
        *("panic", "controller", "filesystem", "watchdog"),
    )
)

_Values = frozenset[str] | None  # None: any
_Node = tuple[Mapping[str, _Values], Mapping[str, "_Node"]]


def _any(*names: str) -> dict[str, _Values]:
    return dict.fromkeys(names)


def _of(**values: str) -> dict[str, _Values]:
    """Return attributes with the words that each may have."""
    return {name: frozenset(words.split()) for name, words in values.items()}


_TEXT: _Node = ({}, {})
_ADDRESS: _Node = (
    _any("type", "domain", "bus", "slot", "function", "multifunction", "controller", "target", "unit", "port")
    | _any("iobase", "irq"),
    {},
)
_BOOT: _Node = (_any("order"), {})
_SWITCH: _Node = (_any("state"), {})
_DEVICE: dict[str, _Node] = {"address": _ADDRESS}
_TERMINAL: _Node = (
    _of(type="pty"),
    {"target": (_any("type", "port"), {"model": (_any("name"), {})}), **_DEVICE},
)

_DISK: _Node = (
    _of(type="file block volume", device="disk cdrom floppy"),
    {
        "driver": (_of(name="qemu phy tap2 file") | _any("type", "cache", "io", "discard", "detect_zeroes"), {}),
        "source": (_any("file", "dev", "pool", "volume"), {}),
        "target": (_any("dev", "bus", "tray", "removable"), {}),
        "backingStore": _TEXT,
        "readonly": _TEXT,
        "serial": _TEXT,
        "boot": _BOOT,
        **_DEVICE,
    },
)
_INTERFACE: _Node = (
    _of(type="network bridge"),
    {
        "mac": (_any("address"), {}),
        "source": (_any("network", "bridge"), {}),
        "model": (_any("type"), {}),
        "link": _SWITCH,
        "boot": _BOOT,
        **_DEVICE,
    },
)
_GRAPHICS: _Node = (
    _of(type="vnc spice")
    | dict.fromkeys(["port", "tlsPort", "autoport", "passwd", "passwdValidTo", "keymap", "listen", "defaultMode"]),
    {"listen": (_of(type="address none") | _any("address"), {})},
)
_DEVICES: dict[str, _Node] = {
    "disk": _DISK,
    "interface": _INTERFACE,
    "console": _TERMINAL,
    "serial": _TERMINAL,
    "channel": (_of(type="unix spicevmc"), {"target": (_of(type="virtio") | _any("name"), {}), **_DEVICE}),
    "graphics": _GRAPHICS,
    "video": (
        {},
        {
            "model": (_any("type", "vram", "vram64", "ram", "vgamem", "heads", "primary"), {}),
            **_DEVICE,
        },
    ),
    "input": (_of(type="mouse tablet keyboard") | _any("bus", "model"), _DEVICE),
    "sound": (_any("model"), _DEVICE),
    "memballoon": (_any("model", "autodeflate", "freePageReporting"), _DEVICE),
    "watchdog": (_any("model") | _of(action="reset shutdown poweroff pause none"), _DEVICE),
    "rng": (
        _any("model"),
        {"rate": (_any("bytes", "period"), {}), "backend": (_of(model="random"), {}), **_DEVICE},
    ),
    "panic": (_any("model"), _DEVICE),
    "controller": (_any("type", "index", "model", "ports", "vectors"), _DEVICE),
    "filesystem": (
        _of(type="mount"),
        {"source": (_any("dir"), {}), "target": (_any("dir"), {}), "readonly": _TEXT},
    ),
}
_TIMER: _Node = (_any("name", "tickpolicy", "present", "mode", "frequency", "track"), {})
_HYPERV = "relaxed vapic spinlocks vpindex runtime synic stimer reset frequencies reenlightenment tlbflush ipi evmcs"
_FEATURES: dict[str, _Node] = {
    **dict.fromkeys(("acpi", "pae", "privnet"), _TEXT),
    **dict.fromkeys(("hap", "viridian", "vmport", "pmu"), _SWITCH),
    "apic": (_any("eoi"), {}),
    "kvm": ({}, {"hidden": _SWITCH}),
    "hyperv": (_any("mode"), dict.fromkeys(_HYPERV.split(), (_any("state", "retries"), {}))),
}
_TABLE: _Node = ({}, {"entry": (_any("name"), {})})
_IDS: _Node = (_any("start", "target", "count"), {})
_DOMAIN: _Node = (
    _of(type="kvm qemu xen lxc test"),
    {
        **dict.fromkeys(("name", "uuid", "title", "description", "on_poweroff", "on_reboot", "on_crash"), _TEXT),
        **dict.fromkeys(("memory", "currentMemory"), (_any("unit", "dumpCore"), {})),
        "vcpu": (_of(placement="static") | _any("current"), {}),
        "os": (
            _of(firmware="bios efi"),
            {
                "type": (_any("arch", "machine"), {}),
                "boot": (_any("dev"), {}),
                "bootmenu": (_any("enable", "timeout"), {}),
                "bios": (_any("useserial", "rebootTimeout"), {}),
                **dict.fromkeys(("kernel", "initrd", "cmdline", "init", "initarg"), _TEXT),
                "initenv": (_any("name"), {}),
                "smbios": (_of(mode="sysinfo"), {}),
            },
        ),
        "sysinfo": (
            _of(type="smbios"),
            dict.fromkeys(("bios", "system", "baseBoard", "chassis", "oemStrings"), _TABLE),
        ),
        "idmap": ({}, {"uid": _IDS, "gid": _IDS}),
        "features": ({}, _FEATURES),
        "cpu": (
            _of(mode="custom host-model host-passthrough maximum") | _any("match", "check", "migratable"),
            {
                "model": (_any("fallback", "vendor_id"), {}),
                "vendor": _TEXT,
                "topology": (_any("sockets", "dies", "clusters", "cores", "threads"), {}),
                "feature": (_any("policy", "name"), {}),
            },
        ),
        "clock": (_any("offset", "timezone", "basis", "adjustment"), {"timer": _TIMER}),
        "pm": ({}, {"suspend-to-mem": (_any("enabled"), {}), "suspend-to-disk": (_any("enabled"), {})}),
        "devices": ({}, _DEVICES),
    },
)


def not_allowed(root: etree._Element) -> Iterator[str]:
    """Name what stands in a domain's description and is not in the table."""
    yield from _elements(root, "domain", _DOMAIN)


def _elements(element: etree._Element, path: str, node: _Node) -> Iterator[str]:
    """Name what stands in `element` and is not in the table."""
    attributes, children = node
    for name, value in element.attrib.items():
        values = attributes.get(str(name), frozenset())
        if not _plain(path, str(name), str(value)) or (values is not None and str(value) not in values):
            yield f'{path} {shown(str(name))}="{shown(str(value))}"'
    seen = set()
    for child in element:
        tag = str(child.tag)
        if tag not in children:
            yield f"{path}/{shown(tag)}"
        elif tag in seen and tag not in _SEVERAL:
            yield f"{path}/{tag} more than once"
        else:
            yield from _elements(child, f"{path}/{tag}", children[tag])
        seen.add(tag)


def _plain(path: str, name: str, value: str) -> bool:
    """Whether an attribute's value names no place, but where that is looked at by itself."""
    if name in (*_PATHS.get(path, ()), *_FREE.get(path, ())):
        return True
    if (path, name) == ("domain/clock", "timezone"):
        return _TIME_ZONE.fullmatch(value) is not None
    return _WORD.fullmatch(value) is not None


def shown(text: str | None) -> str:
    """Return a word of the description, cut where it is long."""
    word = text or ""
    return word if len(word) <= _MOST_WORD else f"{word[:_MOST_WORD]}..."
