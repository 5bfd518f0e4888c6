"""What may stand in the description of somebody who is not on the list: an allow-list, never a deny-list.

A description decides which of the host's files, devices and programs a guest reaches, so whoever may write any is as
good as root there. What is not named (`allowed_elements`) is refused, all of it at once; `[create]` of xmand.toml names
where disks may be (`allowed_places`) and the networks. Disks are then defined with the format that they have, and
without a backing file, whatever their header may say later.
"""

import os
from collections.abc import Iterator

from lxml import etree

from xman.errors import DeniedError
from xmand.settings import Create
from xmand.virt import allowed_places, images
from xmand.virt.allowed_elements import not_allowed, shown
from xmand.virt.binding import RawConnection
from xmand.virt.description import Description, read_xml

# Below this, ids of the host's own users: a container's root must be none of them.
_LEAST_ID = 65_536
# What is told of one description; more says nothing more.
_MOST_TOLD = 20
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
_RANDOM = frozenset(("/dev/urandom", "/dev/random"))
# What becomes of a guest that ends: its memory is written nowhere.
_ENDS = frozenset(("destroy", "restart", "preserve"))
# Where a screen may listen: below, there are services of the host's own.
_LEAST_PORT = 5900


def held_to(wanted: Description, allowed: Create, connection: RawConnection) -> Description:
    """Return the description to define in place of one by somebody who is not on the list.

    Raises DeniedError, which names all that it may not have, and HypervisorError.
    """
    root = read_xml(wanted.xml)
    found = [*not_allowed(root), *_domain(root, allowed)]
    for disk in root.iterfind("devices/disk"):
        found += _disk(disk, allowed, connection)
    if found:
        more = f", and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
        raise DeniedError(
            f"Your descriptions are limited to what this host permits ([create] in xmand.toml). Not permitted: "
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


def _domain(root: etree._Element, allowed: Create) -> Iterator[str]:
    """Name what the table alone does not tell: places, networks, listeners, containers."""
    for what in ("on_poweroff", "on_reboot", "on_crash"):
        for element in root.iterfind(what):
            if (element.text or "").strip() not in _ENDS:
                yield f"{what} {shown(element.text)}"
    if root.get("type") == "lxc":
        yield from _container(root)
    for part in ("kernel", "initrd"):
        for element in root.iterfind(f"os/{part}"):
            found = allowed_places.below(element.text or "", allowed)
            if found is None:
                yield f"os/{part} {shown(element.text)}"
            else:
                # What was looked at, and not what a link may lead to later.
                element.text = found
    for element in root.iterfind("devices/filesystem/source"):
        found = allowed_places.below(element.get("dir", ""), allowed)
        if found is None:
            yield f"devices/filesystem {shown(element.get('dir', ''))}"
        else:
            element.set("dir", found)
    for element in root.iterfind("devices/filesystem/target"):
        inside = element.get("dir", "")
        # libvirt has the host's own tree there while it makes the container's.
        if not inside.startswith("/") or os.path.normpath(inside) != inside or inside.startswith(("//", "/.oldroot")):
            yield f"devices/filesystem target {shown(inside)}"
    for element in root.iterfind("devices/interface"):
        source = element.find("source")
        kind = element.get("type", "")
        name = "" if source is None else source.get(kind, "")
        if name not in (allowed.networks if kind == "network" else allowed.bridges):
            yield f"devices/interface {shown(kind)} '{shown(name)}'"
    for element in root.iterfind("devices/graphics"):
        listens = [element.get("listen"), *(each.get("address") for each in element.iterfind("listen"))]
        for key in ("port", "tlsPort"):
            port = element.get(key, "-1")
            if port not in ("-1", "0", "") and not (port.isascii() and port.isdigit() and int(port) >= _LEAST_PORT):
                yield f"devices/graphics {key} {shown(port)}"
        for address in listens:
            if address is not None and address not in _LOOPBACK:
                yield f"devices/graphics listen '{shown(address)}'"
    for element in root.iterfind("devices/rng/backend"):
        if (element.text or "").strip() not in _RANDOM:
            yield f"devices/rng {shown(element.text)}"


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


def _disk(disk: etree._Element, allowed: Create, connection: RawConnection) -> list[str]:
    """Name what is wrong with a disk; where nothing is, write into it what its image is."""
    sources = list(disk.iterfind("source"))
    if not sources and disk.get("device") in ("cdrom", "floppy"):
        return []
    if len(sources) != 1:
        return ["devices/disk without one source"]
    kind = disk.get("type", "")
    told = sources[0].get("file") or sources[0].get("dev") or f"{sources[0].get('pool')}/{sources[0].get('volume')}"
    where = f"devices/disk {shown(told)}"
    wanted = {"file": {"file"}, "block": {"dev"}, "volume": {"pool", "volume"}}.get(kind)
    if set(sources[0].attrib) != wanted:
        return [where]
    if kind == "volume":
        path = allowed_places.volume(sources[0], allowed, connection)
    else:
        path = allowed_places.device(told, allowed) if kind == "block" else allowed_places.below(told, allowed)
    if path is None:
        held = " (in none of the pools named, out of its pool's folder, or that can be changed by others than root)"
        return [where + (held if kind == "volume" else "")]
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
