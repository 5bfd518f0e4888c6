"""A start of a profile or of a client of one: one at a time of those that have the same disks, checked and started."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from xman import laboratories
from xman.errors import MetadataError, RefusedError, XmanError
from xman.metadata import Metadata, Origin
from xmand.profiles import clients, exclusive, overlays
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

    @contextlib.contextmanager
    def around(self, domain: Domain, *, restores: bool) -> Iterator[Metadata]:
        """Around the start of a domain that is off, whose lock is held; where it is a client, with new disks.

        Unless it goes on where it was (`restores`). Raises RefusedError.
        """
        found = Metadata()
        with contextlib.suppress(MetadataError):  # jobs in it are its trouble then, and keep it from no start
            found = metadata.read(domain)
        if found.origin is not None:
            with self._alone(found.origin.profile):
                self._ready(domain, found.origin, restores=restores)
                yield found
        elif found.profile:
            with self._alone(domain.uuid):
                self._change(domain)
                yield found
        else:
            yield found

    def _alone(self, profile: str) -> contextlib.AbstractContextManager[None]:
        return self.locks.hold(exclusive.key(profile), self.verb, self.deadline, "profile")

    def _ready(self, domain: Domain, origin: Origin, *, restores: bool) -> None:
        profile = clients.profile_of(self.connection, domain, origin)
        require_free(domain, profile)
        if restores:
            return
        if not self.force:
            laboratories.require(profile.name, metadata.read(profile).labs, self.labs)
        if not origin.discard:
            return
        if has := snapshots.in_the_way(domain):
            raise RefusedError(
                f"Domain '{domain.name}' has {has} of what it wrote, and begins anew with each start; delete those"
                " first (snapshot-delete)."
            )
        if lifecycle.suspended(domain):
            # First, or it would go on with disks that it has never seen.
            lifecycle.discard_saved(domain)
        overlays.renewed(self.connection, domain, origin.pool, profile)

    def _change(self, profile: Domain) -> None:
        """Let the profile be changed: nobody has its disks, and what clients have written is gone."""
        found = clients.of(self.connection, profile.uuid)
        exclusive.require(profile.name, found)
        exclusive.require_base(self.connection, profile, [each.uuid for each in found])


def require_free(client: Domain, profile: Domain) -> None:
    """Raise RefusedError where the profile itself runs, and is changed."""
    if not profile.active():
        return
    who = ""
    with contextlib.suppress(XmanError):
        who = metadata.read(profile).administrator
    raise RefusedError(
        f"The profile '{profile.name}' runs itself, and is changed{f' by {who}' if who else ''}; '{client.name}' starts"
        " when it is off."
    )


def renew(connection: RawConnection, locks: DomainLocks, client: Domain, deadline: float) -> bool:
    """Make the disks of a client anew that is off; whether there was anything to do. Under its lock.

    Raises XmanError.
    """
    origin = metadata.read(client).origin
    if origin is None or not origin.discard or client.active():
        return False
    if lifecycle.suspended(client) or snapshots.count(client):
        return False
    with locks.hold(exclusive.key(origin.profile), "discard", deadline, "profile"):
        profile = clients.profile_of(connection, client, origin)
        return not profile.active() and overlays.renewed(connection, client, origin.pool, profile) > 0
