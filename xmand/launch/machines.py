"""The machines that this host makes of images: whose they are, and which are being made."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from xman.errors import MetadataError, NoSuchDomainError
from xman.metadata import Instance
from xmand.launch import shares
from xmand.launch.begun import Beginnings
from xmand.launch.shares import Reservations, Share
from xmand.settings.launch import Launch
from xmand.system.locks import DomainLocks
from xmand.virt import metadata
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain, find_all
from xmand.virt.image_pools import Looks

# Under which what one principal has is counted, and more is begun: by one at a time.
_LOCK = "what is launched"


@dataclass
class Machines:
    """Those of one xmand."""

    notes: Beginnings
    reservations: Reservations = field(default_factory=Reservations)
    # How what there is to launch is looked at.
    looks: Looks = field(default_factory=Looks)
    # Set where there is something new for whoever keeps them.
    changed: threading.Event = field(default_factory=threading.Event)

    def share(self, connection: RawConnection, owner: str) -> Share:
        """Return what `owner` has here, and is being given."""
        found = {domain.uuid: instance for domain, instance in each(connection) if instance.owner == owner}
        return shares.total((self.reservations.pending(owner) | found).values())

    @contextlib.contextmanager
    def reserved(
        self,
        connection: RawConnection,
        uuid: str,
        instance: Instance,
        limit: Launch | None,
        locks: DomainLocks,
        deadline: float,
    ) -> Iterator[None]:
        """Count a machine as its owner's while it is being made; where there is a `limit`, only if that allows it.

        Raises RefusedError.
        """
        with contextlib.ExitStack() as held:
            with locks.hold(_LOCK, "launch", deadline, what="host"):
                if limit is not None:
                    # Read under the lock: who is counted meanwhile is there, or is reserved.
                    shares.require(self.share(connection, instance.owner), shares.of(instance), shares.most(limit))
                held.enter_context(self.reservations.made(uuid, instance))
            yield


def each(connection: RawConnection) -> Iterator[tuple[Domain, Instance]]:
    """Give each domain that was launched here. Raises HypervisorError."""
    for domain in find_all(connection):
        with contextlib.suppress(NoSuchDomainError, MetadataError):  # what cannot be read is nobody's
            instance = metadata.read(domain).instance
            if instance is not None:
                yield domain, instance
