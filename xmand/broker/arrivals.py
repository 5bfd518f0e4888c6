"""Guests that have come from another host: each stays paused until that host has said that its own copy is no more."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from xman.errors import NoSuchDomainError, RefusedError
from xmand.system.notes import Notes, this_boot
from xmand.virt.binding import RawConnection
from xmand.virt.domain import PAUSED, Domain, find

REASON = "arrived, not confirmed"
# What becomes of the copy: it is the guest now, or the source has kept its own.
GIVEN, KEPT = "given", "kept"


@dataclass(frozen=True)
class Arrival:
    """One of them: the migration's own number, whose it is, and what it is to be.

    `number` is the domain's, and `boot` the run of the kernel, from when it has arrived whole. `stays_paused`: it was
    paused at home. `existed`: it was defined here before it came.
    """

    id: str
    name: str
    uuid: str
    source: str
    stays_paused: bool
    existed: bool
    number: int = -1
    boot: str = ""


class Arrivals:
    """Those of this host."""

    def __init__(self, state_dir: str) -> None:
        self._notes = Notes(Path(state_dir) / "arrivals")

    def begin(self, arrival: Arrival) -> None:
        """Write down that it is about to come. Raises RefusedError, also for an unsettled one, and HypervisorError."""
        other = self.get(arrival.uuid)
        if other is not None and other.source != arrival.source:
            raise RefusedError(f"'{arrival.name}' has arrived from {other.source or 'another host'}, not confirmed.")
        self._notes.put(arrival.uuid, asdict(arrival))

    def arrived(self, arrival: Arrival, number: int) -> None:
        """Write down that it is here whole, as the domain with this number. Raises RefusedError and HypervisorError."""
        self._notes.put(arrival.uuid, asdict(arrival) | {"number": number, "boot": this_boot()})

    def get(self, uuid: str) -> Arrival | None:
        """Return what is written of a domain. Raises HypervisorError."""
        note = self._notes.get(uuid)
        return None if note is None else _read(uuid, note)

    def forget(self, uuid: str) -> None:
        """It is settled. Raises HypervisorError."""
        self._notes.drop(uuid)

    def unconfirmed(self, uuid: str, number: int | None, state: str) -> Arrival | None:
        """Return the arrival that the domain `uuid` is, which has that number and state; None for any other."""
        if state != PAUSED or number is None:
            return None
        arrival = self.get(uuid)
        return arrival if arrival is not None and _same(arrival, number) else None

    def require_confirmed(self, domain: Domain) -> None:
        """Raise RefusedError for a copy of which it is not known whether its guest still runs elsewhere."""
        if self.get(domain.uuid) is None:  # as a rule, and without a call to libvirt
            return
        arrival = self.unconfirmed(domain.uuid, domain.identifier(), domain.state()[0])
        if arrival is not None:
            raise RefusedError(
                f"Domain '{domain.name}' {REASON}: it stays paused until {arrival.source or 'its source'} has said that"
                " it runs there no more. Where that host is gone for good: rxm unpause --take-over."
            )

    def settle(self, connection: RawConnection, arrival: Arrival, decision: str) -> str:
        """Do what the source has decided, under the domain's lock; return what became of the copy.

        Raises HypervisorError where that could not be done; it can be asked for again.
        """
        domain = _find(connection, arrival.uuid)
        if domain is None or not domain.active() or not _same(arrival, domain.identifier()):
            if decision == KEPT and domain is not None and not domain.active():
                _undefine(domain, arrival)
            self.forget(arrival.uuid)
            return "absent"
        state = domain.state()[0]
        # One that has not come whole is no guest, whatever has become of the one at its source.
        if decision == GIVEN and arrival.number >= 0:
            if state == PAUSED and not arrival.stays_paused:
                domain.unpause()
            self.forget(arrival.uuid)
            return "running"
        if state != PAUSED:
            # Somebody has taken it over, past us; what was done knowingly is not undone.
            return "taken over"
        domain.destroy()
        domain = _find(connection, arrival.uuid)
        if domain is not None and not domain.active():
            _undefine(domain, arrival)
        self.forget(arrival.uuid)
        return "dropped"


def _same(arrival: Arrival, number: int | None) -> bool:
    """Whether the domain with this number is what came; until it has come whole, whatever has its UUID."""
    return arrival.number < 0 or (arrival.number == number and arrival.boot == this_boot())


def _undefine(domain: Domain, arrival: Arrival) -> None:
    if not arrival.existed and domain.persistent():
        domain.undefine()


def _find(connection: RawConnection, uuid: str) -> Domain | None:
    try:
        return find(connection, uuid)
    except NoSuchDomainError:
        return None


def _read(uuid: str, note: dict[str, Any]) -> Arrival:
    """Return what a note says; a damaged one is about any copy, of an unknown source."""
    try:
        arrival = Arrival(**{each.name: note[each.name] for each in fields(Arrival)})
        if not isinstance(arrival.number, int) or not isinstance(arrival.id, str):
            raise TypeError
    except (KeyError, TypeError):
        return Arrival("", "", uuid, "", stays_paused=True, existed=True)
    return arrival
