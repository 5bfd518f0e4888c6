"""Guests that leave by a migration that xmand carries: where each of them runs is decided here, once, and written down.

The copy at the other host stays paused until it hears the decision, so this host alone can make it: GIVEN, once its
libvirt has been told that the guest has arrived, or has let it go; KEPT, where the guest is here and the migration is
over. What the other host has not heard it is told again and again, over restarts of both.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from xman.between import MIGRATE_SETTLE
from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UnreachableError, XmanError
from xmand.broker.arrivals import GIVEN, KEPT, Arrivals
from xmand.broker.far import reached
from xmand.settings import Settings
from xmand.system.locks import DomainLocks
from xmand.system.notes import Notes, this_boot
from xmand.system.own_connection import LostError
from xmand.system.settling import Complaints
from xmand.virt import connection_pool, lifecycle
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import PAUSED, Domain, find
from xmand.virt.domain_jobs import at_rest
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

_SECONDS = 10.0
# Between two tries to tell the other host: at first soon.
_LEAST_PAUSE, _MOST_PAUSE = 1.0, 60.0
_LOCK_SECONDS = 5.0

# That it was started here, and has not come.
_BOOTED = ("running", int(api.VIR_DOMAIN_RUNNING_BOOTED))
# Why a domain is off whose guest has left: by libvirt's end of the migration; by a libvirtd that was started since, and
# knows no reason, or could not go on with its QEMU; or by our own hand, where what comes behind that failed.
_GONE = (
    api.VIR_DOMAIN_SHUTOFF_MIGRATED,
    api.VIR_DOMAIN_SHUTOFF_UNKNOWN,
    api.VIR_DOMAIN_SHUTOFF_CRASHED,
    api.VIR_DOMAIN_SHUTOFF_FAILED,
    api.VIR_DOMAIN_SHUTOFF_DAEMON,
    api.VIR_DOMAIN_SHUTOFF_DESTROYED,
)


@dataclass(frozen=True)
class Departure:
    """One of them. `paused`: before it began; `decision`: empty until there is one.

    `number` is the domain's, in the run `boot` of the kernel: whatever has another one is no copy of what left.
    `starts`: it is started with this host; not while it leaves, or a host that went down in the wrong moment would
    start what runs elsewhere.
    """

    id: str
    name: str
    uuid: str
    to: str
    paused: bool
    persistent: bool
    number: int
    boot: str
    decision: str = ""
    starts: bool = False


class Departures:
    """Those of this host; `audit` writes a line."""

    def __init__(self, settings: Settings, driver: Driver, locks: DomainLocks, audit: Callable[..., None]) -> None:
        self.settings = settings
        self._driver = driver
        self._locks = locks
        self._audit = audit
        self._notes = Notes(Path(settings.state_dir) / "departures")
        # Those whose verb is still at it.
        self._live: set[str] = set()
        self._deciding = threading.Lock()
        self._wake = threading.Event()
        self._complaints = Complaints()

    def start(self) -> None:
        """Settle what is left, in a thread, until the process ends."""
        threading.Thread(target=self._work, name="departures", daemon=True).start()

    def begin(self, departure: Departure) -> None:
        """Write down that one begins. Raises HypervisorError; RefusedError, also where an earlier one is undecided."""
        for note in self._all():
            if note.uuid == departure.uuid and not note.decision:
                self._wake.set()
                raise _undecided(note)
        self._live.add(departure.id)
        try:
            self._notes.put(departure.id, asdict(departure))
        except XmanError:
            self._live.discard(departure.id)
            raise

    def decide(self, departure: Departure, decision: str) -> Departure:
        """Write down a decision; one that there is already stands. Raises HypervisorError."""
        with self._deciding:
            now = self.get(departure.id) or departure
            if now.decision:
                return now
            decided = replace(now, decision=decision)
            try:
                self._notes.put(departure.id, asdict(decided))
            except RefusedError as error:  # whatever has moved has moved
                raise HypervisorError(f"this host cannot record where it runs: {error.__cause__}") from error
            return decided

    def get(self, identifier: str) -> Departure | None:
        """Return what is written."""
        note = self._notes.get(identifier)
        return None if note is None else _read(note)

    def gave(self, uuid: str) -> bool:
        """Whether a domain's guest has left, and what is here of it is not carried out yet. Raises HypervisorError."""
        return any(note.uuid == uuid and note.decision == GIVEN for note in self._all())

    def require_kept(self, domain: Domain) -> None:
        """Raise RefusedError for what is left here of a guest that has gone, and while it is not known whether it has.

        A migration that is under way has the domain's lock.
        """
        for note in self._all():
            if note.uuid != domain.uuid or note.id in self._live:
                continue
            if not note.decision:
                self._wake.set()
                raise _undecided(note)
            if note.decision == GIVEN and _is_left_over(domain, note):
                self._wake.set()
                raise RefusedError(
                    f"The guest of '{domain.name}' has left for {note.to}; what is still here of it is about to be"
                    " removed."
                )

    def came_back(self, uuid: str) -> None:
        """The guest is here again: what is written of its having left is no reason to remove anything any more."""
        for note in self._all():
            if note.uuid == uuid and note.decision == GIVEN and note.id not in self._live:
                self.forget(note)

    def forget(self, departure: Departure) -> None:
        """The other host has heard it, or never knew, and here it is carried out."""
        self._notes.drop(departure.id)

    def leave(self, departure: Departure) -> None:
        """Its verb is over: what is not settled is settled beside everything else."""
        self._live.discard(departure.id)
        self._wake.set()

    # --- deciding and telling ----------------------------------------------------------------------------------------

    def judge(self, connection: RawConnection, departure: Departure) -> tuple[Departure, bool]:
        """Decide by what libvirt says here now, under the domain's lock, where that can be; carry it out here.

        Returns it, undecided where libvirt is still at work, or nothing tells; and whether it is carried out here.
        Raises XmanError where libvirt does not answer.
        """
        domain = _find(connection, departure.uuid)
        if domain is not None and not at_rest(domain):
            return departure, False
        if not departure.decision:
            decision = _by_state(domain, departure)
            if not decision:
                return departure, False
            departure = self.decide(departure, decision)
        if domain is None:
            return departure, True
        if departure.decision == GIVEN:
            self._remove(domain, departure)
            return departure, True
        if _same(domain, departure) and domain.state()[0] == PAUSED and not departure.paused:
            # Its images may still be the copy's; it is tried again once that is gone.
            with contextlib.suppress(XmanError):
                domain.unpause()
        if departure.starts and domain.persistent() and not lifecycle.autostart(domain):
            lifecycle.set_autostart(domain, True)
        return departure, True

    def tell(self, departure: Departure, seconds: float = _SECONDS) -> None:
        """Tell the other host what is decided. Raises XmanError where it does not take it; it can be told again."""
        far = reached(self.settings, departure.to, seconds)
        try:
            far.ask(
                [MIGRATE_SETTLE.name, "--", departure.id, departure.name, departure.uuid, departure.decision],
                seconds,
            )
        except LostError as error:
            raise UnreachableError(f"{departure.to}: {error}.") from error
        finally:
            far.close()

    def _remove(self, domain: Domain, departure: Departure) -> None:
        """Let nothing of a guest stay here that is the other host's: libvirt did not come to that."""
        if domain.active():
            if not _same(domain, departure):
                if domain.state() == _BOOTED:
                    logger.error(
                        "'%s' was started here again, though its guest was given to %s: look there; only one may run",
                        domain.name,
                        departure.to,
                    )
                return
            if domain.state()[0] != PAUSED:
                logger.error("'%s' runs here, though it was given to %s: destroyed here", domain.name, departure.to)
            domain.destroy()
            found = _find(domain.raw.connect(), departure.uuid)
            if found is None or found.active():
                return
            domain = found
        elif not _is_left_over(domain, departure):
            return
        if departure.persistent and domain.persistent():
            domain.undefine()

    def _work(self) -> None:
        pause = _LEAST_PAUSE
        while True:
            left = self._settle_all()
            pause = min(_MOST_PAUSE, pause * 2) if left else _MOST_PAUSE
            if self._wake.wait(pause):
                self._wake.clear()
                pause = _LEAST_PAUSE

    def _settle_all(self) -> bool:
        """Settle what can be; return whether something is left."""
        left = False
        try:
            notes = self._all()
        except XmanError as error:
            logger.error("%s", error)
            return True
        # Hosts that do not answer in this round: others' guests do not wait for each of theirs.
        away: dict[str, UnreachableError] = {}
        for departure in notes:
            if departure.id in self._live:
                continue
            try:
                settled = self._settle(departure, away)
                why = "" if settled else "libvirt is still working on it, or it is not known where it runs"
            except XmanError as error:
                settled, why = False, str(error)
            except Exception:
                logger.exception("the migration of '%s' cannot be settled", departure.name)
                settled, why = False, "see the traceback"
            left |= not settled
            if why:
                about = f"the migration of '{departure.name}' to {departure.to}"
                self._complaints.say(departure.id, f"{about} is not settled: {why}")
        self._complaints.keep(departure.id for departure in notes)
        return left

    def _settle(self, departure: Departure, away: dict[str, UnreachableError]) -> bool:
        departure, done = self._judged(departure)
        if not departure.decision:
            return False
        if departure.to in away:
            raise away[departure.to]
        try:
            self.tell(departure)
        except UnreachableError as error:
            away[departure.to] = error
            raise
        if departure.decision == KEPT:
            # Now that the copy is gone its images are free.
            departure, done = self._judged(departure)
            self._tell_of_start(departure)
        if not done:
            return False
        self.forget(departure)
        self._audit(
            ev="settled", dom=departure.name, uuid=departure.uuid, detail=f"{departure.decision}, {departure.to}"
        )
        return True

    def _tell_of_start(self, departure: Departure) -> None:
        """Say of a guest that this host would have started, had it not gone down while that was leaving."""
        if departure.starts and departure.boot != this_boot():
            logger.warning(
                "'%s' was on its way to %s when this host went down, and was not started with it: start it",
                departure.name,
                departure.to,
            )

    def _judged(self, departure: Departure) -> tuple[Departure, bool]:
        # Only meanwhile: the other host may keep us waiting, and libvirt's connections are few.
        lock = self._locks.hold(departure.uuid, "settle", time.monotonic() + _LOCK_SECONDS)
        with connection_pool.session(), lock:
            return self.judge(self._driver.connection(CHANGE), departure)

    def _all(self) -> list[Departure]:
        return [found for note in self._notes.all().values() if (found := _read(note)) is not None]


def require_settled(
    arrivals: Arrivals, departures: Departures | None, domain: Domain, *, takes_over: bool = False
) -> None:
    """Raise RefusedError for a domain whose guest may run at another host, or does, by a migration of xmand's.

    Whoever `takes_over` answers for it that its source is gone.
    """
    if not takes_over:
        arrivals.require_confirmed(domain)
    if departures is not None:
        departures.require_kept(domain)


def _by_state(domain: Domain | None, departure: Departure) -> str:
    """Return where the guest is, by what libvirt has here once it is at rest; empty where that tells nothing."""
    if domain is None:
        # Its definition went with its guest. One that was never defined may also have ended by itself.
        return GIVEN if departure.persistent else ""
    if domain.active():
        return KEPT
    _state, reason = domain.state()
    return GIVEN if reason == api.VIR_DOMAIN_SHUTOFF_MIGRATED else KEPT


def _is_left_over(domain: Domain, departure: Departure) -> bool:
    """Whether what is here is what its guest has left behind."""
    return _same(domain, departure) if domain.active() else domain.state()[1] in _GONE


def _undecided(departure: Departure) -> RefusedError:
    return RefusedError(
        f"It is not yet known how the last migration of '{departure.name}', to {departure.to}, ended;"
        " try again in a moment."
    )


def _same(domain: Domain, departure: Departure) -> bool:
    """Whether a domain is still the one that was to leave, in the same run of it."""
    return departure.boot == this_boot() and domain.identifier() == departure.number


def _find(connection: RawConnection, uuid: str) -> Domain | None:
    try:
        return find(connection, uuid)
    except NoSuchDomainError:
        return None


def _read(note: dict[str, Any]) -> Departure | None:
    with contextlib.suppress(TypeError):
        return Departure(**{each.name: note[each.name] for each in fields(Departure) if each.name in note})
    return None
