"""Whether a domain could move to another host, found out without moving it."""

from dataclasses import dataclass, field

from lxml import etree

from xman import values
from xman.errors import HypervisorError, RefusedError
from xmand.virt import elsewhere, other_host
from xmand.virt.domain import Domain
from xmand.virt.errors import reading

# Files besides its disks that its next host needs, as libvirt reads them there.
_FILES = ("os/kernel", "os/initrd")


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
    files = [str(found) for found in root.xpath("devices/disk/source/@file")]
    files += [text for place in _FILES if (text := root.findtext(place))]
    networks = [str(found) for found in root.xpath("devices/interface[@type='network']/source/@network")]
    memory = int(root.findtext("currentMemory") or root.findtext("memory") or 0) * 1024
    own = dict.fromkeys(path for path in files if path not in copied)
    cpu, same = _processor(domain, root)
    return Needs(tuple(own), tuple(dict.fromkeys(networks)), memory, cpu, same)


def _processor(domain: Domain, root: etree._Element) -> tuple[dict[str, str], bool]:
    """Return what its next host's processor has to be able to do, and whether that is all that this one's can."""
    cpu, kind = root.find("cpu"), root.find("os/type")
    same = cpu is not None and cpu.get("mode") == "host-passthrough"
    if same:
        with reading(domain.name):
            cpu = etree.fromstring(domain.raw.connect().getCapabilities().encode()).find("host/cpu")
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
    asked: dict[str, object] = {
        "name": domain.name,
        "uuid": domain.uuid,
        "files": needed.files,
        "networks": needed.networks,
    }
    asked["cpu"] = needed.cpu
    try:
        found = other_host.ask(host, uri, keytab, elsewhere.FIT, **asked)
    except HypervisorError as error:
        raise HypervisorError(f"{error} Whether '{domain.name}' could move there is not known.") from error
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
        raise RefusedError(f"'{domain.name}' cannot move: {host} {', and it '.join(problems)}.")
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
