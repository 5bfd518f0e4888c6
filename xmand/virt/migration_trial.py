"""Whether a domain could move to another host, found out without moving it."""

from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from xman import values
from xman.errors import HypervisorError, RefusedError, UsageError
from xmand.virt import elsewhere, other_host
from xmand.virt.binding import RawConnection, api
from xmand.virt.description import Description, read_xml
from xmand.virt.domain import Domain
from xmand.virt.errors import reading

# Files besides its disks that its next host needs, as libvirt reads them there.
_FILES = ("os/kernel", "os/initrd")
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Needs:
    """What a domain needs on its next host: files at their places, active networks, octets of memory.

    `cpu` is the guest's processor as libvirt describes it, with what a comparison takes besides; nothing where it has
    none that could be compared. `same` is set where it is this host's own (host-passthrough).
    """

    files: tuple[str, ...]
    networks: tuple[str, ...]
    memory: int
    cpu: dict[str, str] = field(default_factory=dict)
    same: bool = False


def needs(domain: Domain, copied: tuple[str, ...] = ()) -> Needs:
    """Return what `domain` needs there; what is `copied` goes along. Raises HypervisorError."""
    root = etree.fromstring(domain.description().encode())
    return _needs(root, _own_processor(domain) if _passed_through(root) else None, copied)


def told(domain: Domain) -> tuple[tuple[str, ...], str]:
    """Return what another xmand is to know of `domain`: its descriptions, and the processor it has of this host's.

    As they go with a migration: as it runs, and as it is kept; the processor is empty where it has one of its own.
    Raises HypervisorError.
    """
    flags = api.VIR_DOMAIN_XML_SECURE | api.VIR_DOMAIN_XML_MIGRATABLE
    kinds = (0, api.VIR_DOMAIN_XML_INACTIVE) if domain.persistent() else (0,)
    with reading(domain.name):
        found = tuple(str(domain.raw.XMLDesc(flags | kind)) for kind in kinds)
    cpu = _own_processor(domain) if _passed_through(etree.fromstring(found[0].encode())) else None
    return found, "" if cpu is None else etree.tostring(cpu, encoding="unicode", with_tail=False)


def here(connection: RawConnection, wanted: Description, cpu: str, host: str) -> tuple[str, ...]:
    """Return what is to be said of a domain that could come to this `host`; `cpu` as `told` has it.

    Raises RefusedError, naming all that is in the way, UsageError and HypervisorError.
    """
    try:
        own = read_xml(cpu) if cpu else None
    except etree.XMLSyntaxError as error:
        raise UsageError(f"This is not the description of a processor: {error.msg}.") from error
    needed = _needs(read_xml(wanted.xml), own, ())
    with reading(wanted.name):
        found = elsewhere.fit(connection, _asked(wanted.name, wanted.uuid, needed))
    # Whose name that is here the verb knows better.
    return _judged(wanted.name, host, found | {"taken": []}, needed)


def _needs(root: etree._Element, own: etree._Element | None, copied: tuple[str, ...]) -> Needs:
    files = [str(found) for found in root.xpath("devices/disk/source/@file")]
    files += [text for place in _FILES if (text := root.findtext(place))]
    networks = [str(found) for found in root.xpath("devices/interface[@type='network']/source/@network")]
    memory = _kib(root.findtext("currentMemory") or root.findtext("memory") or "0") * 1024
    needed = dict.fromkeys(path for path in files if path not in copied)
    cpu, same = _processor(root, own)
    return Needs(tuple(needed), tuple(dict.fromkeys(networks)), memory, cpu, same)


def _kib(text: str) -> int:
    """Return the number that stands in a description; another host may have written anything there."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise UsageError(f"'{text[:64]}' is no amount of memory.")
    return int(text)


def _passed_through(root: etree._Element) -> bool:
    """Whether a guest has its host's own processor."""
    return bool(root.xpath("boolean(cpu[@mode='host-passthrough'])"))


def _own_processor(domain: Domain) -> etree._Element | None:
    with reading(domain.name):
        return etree.fromstring(domain.raw.connect().getCapabilities().encode()).find("host/cpu")


def _processor(root: etree._Element, own: etree._Element | None) -> tuple[dict[str, str], bool]:
    """Return what its next host's processor has to be able to do, and whether that is all that its `own` host's can."""
    same, kind = _passed_through(root), root.find("os/type")
    cpu = own if same else root.find("cpu")
    if cpu is None or kind is None or cpu.find("model") is None:
        return {}, False
    return {
        "xml": etree.tostring(cpu, encoding="unicode", with_tail=False),
        "arch": str(kind.get("arch", "")),
        "type": str(root.get("type", "")),
    }, same


def ask(domain: Domain, host: str, uri: str, keytab: str, wanted: Needs | None) -> tuple[str, ...]:
    """Return what is to be said of a domain that could move to `host`, whose libvirt is at `uri`.

    `wanted` is None where its definition moves alone. Raises RefusedError, naming all that is in the way, and
    HypervisorError where that host's libvirt cannot be asked: then it is not known.
    """
    needed = Needs((), (), 0) if wanted is None else wanted
    try:
        found = other_host.ask(host, uri, keytab, elsewhere.FIT, **_asked(domain.name, domain.uuid, needed))
    except HypervisorError as error:
        raise HypervisorError(f"{error} Whether '{domain.name}' could move there is not known.") from error
    return _judged(domain.name, host, found, needed)


def _asked(name: str, uuid: str, needed: Needs) -> dict[str, Any]:
    return {"name": name, "uuid": uuid, "files": needed.files, "networks": needed.networks, "cpu": needed.cpu}


def _judged(name: str, host: str, found: dict[str, Any], needed: Needs) -> tuple[str, ...]:
    problems = []
    if found["taken"]:
        problems.append(f"has a domain of that {' and '.join(found['taken'])} already")
    if found["missing"]:
        problems.append(f"has no {', '.join(found['missing'])}")
    if found["networks"]:
        problems.append(f"has no active network {', '.join(found['networks'])}")
    lacks = found.get("cpu", "")
    if lacks and not needed.same:
        problems.append(f"has another processor ({lacks.rstrip('.')})")
    if problems:
        raise RefusedError(f"'{name}' cannot move: {host} {', and it '.join(problems)}.")
    notes = [f"{path} could not be looked for there." for path in found["unseen"]]
    if lacks and needed.same:
        notes.append(
            f"{host} has another processor ({lacks.rstrip('.')}); a guest that has this host's own (host-passthrough)"
            " may fail there."
        )
    free = found["free"]
    if free is not None and free < needed.memory:
        notes.append(
            f"{host} has {free // values.MIB} MiB of memory left, and {needed.memory // values.MIB} are needed."
        )
    return tuple(notes)
