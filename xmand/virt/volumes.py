"""Images that are volumes of libvirt's storage pools: what can be done to them while no domain has them open."""

from typing import Any

from xman.errors import RefusedError
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import Domain
from xmand.virt.driver import changing
from xmand.virt.errors import reading


class Volume:
    """One volume."""

    def __init__(self, connection: RawConnection, raw: Any, name: str) -> None:
        self._connection = connection
        self._raw = raw
        self._name = name

    def capacity(self) -> int:
        """Return how many octets its guest sees."""
        with reading(self._name):
            return int(self._raw.info()[1])

    def grow(self, octets: int) -> int:
        """Let it have more; return how many it has then."""
        with changing(self._connection, self._name):
            self._raw.resize(octets, 0)
        return self.capacity()


def at(connection: RawConnection, path: str, domain: Domain) -> Volume:
    """Return the volume at `path`, a disk of `domain`, which is off. Raises RefusedError where it is in no pool."""
    try:
        return Volume(connection, connection.storageVolLookupByPath(path), domain.name)
    except api.libvirtError as error:
        raise RefusedError(
            f"Domain '{domain.name}' is off, and '{path}' is in none of libvirt's storage pools; start it, paused or"
            " not: the size of what runs can be changed."
        ) from error
