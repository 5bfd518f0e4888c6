"""Guests that have come from another host: each stays paused until that host has said that its own copy is no more."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from xman.errors import HypervisorError, NoSuchDomainError, RefusedError
from xmand.system.locks import DomainLocks
from xmand.system.notes import Notes, this_boot
from xmand.system.settling import Settling
from xmand.virt import connection_pool
from xmand.virt.binding import RawConnection
from xmand.virt.domain import PAUSED, Domain, find
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 1.0
_OFF = "shutoff"
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

    def told(self) -> str:
        """Return what is said of it."""
        return f"came of '{self.name}' from {self.source or 'another host'}"


class Arrivals:
    """Those of this host."""

    def __init__(self, state_dir: str) -> None:
        self._notes = Notes(Path(state_dir) / "arrivals")
        self._changed: Callable[[str], None] = lambda _uuid: None

    def on_change(self, changed: Callable[[str], None]) -> None:
        """Have `changed` called, with its UUID, when something else is to be told of a domain."""
        self._changed = changed

    def begin(self, arrival: Arrival) -> None:
        """Write down that it is about to come, under the locks of its name and UUID; no such domain runs here.

        Raises RefusedError and HypervisorError.
        """
        other = self.get(arrival.uuid)
        if other is not None and other.source != arrival.source:
            logger.warning("'%s' comes from %s: what %s is forgotten", arrival.name, arrival.source, other.told())
        self._notes.put(arrival.uuid, asdict(arrival))
        self._changed(arrival.uuid)

    def arrived(self, arrival: Arrival, number: int) -> None:
        """Write down that it is here whole, as the domain with this number. Raises RefusedError and HypervisorError."""
        self._notes.put(arrival.uuid, asdict(arrival) | {"number": number, "boot": this_boot()})
        self._changed(arrival.uuid)

    def all(self) -> list[Arrival]:
        """Return what is written of all. Raises HypervisorError."""
        return [_read(uuid, note) for uuid, note in self._notes.all().items()]

    def get(self, uuid: str) -> Arrival | None:
        """Return what is written of a domain. Raises HypervisorError."""
        note = self._notes.get(uuid)
        return None if note is None else _read(uuid, note)

    def forget(self, uuid: str) -> None:
        """It is settled. Raises HypervisorError."""
        self._notes.drop(uuid)
        self._changed(uuid)

    def whence(self, uuid: str, number: int | None, state: str) -> str:
        """Return from which host the domain has come that `unconfirmed` would return; empty for any other."""
        with contextlib.suppress(HypervisorError):  # what cannot be read is said where something is to be done to it
            arrival = self.unconfirmed(uuid, number, state)
            return "" if arrival is None else arrival.source or "unknown"
        return ""

    def unconfirmed(self, uuid: str, number: int | None, state: str) -> Arrival | None:
        """Return the arrival that the domain `uuid` is, which has that number and state; None for any other.

        Also of one that has ended since, by itself or with this host: it may run at its source, and is not started.
        """
        arrival = self.get(uuid) if state in (PAUSED, _OFF) else None
        if arrival is None:
            return None
        if state == _OFF:
            # What was defined here before is so still where nothing has come.
            return None if arrival.id and arrival.existed and arrival.number < 0 else arrival
        return arrival if number is not None and _same(arrival, number) else None

    def require_confirmed(self, domain: Domain) -> None:
        """Raise RefusedError for a copy of which it is not known whether its guest still runs elsewhere."""
        if self.get(domain.uuid) is None:  # as a rule, and without a call to libvirt
            return
        state = domain.state()[0]
        arrival = self.unconfirmed(domain.uuid, domain.identifier(), state)
        if arrival is not None:
            stays = "paused" if state == PAUSED else "off"
            raise RefusedError(
                f"Domain '{domain.name}' {REASON}: it stays {stays} until {arrival.source or 'its source'} confirms"
                " that it no longer runs there. If that host is gone for good, use rxm unpause --take-over."
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


class LeftArrivals(Settling[Arrival]):
    """Those of which nothing is here any more, and whose source says nothing: forgotten, so that nobody trips over one.

    `audit` writes a line.
    """

    def __init__(self, arrivals: Arrivals, driver: Driver, locks: DomainLocks, audit: Callable[..., None]) -> None:
        super().__init__("arrivals")
        self._arrivals = arrivals
        self._driver = driver
        self._locks = locks
        self._audit = audit
        # By UUID, the one of which nothing was here at the last look.
        self._nothing: dict[str, Arrival] = {}

    def pending(self) -> Iterable[Arrival]:
        """Return all."""
        return self._arrivals.all()

    def told(self, left: Arrival) -> str:
        """Return what it is called."""
        return f"what {left.told()} ({left.uuid})"

    def settle(self, left: Arrival) -> None:
        """Forget it where nothing is here of it. Raises HypervisorError for a copy that waits for its source's word."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._locks.hold(left.uuid, "settle", time.monotonic() + _LOCK_SECONDS))
            except RefusedError:  # it is on its way just now
                return
            held.enter_context(connection_pool.session())
            self._look(left)

    def _look(self, left: Arrival) -> None:
        domain = _find(self._driver.connection(CHANGE), left.uuid)
        if domain is not None and (not domain.active() or _same(left, domain.identifier())):
            self._nothing.pop(left.uuid, None)
            if domain.state()[0] == PAUSED:
                raise HypervisorError(
                    f"it waits, paused, until {left.source or 'its source'} says whether it runs there"
                )
        elif self._nothing.get(left.uuid) != left:
            # Once more: a libvirt that was asked to make it, and whose xmand was killed, may still be at it.
            self._nothing[left.uuid] = left
        else:
            self._arrivals.forget(left.uuid)
            del self._nothing[left.uuid]
            self._audit(ev="settled", dom=left.name, uuid=left.uuid, detail=f"nothing {left.told()}")


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
