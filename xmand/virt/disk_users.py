"""Who has a disk: which domains of this host, and the host itself. Two that write to one disk destroy what it holds."""

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from xman.errors import MetadataError, NoSuchDomainError, RefusedError, UsageError
from xman.metadata import Instance
from xmand.system import in_use
from xmand.virt import image_pools, images, metadata, pools, volume_users
from xmand.virt.binding import RawConnection, RawDomain, api
from xmand.virt.domain import Domain, find_all
from xmand.virt.errors import UNSUPPORTED, code_of, reading

_PLACES = ("file", "dev", "dir", "name")
# The names of a pool and of a volume in it.
Volume = tuple[str, str]


@dataclass(frozen=True)
class Use:
    """A domain that has the disk: whether it runs, or is suspended; whether it writes, and shares."""

    name: str
    uuid: str
    target: str
    at_work: bool
    writes: bool
    shares: bool
    # Whether what it has is an image of its own that leads to this one, which must not change therefore.
    above: bool = False


def key(path: str) -> str:
    """Return under what a disk is locked while it is found out who has it."""
    return f"disk {os.path.realpath(path)}"


def check_place(path: str, *, block: bool) -> None:
    """Raise UsageError for what is, as far as xmand sees the host's files, no image, or no block device where `block`.

    What it cannot see, in its own unit, is left to libvirt.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # a path of the host's, as it was written
    except OSError:
        # A folder that is to be seen, and has no such file.
        with contextlib.suppress(OSError):
            folder, _, name = path.rpartition("/")
            if not block and name not in os.listdir(folder or "/"):  # noqa: PTH208
                raise UsageError(f"There is no '{path}' on the host.") from None
        return
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise UsageError(f"'{path}' is neither a file nor a block device.")
    if block and not stat.S_ISBLK(mode):
        raise UsageError(f"'{path}' is a file; write file:{path} (phy: is for block devices).")


def check_format(path: str, form: str) -> None:
    """Raise RefusedError where an image that says of itself that it is another one would be written over as raw."""
    with contextlib.suppress(OSError, ValueError):
        if form == "raw" and (found := images.probe(os.path.realpath(path)).format) != "raw":
            raise RefusedError(
                f"'{path}' is a {found} image, and its guest would write over what makes it one; write {found}:{path}"
                f" (raw:{path}, where that is meant)."
            )


def require_free(connection: RawConnection, domain: Domain, path: str, *, writes: bool, shares: bool) -> list[str]:
    """Return which domains that are off have the disk as well.

    Raises RefusedError where the host itself uses it, or a domain does that runs or is suspended and cannot share it,
    or cannot be asked; HypervisorError.
    """
    if writes and (what := in_use.by_host(path)):
        raise RefusedError(f"'{path}' {what} on the host itself; both would write to it.")
    if writes:
        require_no_base(connection, [path], domain.uuid)
    off = []
    for use in users(connection, path):
        if use.uuid == domain.uuid:
            raise RefusedError(f"Domain '{domain.name}' has '{path}' already, as {use.target}.")
        if not use.at_work:
            off.append(use.name)
        elif (writes or use.writes) and not (shares and use.shares):
            raise RefusedError(
                f"Domain '{use.name}' has '{path}' as {use.target}; what both write is lost. Mode w! is for guests that"
                " share a disk on purpose, all of them."
            )
    return sorted(set(off))


def writers(connection: RawConnection, path: str) -> list[Use]:
    """Return the domains at work that write to it."""
    return [use for use in users(connection, path) if use.at_work and use.writes]


def require_no_base(connection: RawConnection, places: Sequence[str], uuid: str) -> None:
    """Raise RefusedError where the domain with this UUID would write at a place which clients of a profile begin with.

    Only the profile itself does, while none of them has anything of it (`xmand.profiles`); and nobody to the image of
    a machine. Raises HypervisorError.
    """
    if not places:
        return
    profiles: dict[str, Domain] = {}
    clients: dict[str, str] = {}
    launched: dict[str, Instance] = {}
    for domain in find_all(connection):
        with contextlib.suppress(NoSuchDomainError, MetadataError):  # what cannot be read is nobody's
            found = metadata.read(domain)
            if found.instance is not None:
                launched[domain.uuid] = found.instance
            if found.profile and domain.uuid != uuid:
                profiles[domain.uuid] = domain
            elif found.origin is not None:
                clients[found.origin.profile] = domain.name
    wanted = {os.path.realpath(place) for place in places}
    for profile in profiles.keys() & clients.keys():
        for place in written_by(profiles[profile]):
            if os.path.realpath(place) in wanted:
                raise RefusedError(
                    f"'{place}' is a disk of the profile '{profiles[profile].name}', which its clients"
                    f" ('{clients[profile]}' and whoever else) begin with; nobody else writes to it."
                )

    require_no_image(connection, places, launched)


def require_no_image(connection: RawConnection, places: Sequence[str], launched: Mapping[str, Instance]) -> None:
    """Raise RefusedError where one of the places is the image that a machine was launched from, of these by UUID.

    Only of those that have one of that name it is asked which one it is.
    """
    wanted = {os.path.realpath(place): place for place in places}
    names = {Path(place).name for place in (*wanted, *wanted.values())}
    for uuid, instance in launched.items():
        if instance.image not in names:
            continue
        for below in image_pools.disk_of(connection, instance.pool, uuid)[1:]:
            if (place := wanted.get(os.path.realpath(below))) is not None:
                raise RefusedError(
                    f"'{place}' is the image that a machine was launched from ({instance.id}), whose disk holds only"
                    " what differs from it; who writes to it destroys that. Change a copy of it (rxm clone)."
                )


def written_by(domain: Domain) -> list[str]:
    """Return the files and devices that a domain may write, as its description for the next start has them."""
    return written(domain.raw.connect(), domain.description(inactive=True))


def written(connection: RawConnection, xml: str) -> list[str]:
    """Return the files and devices that a domain of this description may write."""
    found = []
    for disk in etree.fromstring(xml.encode()).iterfind("devices/disk"):
        source = disk.find("source")
        if source is None or disk.find("readonly") is not None or disk.get("device") == "cdrom":
            continue
        if source.get("volume"):
            found += _at(connection, str(source.get("pool")), str(source.get("volume")))
        elif place := next((str(source.get(key)) for key in _PLACES if source.get(key)), ""):
            found.append(place)
    return found


def _at(connection: RawConnection, pool: str, volume: str) -> list[str]:
    with contextlib.suppress(api.libvirtError):
        return [str(connection.storagePoolLookupByName(pool).storageVolLookupByName(volume).path())]
    return []


def built_upon(connection: RawConnection, path: str, but: Sequence[str]) -> list[str]:
    """Return the volumes whose base is at `path`, without the own ones of the machines with the UUIDs `but`.

    Raises HypervisorError.
    """
    owners = tuple(image_pools.own(uuid, "") for uuid in but)
    return [each for each in volume_users.overlays(connection, path) if not each.partition("/")[2].startswith(owners)]


def users(connection: RawConnection, path: str) -> list[Use]:
    """Return the domains that have it, off ones too. Raises HypervisorError: of one it is not known."""
    found, same, volume = [], {path, os.path.realpath(path)}, pools.volume_at(connection, path)
    with reading():
        raws = connection.listAllDomains(0)
    for raw in raws:
        # One that goes meanwhile has no disks. Of one that cannot be asked it is not known, so that nothing is free.
        name = str(raw.name())
        with contextlib.suppress(NoSuchDomainError), reading(name):
            found += _uses(raw, same, volume)
    return found


def _uses(raw: RawDomain, same: set[str], volume: Volume | None) -> list[Use]:
    active = bool(raw.isActive())
    at_work = active
    if not active:
        try:
            at_work = bool(raw.hasManagedSaveImage(0))
        except api.libvirtError as error:
            if code_of(error) not in UNSUPPORTED:  # its driver suspends nobody
                raise
    texts = [str(raw.XMLDesc(0))]
    if active and raw.isPersistent():
        texts.append(str(raw.XMLDesc(api.VIR_DOMAIN_XML_INACTIVE)))
    found: dict[str, Use] = {}
    for text in texts:
        for disk in etree.fromstring(text.encode()).iterfind("devices/disk"):
            target = disk.find("target")
            name = "?" if target is None else str(target.get("dev"))
            own = disk.find("source")
            if own is not None and _is(own, same, volume):
                writes, shares, above = disk.find("readonly") is None, disk.find("shareable") is not None, False
            elif any(_is(source, same, volume) for source in disk.iterfind(".//backingStore/source")):
                writes, shares, above = True, False, True  # it reads what must not change
            else:
                continue
            use = Use(str(raw.name()), str(raw.UUIDString()), name, at_work, writes, shares, above)
            found.setdefault(name, use)
    return list(found.values())


def _is(source: etree._Element, same: set[str], volume: Volume | None) -> bool:
    if volume is not None and (source.get("pool"), source.get("volume")) == volume:
        return True
    place = next((str(source.get(key)) for key in _PLACES if source.get(key)), "")
    return bool(place) and (place in same or os.path.realpath(place) in same)
