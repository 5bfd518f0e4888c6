"""How much of this host one principal's machines may have: by what they were given, and will be."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from xman import values
from xman.errors import RefusedError
from xman.metadata import Instance
from xmand.settings.launch import Launch


@dataclass(frozen=True)
class Share:
    """So many machines, with so much memory and disk (octets) and so many CPUs together."""

    machines: int = 0
    memory: int = 0
    vcpus: int = 0
    disk: int = 0

    def __add__(self, other: "Share") -> "Share":
        return Share(
            self.machines + other.machines,
            self.memory + other.memory,
            self.vcpus + other.vcpus,
            self.disk + other.disk,
        )

    def facts(self) -> dict[str, int]:
        """Return it as results have it."""
        return {"machines": self.machines, "memory": self.memory, "vcpus": self.vcpus, "disk": self.disk}


def most(settings: Launch) -> Share:
    """Return what one principal may have."""
    return Share(settings.per_principal, values.memory(settings.memory), settings.vcpus, values.memory(settings.disk))


def of(instance: Instance) -> Share:
    """Return what one machine was given."""
    return Share(1, instance.memory, instance.vcpus, instance.disk)


def total(instances: Iterable[Instance]) -> Share:
    """Return what several have together."""
    found = Share()
    for instance in instances:
        found += of(instance)
    return found


def require(used: Share, wanted: Share, limit: Share) -> None:
    """Raise RefusedError where that would be more than one may have, with the number."""
    after = used + wanted
    parts = (
        (after.machines, limit.machines, used.machines, f"{limit.machines} machines", f"{used.machines}"),
        (after.memory, limit.memory, used.memory, f"{_mib(limit.memory)} MiB of memory", _mib(used.memory)),
        (after.vcpus, limit.vcpus, used.vcpus, f"{limit.vcpus} CPUs", f"{used.vcpus}"),
        (after.disk, limit.disk, used.disk, f"{_mib(limit.disk)} MiB of disk", _mib(used.disk)),
    )
    for would, may, _has, most_text, has_text in parts:
        if would > may:
            raise RefusedError(
                f"You may have {most_text} on this host, and have {has_text}; terminate one of yours, or try another"
                " host."
            )


def _mib(octets: int) -> str:
    return str(octets // values.MIB)


class Reservations:
    """Machines that are being made, by UUID: what they will have counts before libvirt knows of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Instance] = {}

    def pending(self, owner: str) -> dict[str, Instance]:
        """Return those of `owner`."""
        with self._lock:
            return {uuid: each for uuid, each in self._made.items() if each.owner == owner}

    @contextlib.contextmanager
    def made(self, uuid: str, instance: Instance) -> Iterator[None]:
        """Count it until this ends."""
        with self._lock:
            self._made[uuid] = instance
        try:
            yield
        finally:
            with self._lock:
                del self._made[uuid]
