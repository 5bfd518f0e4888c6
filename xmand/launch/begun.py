"""What was begun of a machine's disks, and may be left by a crash: written down before, a file for each machine.

The definition is what counts: until it is there the disks are nobody's, and once it is gone they are again. Whoever
finds a note and no domain removes them; with a domain they are its own.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from xman import values
from xman.errors import NoSuchDomainError, XmanError
from xmand.system.notes import Notes
from xmand.virt import image_pools
from xmand.virt.binding import RawConnection
from xmand.virt.domain import find

FOLDER = "launching"
_ALL = (image_pools.SEED, image_pools.DISK)


@dataclass(frozen=True)
class Begun:
    """The disks of one machine: volumes of `pool`, named by its `uuid`."""

    uuid: str
    name: str
    pool: str
    # What each is, behind the UUID in its name.
    whats: tuple[str, ...] = _ALL


class Beginnings:
    """Those of this host, in a folder of `state_dir`."""

    def __init__(self, state_dir: str) -> None:
        self._notes = Notes(Path(state_dir) / FOLDER)

    def note(self, begun: Begun) -> None:
        """Write it down, durably. Raises RefusedError."""
        self._notes.put(begun.uuid, asdict(begun))

    def forget(self, uuid: str) -> None:
        """Take note that its disks are a domain's, or gone. Raises HypervisorError."""
        self._notes.drop(uuid)

    def pending(self) -> Iterator[Begun]:
        """Give what was begun and has no end."""
        for uuid in self._notes.all():
            if (found := self.of(uuid)) is not None:
                yield found

    def of(self, uuid: str) -> Begun | None:
        """Return what was begun of the machine with this UUID and has no end."""
        note = self._notes.get(uuid) or {}
        try:
            whats = tuple(map(str, note.get("whats", _ALL)))
            begun = Begun(str(note["uuid"]), str(note["name"]), str(note["pool"]), whats)
        except KeyError:
            return None
        return begun if begun.uuid == uuid and values.is_uuid(uuid) else None


def places(connection: RawConnection, begun: Begun) -> list[tuple[str, str]]:
    """Return the name and path of each of a machine's disks that is there. Raises RefusedError and HypervisorError."""
    pool = image_pools.awake(connection, begun.pool)
    names = [image_pools.own(begun.uuid, what) for what in begun.whats]
    return [(name, volume.path()) for name in names if (volume := image_pools.there(pool, name)) is not None]


def settle(connection: RawConnection, begun: Begun) -> list[str]:
    """Delete the disks of a machine that is not, or no more, defined; return the names of those that were there.

    To be called under its lock. Raises RefusedError and HypervisorError where one stays.
    """
    try:
        find(connection, begun.uuid)
    except NoSuchDomainError:
        pass
    else:  # they are the domain's
        return []
    failed: XmanError | None = None
    gone = []
    for name in [image_pools.own(begun.uuid, what) for what in begun.whats]:
        try:
            if image_pools.remove(connection, begun.pool, name):
                gone.append(name)
        except XmanError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return gone
