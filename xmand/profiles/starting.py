"""A start of a profile or of a client of one: never both, and as many clients at a time as there are.

Whoever starts the profile says so first (`exclusive.key`), and then waits for each client that is being started. A
client that is to start from then on sees it, and is refused; it holds its own lock from before it looks until it runs.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from xman import laboratories
from xman.errors import MetadataError, RefusedError, XmanError
from xman.metadata import Metadata, Origin
from xmand.profiles import clients, exclusive, overlays
from xmand.profiles.evicting import evict
from xmand.system.locks import DomainLocks
from xmand.virt import lifecycle, metadata, snapshots
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain


@dataclass(frozen=True)
class Guard:
    """What a start is to know: to which laboratories this host belongs, and what its caller said."""

    locks: DomainLocks
    connection: RawConnection
    verb: str
    deadline: float
    labs: tuple[str, ...] = ()
    force: bool = False
    evict: bool = False
    # What is to be said of it.
    said: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def around(self, domain: Domain, *, restores: bool) -> Iterator[Metadata]:
        """Around the start of a domain that is off, whose lock is held; where it is a client, with new disks.

        Unless it goes on where it was (`restores`). Raises RefusedError.
        """
        found = Metadata()
        with contextlib.suppress(MetadataError):  # jobs in it are its trouble then, and keep it from no start
            found = metadata.read(domain)
        if found.origin is not None:
            self._ready(domain, found.origin, restores=restores)
            yield found
        elif found.profile:
            with self.locks.hold(exclusive.key(domain.uuid), self.verb, self.deadline, "profile"):
                self._change(domain)
                yield found
        else:
            yield found

    def _ready(self, domain: Domain, origin: Origin, *, restores: bool) -> None:
        profile = clients.profile_of(self.connection, domain, origin)
        require_free(self.locks, domain, profile)
        if restores:
            return
        if not self.force:
            laboratories.require(profile.name, metadata.read(profile).labs, self.labs)
        if not origin.discard:
            return
        if has := snapshots.in_the_way(domain):
            raise RefusedError(
                f"Domain '{domain.name}' has {has} of what it wrote, but is reset at each start; delete those"
                " first (snapshot-delete)."
            )
        if lifecycle.suspended(domain):
            # First, or it would go on with disks that it has never seen.
            lifecycle.discard_saved(domain)
        overlays.renewed(self.connection, domain, origin.pool, profile)

    def _change(self, profile: Domain) -> None:
        """Let the profile be changed: nobody has its disks, and what clients have written is gone."""
        if self.evict:
            self.said.extend(evict(self.connection, self.locks, self.verb, self.deadline, profile))
        for each in clients.of(self.connection, profile.uuid):
            with self.locks.hold(each.uuid, self.verb, self.deadline):
                pass  # it runs by now, if it was being started
        found = clients.of(self.connection, profile.uuid)
        exclusive.require(profile.name, found)
        exclusive.require_base(self.connection, profile, [each.uuid for each in found])


def require_free(locks: DomainLocks, client: Domain, profile: Domain) -> None:
    """Raise RefusedError where the profile itself runs, or is about to; to be called under the lock of the client."""
    starting = any(not seconds for _verb, seconds in locks.lately(exclusive.key(profile.uuid)))
    if not starting and not profile.active():
        return
    who = ""
    with contextlib.suppress(XmanError):
        who = metadata.read(profile).administrator
    raise RefusedError(
        f"The profile '{profile.name}' is running and being changed{f' by {who}' if who else ''}; '{client.name}'"
        " can start when it is off."
    )


def renew(connection: RawConnection, locks: DomainLocks, client: Domain) -> None:
    """Make the disks of a client anew that is off; under its lock. Raises XmanError, where its profile runs as well."""
    origin = metadata.read(client).origin
    if origin is None or not origin.discard or client.active():
        return
    if lifecycle.suspended(client) or snapshots.count(client):
        return
    profile = clients.profile_of(connection, client, origin)
    require_free(locks, client, profile)
    overlays.renewed(connection, client, origin.pool, profile)
