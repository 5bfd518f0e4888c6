"""A domain's snapshots: libvirt's internal ones, which its qcow2 images hold. Others are shown, and left alone.

External ones keep what is written since in further files: libvirt 9.0 makes them, and neither reverts to them nor
deletes them; 11.3 does, and gives the disks other names by that.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnsupportedError, of_outcome
from xmand.settings import Patience
from xmand.virt import condition, lifecycle
from xmand.virt.binding import api
from xmand.virt.domain import Domain
from xmand.virt.domain_jobs import run_job
from xmand.virt.errors import code_of, reading

INTERNAL, EXTERNAL = "internal", "external"
_HOLDS = "qcow2"
# How many are named where all of them are in the way.
_MOST_NAMED = 5
# As what a domain comes back; from any other state of libvirt's it is off then.
_STANDS = {"running": condition.RUNNING, "paused": condition.PAUSED}

# The guest's names of its writable disks, and where each is.
Disks = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Snapshot:
    """One of them; `created` in seconds since 1970. `stands` is the condition that a domain is in once it is back."""

    name: str
    created: int
    stands: str
    kind: str
    description: str
    parent: str
    current: bool
    disks: Disks


def count(domain: Domain) -> int:
    """Return how many it has; none where its driver has no such thing."""
    with reading(domain.name):
        try:
            return int(domain.raw.snapshotNum(0))
        except api.libvirtError as error:
            if code_of(error) == api.VIR_ERR_NO_SUPPORT:  # LXC, Xen
                return 0
            raise


def in_the_way(domain: Domain) -> str:
    """Return `1 snapshot (first)`, for what cannot be done to a domain with snapshots; empty where it has none."""
    if not (number := count(domain)):
        return ""
    with reading(domain.name):
        names = sorted(str(name) for name in domain.raw.snapshotListNames(0))
    more = f" and {number - _MOST_NAMED} more" if number > _MOST_NAMED else ""
    return f"{number} snapshot{'s' * (number != 1)} ({', '.join(names[:_MOST_NAMED])}{more})"


def each(domain: Domain) -> list[Snapshot]:
    """Return all that it has, the oldest first. Raises UnsupportedError (LXC, Xen)."""
    with reading(domain.name):
        raws = domain.raw.listAllSnapshots(0)
        current = str(domain.raw.snapshotCurrent(0).getName()) if domain.raw.hasCurrentSnapshot(0) else ""
        texts = [str(raw.getXMLDesc(0)) for raw in raws]
    return sorted((_read(text, current) for text in texts), key=lambda found: (found.created, found.name))


def named(domain: Domain, name: str) -> Snapshot:
    """Return one of them, which can be reverted to, and deleted. Raises RefusedError and UnsupportedError."""
    found = each(domain)
    wanted = next((snapshot for snapshot in found if snapshot.name == name), None)
    if wanted is None:
        others = in_the_way(domain)
        has = f"it has {others}" if others else "it has none"
        raise RefusedError(f"Domain '{domain.name}' has no snapshot '{name}'; {has}.")
    require_internal(domain, found)
    return wanted


def require_internal(domain: Domain, found: list[Snapshot]) -> None:
    """Raise UnsupportedError for a domain that somebody has made external snapshots of, past us."""
    others = [snapshot.name for snapshot in found if snapshot.kind == EXTERNAL]
    if others:
        raise UnsupportedError(
            f"'{domain.name}' has external snapshots ({', '.join(others[:_MOST_NAMED])}): what it writes since is in"
            " further files. libvirt does not do both kinds for one domain; whoever made them (virsh) removes them."
        )


def require_disks(domain: Domain) -> None:
    """Raise UnsupportedError where a disk that can be written cannot hold a snapshot, or none can."""
    if not domain.on_qemu():
        return
    found = [disk for disk in _disks(domain.description()) if disk.get("device", "disk") in ("disk", "lun", "floppy")]
    writable = [disk for disk in found if disk.find("readonly") is None and disk.find("source") is not None]
    for disk in writable:
        driver, target = disk.find("driver"), disk.find("target")
        kind = "raw" if driver is None else driver.get("type", "raw")
        if kind != _HOLDS:
            name = "?" if target is None else target.get("dev")
            raise UnsupportedError(
                f"The disk {name} of '{domain.name}' is {kind}; snapshots are kept in qcow2 images alone."
            )
    if not writable:
        raise UnsupportedError(
            f"'{domain.name}' has no disk that could hold a snapshot: a qcow2 image that it may write."
        )


def disks(domain: Domain) -> Disks:
    """Return which writable disks it has now."""
    return _writable(domain.description())


def create(
    domain: Domain, name: str, description: str, patience: Patience, progress: Callable[[str], None]
) -> Snapshot:
    """Make one; of a domain that runs with its memory, while which its guest stands still.

    Raises what libvirt does. Blocks as long as something moves.
    """
    root = etree.Element("domainsnapshot")
    etree.SubElement(root, "name").text = name
    if description:
        etree.SubElement(root, "description").text = description
    text = etree.tostring(root, encoding="unicode")
    before = condition.condition(domain)
    with domain.change():
        run_job(domain, "snapshot", lambda: domain.raw.snapshotCreateXML(text, 0), patience, progress)
    made = next((snapshot for snapshot in each(domain) if snapshot.name == name), None)
    if made is None:
        raise domain.not_so(f"has no snapshot '{name}'")
    if before == condition.RUNNING and (now := condition.condition(domain)) == condition.PAUSED:
        raise domain.not_so(f"is {now} since its snapshot '{name}' was made")
    return made


def revert(domain: Domain, wanted: Snapshot, patience: Patience, progress: Callable[[str], None]) -> None:
    """Let it be what it was, disks, memory and description. Raises what libvirt does."""
    with domain.change():
        run_job(
            domain,
            "snapshot-revert",
            lambda: domain.raw.revertToSnapshot(_raw(domain, wanted.name), 0),
            patience,
            progress,
        )
    now = condition.condition(domain)
    if now != wanted.stands:
        raise domain.not_so(f"is {now}, and not {wanted.stands} as in '{wanted.name}'")


def delete(domain: Domain, name: str, patience: Patience, progress: Callable[[str], None]) -> None:
    """Take one away; those made after it stay. Raises what libvirt does."""
    with domain.change():
        run_job(domain, "snapshot-delete", lambda: _raw(domain, name).delete(0), patience, progress)
    if name in {snapshot.name for snapshot in each(domain)}:
        raise domain.not_so(f"still has the snapshot '{name}'")


def delete_all(domain: Domain, patience: Patience, progress: Callable[[str], None]) -> None:
    """Take away all that a domain has. Of external ones only libvirt's notes go, with it: their files are its disks.

    Raises what libvirt does, saying which are left.
    """
    found = each(domain)
    if any(snapshot.kind == EXTERNAL for snapshot in found):
        return
    for snapshot in found:
        try:
            delete(domain, snapshot.name, patience, progress)
        except (HypervisorError, RefusedError, UnsupportedError) as error:
            text = f"{str(error).rstrip('.')}. '{domain.name}' is still defined, and has {in_the_way(domain)}."
            raise of_outcome(error.outcome, text) from error


def has(domain: Domain, name: str) -> Snapshot | None:
    """Return the snapshot of that name, None where there is none."""
    return next((snapshot for snapshot in each(domain) if snapshot.name == name), None) if count(domain) else None


def require_not_saved(domain: Domain) -> None:
    """Raise RefusedError for one that is suspended: its saved memory belongs to what its disks hold now."""
    if lifecycle.suspended(domain):
        raise RefusedError(
            f"Domain '{domain.name}' is suspended, and its saved memory belongs to its disks as they are; resume it, or"
            f" drop that memory (rxm start --discard-saved {domain.name})."
        )


def _raw(domain: Domain, name: str) -> "api.virDomainSnapshot":
    return domain.raw.snapshotLookupByName(name, 0)


def _read(text: str, current: str) -> Snapshot:
    root = etree.fromstring(text.encode())
    name = root.findtext("name") or ""
    parts = [*root.iterfind("disks/disk"), *root.iterfind("memory")]
    described = root.find("domain")
    return Snapshot(
        name=name,
        created=int(root.findtext("creationTime") or 0),
        stands=_STANDS.get(root.findtext("state") or "", condition.OFF),
        kind=EXTERNAL if any(part.get("snapshot") == EXTERNAL for part in parts) else INTERNAL,
        description=" ".join((root.findtext("description") or "").split()),
        parent=root.findtext("parent/name") or "",
        current=name == current,
        disks=frozenset() if described is None else _writable(etree.tostring(described, encoding="unicode")),
    )


def _disks(description: str) -> list[etree._Element]:
    return list(etree.fromstring(description.encode()).iterfind("devices/disk"))


def _writable(description: str) -> Disks:
    found = set()
    for disk in _disks(description):
        source, target = disk.find("source"), disk.find("target")
        if source is None or target is None or disk.find("readonly") is not None:
            continue
        place = next((str(source.get(key)) for key in ("file", "dev", "name", "volume") if source.get(key)), "")
        found.add((str(target.get("dev")), place))
    return frozenset(found)
