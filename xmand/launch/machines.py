"""The machines that this host makes of images: whose they are, and which are being made."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from xman.errors import MetadataError, NoSuchDomainError
from xman.metadata import Instance
from xmand.launch import shares
from xmand.launch.begun import Beginnings
from xmand.launch.shares import Reservations, Share
from xmand.settings.launch import Launch
from xmand.system.locks import DomainLocks
from xmand.virt import metadata
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain, find, find_all
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
    # What the model knows of them, where there is one: of thousands of domains only those are read that have changed.
    known: Callable[[], Mapping[str, Instance]] | None = None

    def found(self, connection: RawConnection) -> Mapping[str, Instance]:
        """Return those that there are, by UUID. Raises HypervisorError."""
        if self.known is not None:
            return self.known()
        return {uuid: instance for uuid, instance in read(connection).items() if instance is not None}

    def share(self, connection: RawConnection, owner: str) -> Share:
        """Return what `owner` has here, and is being given."""
        # In this order: who is defined meanwhile is in the one or in the other.
        pending = self.reservations.pending(owner)
        found = {uuid: instance for uuid, instance in self.found(connection).items() if instance.owner == owner}
        return shares.total((pending | found).values())

    def names(self, connection: RawConnection, owner: str) -> list[str]:
        """Return what `owner` calls those that he has here."""
        names = []
        for uuid, instance in self.found(connection).items():
            if instance.owner == owner:
                with contextlib.suppress(NoSuchDomainError):
                    names.append(find(connection, uuid).name)
        return sorted(names)

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


def read(
    connection: RawConnection, held: Mapping[str, Instance | None] = MappingProxyType({})
) -> dict[str, Instance | None]:
    """Return of each domain what it was launched as, by UUID; what `held` has is not read. Raises HypervisorError."""
    found: dict[str, Instance | None] = {}
    for domain in find_all(connection):
        if domain.uuid in held:
            found[domain.uuid] = held[domain.uuid]
            continue
        with contextlib.suppress(NoSuchDomainError):
            found[domain.uuid] = _instance(domain)
    return found


def _instance(domain: Domain) -> Instance | None:
    try:
        return metadata.read(domain).instance
    except MetadataError:  # what cannot be read is nobody's
        return None
