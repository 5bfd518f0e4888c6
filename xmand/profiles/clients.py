"""A profile and its clients: who they are, and what each has that belongs to the profile's disks as they are."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from xman.errors import MetadataError, NoSuchDomainError, RefusedError
from xman.metadata import Metadata, Origin
from xmand.virt import condition, lifecycle, metadata, snapshots
from xmand.virt.binding import RawConnection
from xmand.virt.condition import OFF
from xmand.virt.domain import Domain, find, find_all

_MOST_NAMED = 8


@dataclass(frozen=True)
class Client:
    """A client: its condition (`xmand.virt.condition`), whether it is suspended, and what it has of snapshots."""

    name: str
    uuid: str
    discard: bool
    pool: str
    condition: str = OFF
    suspended: bool = False
    snapshots: str = ""

    @property
    def keeps(self) -> str:
        """Why the profile's disks must not change under it; empty where nothing is in the way."""
        if not self.discard:
            return "keeps what it writes"
        if self.condition != OFF:
            return self.condition
        if self.suspended:
            return "suspended"
        return f"has {self.snapshots}" if self.snapshots else ""


def of(connection: RawConnection, profile: str) -> list[Client]:
    """Return the clients of the profile with this UUID, by name. Raises HypervisorError."""
    return all_of(connection)[1].get(profile, [])


def all_of(connection: RawConnection) -> tuple[list[tuple[Domain, Metadata]], dict[str, list[Client]]]:
    """Return the profiles of the host, and the clients of each by the profile's UUID; by name.

    Raises HypervisorError.
    """
    profiles: list[tuple[Domain, Metadata]] = []
    found: dict[str, list[Client]] = {}
    for domain in sorted(find_all(connection), key=lambda each: each.name):
        # What goes meanwhile, or cannot be read, is nobody's.
        with contextlib.suppress(NoSuchDomainError, MetadataError):
            has = metadata.read(domain)
            if has.profile:
                profiles.append((domain, has))
            elif has.origin is not None:
                found.setdefault(has.origin.profile, []).append(client(domain, has.origin))
    return profiles, found


def client(domain: Domain, origin: Origin) -> Client:
    """Return what a client is like now. Raises NoSuchDomainError and HypervisorError."""
    return Client(
        domain.name,
        domain.uuid,
        origin.discard,
        origin.pool,
        condition.condition(domain),
        lifecycle.suspended(domain),
        snapshots.in_the_way(domain),
    )


def require_lasting(domain: Domain, why: str) -> None:
    """Raise RefusedError for a client that begins anew at each start, saying why. Raises HypervisorError."""
    origin = None
    with contextlib.suppress(MetadataError):
        origin = metadata.read(domain).origin
    if origin is not None and origin.discard:
        raise RefusedError(f"Domain '{domain.name}' is a client of a profile, and is reset at each start: {why}.")


def require_none(connection: RawConnection, domain: Domain) -> None:
    """Raise RefusedError for a profile that has clients: they begin with its disks. Raises HypervisorError."""
    found = False
    with contextlib.suppress(MetadataError):  # what cannot be read keeps nobody from anything
        found = metadata.read(domain).profile
    if found and (has := of(connection, domain.uuid)):
        raise RefusedError(
            f"The profile '{domain.name}' has clients ({named(has)}), which start from its disks; delete those first."
        )


def profile_of(connection: RawConnection, client: Domain, origin: Origin) -> Domain:
    """Return the profile of a client. Raises RefusedError where it is not on this host."""
    try:
        return find(connection, origin.profile, allow_id=False)
    except NoSuchDomainError:
        raise RefusedError(
            f"The profile of '{client.name}' ({origin.profile}) is not on this host, so it is not known what its"
            " disks should be."
        ) from None


def named(clients: Sequence[Client]) -> str:
    """Return their names, and with each what it has that is in the way."""
    more = f" and {len(clients) - _MOST_NAMED} more" if len(clients) > _MOST_NAMED else ""
    parts = [f"{each.name} ({each.keeps})" if each.keeps else each.name for each in clients[:_MOST_NAMED]]
    return f"{', '.join(parts)}{more}"
