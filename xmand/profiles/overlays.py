"""Clients' disks: overlays of their profile's, volumes that are a client's own, made anew as often as it is to begin
as its profile is. The profile's images are never written to."""

from dataclasses import dataclass

from xman.errors import RefusedError
from xmand.launch.begun import Begun
from xmand.virt import clients, cloned, image_pools, pools, volume_copies
from xmand.virt.binding import RawConnection
from xmand.virt.cloned import Disk
from xmand.virt.definition import kept
from xmand.virt.domain import Domain
from xmand.virt.volumes import QCOW2, Facts


@dataclass(frozen=True)
class Base:
    """A disk of a profile: what its guest calls it, where it is, and in which format."""

    target: str
    path: str
    format: str


def what(target: str) -> str:
    """Return what a client's own volume is called behind its UUID (`xmand.virt.image_pools.own`)."""
    return f"-{target}{image_pools.DISK}"


def begun(uuid: str, name: str, pool: str, targets: list[str]) -> Begun:
    """Return what is written down of a client's volumes before they are made, and before it is forgotten."""
    return Begun(uuid, name, pool, tuple(what(target) for target in targets))


def bases(connection: RawConnection, profile: Domain) -> list[Base]:
    """Return the disks of a profile that its guest writes. Raises RefusedError, UnsupportedError, HypervisorError."""
    return [Base(disk.target, _path(connection, disk), disk.format) for disk in cloned.own_disks(kept(profile))]


def _path(connection: RawConnection, disk: Disk) -> str:
    if disk.kind != "volume":
        return disk.path
    image_pools.refresh(connection, (disk.pool,))
    return pools.named(connection, disk.pool).volume(disk.volume).path()


def checked(connection: RawConnection, profile: Domain) -> tuple[list[Base], str]:
    """Return the same, each seen to be what its description says, and the pool of the first.

    Raises RefusedError where one is in none of libvirt's pools, or of another format than it is to its guest.
    """
    found, first = [], ""
    for disk in cloned.own_disks(kept(profile)):
        if disk.kind == "volume":
            original = volume_copies.of_name(connection, disk.pool, disk.volume)
        else:
            original = volume_copies.of_path(connection, disk.path)
        if original.facts.kind == "file" and original.facts.format != disk.format:
            raise RefusedError(
                f"The guest sees the disk {disk.target} as {disk.format}, but the volume {original.place} is"
                f" {original.facts.format}; it is not clear what an overlay of it should show."
            )
        found.append(Base(disk.target, original.facts.path, disk.format))
        first = first or original.place.pool
    return found, first


def own(uuid: str, xml: str) -> list[str]:
    """Return the targets of the disks in a client's description that are overlays of its own."""
    found = clients.files(xml)
    return [target for target, path in found.items() if path.endswith(f"/{image_pools.own(uuid, what(target))}")]


def require_place(connection: RawConnection, pool: str, uuid: str, base: Base) -> None:
    """Raise RefusedError where an overlay cannot be made there, UnsupportedError where no pool of its kind has any."""
    image_pools.refresh(connection, (pool,))
    pools.named(connection, pool).require_overlays(image_pools.own(uuid, what(base.target)))


def made(connection: RawConnection, pool: str, uuid: str, base: Base) -> str:
    """Make an overlay in which nothing is written yet; return its path. Raises RefusedError and HypervisorError."""
    backing = Facts(base.path, "file", base.path, base.format, 0, 0, 0, "")
    return pools.named(connection, pool).create(image_pools.own(uuid, what(base.target)), None, QCOW2, backing).path()


def renewed(connection: RawConnection, client: Domain, pool: str, profile: Domain) -> int:
    """Make all overlays of a client anew, which is off; return how many.

    To be called under its lock. Where this is torn one may be missing: it is made at the next time, and until then the
    client does not start. Raises RefusedError where its profile has no such disk any more, and others.
    """
    targets = own(client.uuid, kept(client))
    if not targets:
        return 0
    image_pools.refresh(connection, (pool,))
    by_target = {base.target: base for base in bases(connection, profile)}
    if gone := sorted(set(targets) - set(by_target)):
        raise RefusedError(
            f"The profile '{profile.name}' has no disk {', '.join(gone)} any more, of which '{client.name}' has an"
            f" overlay; make that anew (rxm delete {client.name}, rxm profile-client {profile.name} {client.name})."
        )
    for target in targets:
        image_pools.remove(connection, pool, image_pools.own(client.uuid, what(target)))
        made(connection, pool, client.uuid, by_target[target])
    return len(targets)
