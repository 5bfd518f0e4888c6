"""What may stand in the description of somebody who is not on the list: an allow-list, never a deny-list.

A description decides which of the host's files, devices and programs a guest reaches, so whoever may write any is as
good as root there. What is not named here is refused, all of it at once; `[create]` of xmand.toml names where disks
may be and the networks. Disks are then defined with the format that they have, and without a backing file, whatever
their header may say later.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from lxml import etree

from xman.errors import DeniedError, XmanError
from xmand.settings import Create
from xmand.virt import images
from xmand.virt.description import Description, read_xml
from xmand.virt.driver import Connection, api, reading

# Below this, ids of the host's own users: a container's root must be none of them.
_LEAST_ID = 65_536
# What is told of one description; more says nothing more.
_MOST_TOLD = 20
_MOST_WORD = 200
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
# The attributes that are paths, each looked at by itself.
_PATHS = {
    "domain/devices/disk/source": ("file", "dev"),
    "domain/devices/filesystem/source": ("dir",),
    "domain/devices/filesystem/target": ("dir",),
}
_RANDOM = frozenset(("/dev/urandom", "/dev/random"))
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
        *("boot", "initarg", "initenv", "uid", "gid", "timer", "feature", "listen"),
        *("disk", "interface", "console", "serial", "channel", "graphics", "video", "input", "sound", "rng"),
        *("panic", "controller", "filesystem", "watchdog"),
    )
)
# What becomes of a guest that ends: its memory is written nowhere.
_ENDS = frozenset(("destroy", "restart", "preserve"))
# Where a screen may listen: below, there are services of the host's own.
_LEAST_PORT = 5900


_Values = frozenset[str] | None  # None: any
_Node = tuple[Mapping[str, _Values], Mapping[str, "_Node"]]


def _any(*names: str) -> dict[str, _Values]:
    return dict.fromkeys(names)


def _of(**values: str) -> dict[str, _Values]:
    """Return attributes with the words that each may have."""
    return {name: frozenset(words.split()) for name, words in values.items()}


_TEXT: _Node = ({}, {})
_ADDRESS: _Node = (
    dict.fromkeys(
        [
            "type",
            "domain",
            "bus",
            "slot",
            "function",
            "multifunction",
            "controller",
            "target",
            "unit",
            "port",
            "iobase",
            "irq",
        ]
    ),
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
            },
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


def held_to(wanted: Description, allowed: Create, connection: Connection) -> Description:
    """Return the description to define in place of one by somebody who is not on the list.

    Raises DeniedError, which names all that it may not have, and HypervisorError.
    """
    root = read_xml(wanted.xml)
    found = [*_elements(root, "domain", _DOMAIN), *_domain(root, allowed)]
    for disk in root.iterfind("devices/disk"):
        found += _disk(disk, allowed, connection)
    if found:
        more = f", and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
        raise DeniedError(
            f"Your descriptions are held to what this host permits ([create] in xmand.toml), which is not: "
            f"{'; '.join(found[:_MOST_TOLD])}{more}."
        )
    return Description(wanted.name, wanted.uuid, etree.tostring(root, encoding="unicode"))


def facts(wanted: Description) -> dict[str, object]:
    """Return what a description asks for, for a program of the site's own that decides."""
    root = read_xml(wanted.xml)
    sources = [dict(each.attrib) for each in root.iterfind("devices/disk/source")]
    networks = [dict(each.attrib) for each in root.iterfind("devices/interface/source")]
    memory = root.find("memory")
    return {
        "type": root.get("type", ""),
        "name": wanted.name,
        "memory": "" if memory is None else f"{(memory.text or '').strip()} {memory.get('unit', 'KiB')}",
        "vcpus": (root.findtext("vcpu") or "1").strip(),
        "disks": [{str(key): str(value) for key, value in each.items()} for each in sources],
        "networks": [{str(key): str(value) for key, value in each.items()} for each in networks],
        "devices": sorted({str(each.tag) for each in root.iterfind("devices/*")}),
    }


def _elements(element: etree._Element, path: str, node: _Node) -> Iterator[str]:
    """Name what stands in `element` and is not in the table."""
    attributes, children = node
    for name, value in element.attrib.items():
        values = attributes.get(str(name), frozenset())
        if not _plain(path, str(name), str(value)) or (values is not None and str(value) not in values):
            yield f'{path} {_shown(str(name))}="{_shown(str(value))}"'
    seen = set()
    for child in element:
        tag = str(child.tag)
        if tag not in children:
            yield f"{path}/{_shown(tag)}"
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


def _domain(root: etree._Element, allowed: Create) -> Iterator[str]:
    """Name what the table alone does not tell: places, networks, listeners, containers."""
    for what in ("on_poweroff", "on_reboot", "on_crash"):
        for element in root.iterfind(what):
            if (element.text or "").strip() not in _ENDS:
                yield f"{what} {_shown(element.text)}"
    if root.get("type") == "lxc":
        yield from _container(root)
    for part in ("kernel", "initrd"):
        for element in root.iterfind(f"os/{part}"):
            found = _below(element.text or "", allowed)
            if found is None:
                yield f"os/{part} {_shown(element.text)}"
            else:
                # What was looked at, and not what a link may lead to later.
                element.text = found
    for element in root.iterfind("devices/filesystem/source"):
        found = _below(element.get("dir", ""), allowed)
        if found is None:
            yield f"devices/filesystem {_shown(element.get('dir', ''))}"
        else:
            element.set("dir", found)
    for element in root.iterfind("devices/filesystem/target"):
        inside = element.get("dir", "")
        # libvirt has the host's own tree there while it makes the container's.
        if not inside.startswith("/") or os.path.normpath(inside) != inside or inside.startswith(("//", "/.oldroot")):
            yield f"devices/filesystem target {_shown(inside)}"
    for element in root.iterfind("devices/interface"):
        source = element.find("source")
        kind = element.get("type", "")
        name = "" if source is None else source.get(kind, "")
        if name not in (allowed.networks if kind == "network" else allowed.bridges):
            yield f"devices/interface {_shown(kind)} '{_shown(name)}'"
    for element in root.iterfind("devices/graphics"):
        listens = [element.get("listen"), *(each.get("address") for each in element.iterfind("listen"))]
        for key in ("port", "tlsPort"):
            port = element.get(key, "-1")
            if port not in ("-1", "0", "") and not (port.isascii() and port.isdigit() and int(port) >= _LEAST_PORT):
                yield f"devices/graphics {key} {_shown(port)}"
        for address in listens:
            if address is not None and address not in _LOOPBACK:
                yield f"devices/graphics listen '{_shown(address)}'"
    for element in root.iterfind("devices/rng/backend"):
        if (element.text or "").strip() not in _RANDOM:
            yield f"devices/rng {_shown(element.text)}"


def _container(root: etree._Element) -> Iterator[str]:
    """A container's root must be nobody on the host."""
    for kind in ("uid", "gid"):
        maps = list(root.iterfind(f"idmap/{kind}"))
        starts = [each.get("start", "") for each in maps]
        targets = [each.get("target", "") for each in maps]
        if "0" not in starts or not all(t.isascii() and t.isdigit() and int(t) >= _LEAST_ID for t in targets):
            yield f"a container without idmap/{kind} from 0 to {_LEAST_ID} or above"
    # Without a tree of its own a container has the host's.
    if "/" not in [each.get("dir") for each in root.iterfind("devices/filesystem/target")]:
        yield "a container without a filesystem for /"


def _disk(disk: etree._Element, allowed: Create, connection: Connection) -> list[str]:
    """Name what is wrong with a disk; where nothing is, write into it what its image is."""
    sources = list(disk.iterfind("source"))
    if not sources and disk.get("device") in ("cdrom", "floppy"):
        return []
    if len(sources) != 1:
        return ["devices/disk without one source"]
    kind = disk.get("type", "")
    told = sources[0].get("file") or sources[0].get("dev") or f"{sources[0].get('pool')}/{sources[0].get('volume')}"
    where = f"devices/disk {_shown(told)}"
    wanted = {"file": {"file"}, "block": {"dev"}, "volume": {"pool", "volume"}}.get(kind)
    if set(sources[0].attrib) != wanted:
        return [where]
    if kind == "volume":
        path = _volume(sources[0], allowed, connection)
    else:
        path = _device(told, allowed) if kind == "block" else _below(told, allowed)
    if path is None:
        return [where]
    try:
        image = images.probe(path)
    except (OSError, ValueError) as error:
        return [f"{where} ({getattr(error, 'strerror', None) or error})"]
    if image.leads_on:
        return [f"{where} (the image leads to another file)"]
    if kind == "file":
        # What was looked at, and not what a link may lead to later.
        sources[0].set("file", path)
    driver = disk.find("driver")
    if driver is None:
        driver = etree.SubElement(disk, "driver")
        disk.remove(driver)
        disk.insert(0, driver)
    driver.set("name", driver.get("name") or "qemu")
    driver.set("type", image.format)
    # Written out, so that none is looked for in the header, which the guest can write.
    for element in disk.findall("backingStore"):
        disk.remove(element)
    sources[0].addnext(etree.Element("backingStore"))
    return []


def _below(path: str, allowed: Create) -> str | None:
    """Return where a path leads to, if that is below one of the folders named; None otherwise.

    Nor is it where somebody else could put a link in its place afterwards: in a container's own tree, for one.
    """
    if not path.startswith("/") or "\0" in path:
        return None
    real = os.path.realpath(path)
    for folder in map(os.path.realpath, allowed.paths):
        if _within(real, folder) and _ours(folder, real):
            return real
    return None


def _ours(folder: str, real: str) -> bool:
    """Whether nobody but root, or who xmand runs as, can change what the folders from `folder` to `real` hold."""
    holder = Path(real).parent
    for place in (holder, *holder.parents):
        if not place.is_relative_to(folder):
            break
        try:
            found = place.lstat()
        except OSError:
            return False
        others = found.st_mode & stat.S_IWOTH or (
            found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid())
        )
        if found.st_uid not in (0, os.geteuid()) or others:
            return False
    return True


def _device(path: str, allowed: Create) -> str | None:
    """Return the device that a path below one of the folders named (`/dev/vg0`) leads to; None where it is none."""
    if not path.startswith("/") or "\0" in path or os.path.normpath(path) != path:
        return None
    real = os.path.realpath(path)
    return real if any(_within(path, folder) for folder in allowed.paths) and _within(real, "/dev") else None


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/")


def _volume(source: etree._Element, allowed: Create, connection: Connection) -> str | None:
    """Return the path of a volume in one of the pools named; None where it is none, or leads out of its pool."""
    pool, volume = source.get("pool", ""), source.get("volume", "")
    if pool not in allowed.pools:
        return None
    try:
        with reading():
            holder = connection.storagePoolLookupByName(pool)
            path = str(holder.storageVolLookupByName(volume).path())
            target = read_xml(str(holder.XMLDesc())).findtext("target/path") or ""
    except (XmanError, api.libvirtError):
        return None
    real = os.path.realpath(path)
    return real if _within(real, os.path.realpath(target)) or _within(real, "/dev") else None


def _shown(text: str | None) -> str:
    word = text or ""
    return word if len(word) <= _MOST_WORD else f"{word[:_MOST_WORD]}..."
