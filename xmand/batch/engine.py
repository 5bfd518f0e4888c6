"""One decision at a time on a host: look, decide, lock, look again, carry out."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from xman import states
from xman.errors import MetadataError, RefusedError, XmanError
from xman.values import MIB
from xmand.batch import hooks, plan
from xmand.batch.guests import Guest
from xmand.batch.hooks import Hooks
from xmand.batch.maintenance import Maintenance
from xmand.batch.observe import Row, Seen, observe
from xmand.batch.parking import Means, Switch, no_line, told
from xmand.batch.plan import Guests, Plan
from xmand.settings import Settings
from xmand.system.locks import DomainLocks
from xmand.virt import connection_pool, size
from xmand.virt.binding import RawConnection
from xmand.virt.described import Descriptions
from xmand.virt.domain import Domain
from xmand.virt.domain_jobs import require_here
from xmand.virt.driver import CHANGE, READ, Driver

logger = logging.getLogger(__name__)

# What the settler's decisions are called, as others are by their verbs.
SETTLE = "settle"
# No name or UUID of a domain has a slash.
_HOST = "/host"
# Somebody outside changes the domains as fast as we look at them.
_TRIES = 3


@dataclass(frozen=True)
class View:
    """What was seen, the state of each domain by name, and since when (seconds since 1970) where that is known."""

    seen: Seen
    states: dict[str, str]
    since: dict[str, float]


@dataclass(frozen=True)
class Decision:
    """A plan, what it was made from and what it led to (the same where it was not carried out)."""

    plan: Plan
    before: View
    after: View
    notes: tuple[str, ...]
    # Whether something that was not asked for in so many words could not be done, and should be tried again.
    incomplete: bool = False


class Engine:
    """The batch side of one host; safe to use from several threads. Methods block: call them in a worker.

    `record` writes a line of the audit. `unconfirmed` tells of a domain, by its UUID, number and state, from which host
    it has come that has not said yet that it runs there no more; empty of any other. `settled` raises RefusedError for
    one whose guest may run at another host.
    """

    def __init__(
        self,
        settings: Settings,
        driver: Driver,
        locks: DomainLocks,
        record: Callable[..., None] = no_line,
        unconfirmed: Callable[[str, int | None, str], str] = lambda _uuid, _number, _state: "",
        settled: Callable[[Domain], None] = lambda _domain: None,
    ) -> None:
        self._record = record
        self.unconfirmed = unconfirmed
        self._settled = settled
        self.maintenance = Maintenance(settings.state_dir)
        self._driver = driver
        self._locks = locks
        self.configure(settings)
        self._known: dict[str, tuple[str, float | None]] = {}
        self._known_lock = threading.Lock()
        self._descriptions = Descriptions()
        # Whether a domain had a job, or a claim, when the host was last looked at, of this start or of an earlier one.
        self.has_jobs = False
        # Told in how many seconds the next lease, or claim, ends.
        self.tell_term: Callable[[float], None] = lambda _seconds: None

    def configure(self, settings: Settings) -> None:
        """Use other settings, for what begins after this."""
        self.settings = settings.batch
        self._patience = settings.limits.patience
        self._hooks = Hooks(settings.batch.hooks, settings.batch.hook_seconds)

    def look(self, purpose: str = READ, held: Mapping[str, Row] = MappingProxyType({})) -> View:
        """Return what there is to see now, but for what is `held` (`observe`). Raises HypervisorError."""
        return self._view(observe(self._driver.connection(purpose), self.settings, held, self._descriptions))

    def park_at_once(self, domain: Domain) -> tuple[str, ...]:
        """Ask a domain that was just started for what it may not have; return what is to be said of that.

        Where another domain has the host for good it gets nothing, and nobody waits for its boot. Its guest gives back
        what it has as soon as it can; the settler looks after it.
        """
        if not self.has_jobs:
            return ()
        guests = self.look(CHANGE).seen.guests
        owner = plan.owner_beside(guests, domain.name)
        own = next((guest for guest in guests if guest.name == domain.name), None)
        if owner is None or own is None or own.jobs:
            return ()
        with contextlib.suppress(XmanError):  # no balloon, or not yet
            size.ask_memory(domain, min(own.memory, self.settings.parked_memory * MIB))
        return (f"'{owner.name}' has the host, so '{domain.name}' is parked at once.",)

    def decide(
        self,
        verb: str,
        planner: Callable[[Guests], Plan],
        deadline: float,
        *,
        purpose: str = CHANGE,
        dry_run: bool = False,
        progress: Callable[[str], None] = lambda _text: None,
    ) -> Decision:
        """Carry out what `planner` makes of the host. Raises what it does, and RefusedError (busy, stuck, migrating).

        The host's lock comes before those of its domains, and those in the order of their UUIDs; all other verbs hold
        one domain's lock only, so that nobody waits in a circle.
        """
        with connection_pool.session(progress), self._locks.hold(_HOST, verb, deadline, "host"):
            connection = self._driver.connection(purpose)
            for _try in range(_TRIES):
                before = self._looked(connection)
                wanted = planner(before.seen.guests)
                for name in dict.fromkeys(step.domain for step in wanted.steps):
                    require_here(before.seen.domains[name])
                    self._settled(before.seen.domains[name])
                if dry_run or not wanted.steps:
                    return Decision(wanted, before, before, wanted.notes)
                with self._holding(before.seen, wanted, verb, deadline):
                    before = self._looked(connection)
                    if planner(before.seen.guests) == wanted:
                        done = self._carry_out(connection, before, wanted, verb, progress)
                        break
            else:
                raise RefusedError("The domains of this host keep changing; try again. Nothing was changed.")
        # Without the lock: a hook may call us.
        self._tell_states(done)
        return done

    def _carry_out(
        self, connection: RawConnection, before: View, wanted: Plan, verb: str, progress: Callable[[str], None]
    ) -> Decision:
        # The settler has lines of its own.
        record = partial(self._record, ev="switch", verb=verb) if verb != SETTLE else no_line
        switch = Switch(Means(self.settings, self._hooks, self._patience, progress, record), before.seen)
        switch.carry_out(wanted.steps)
        after = self._looked(connection)
        return Decision(wanted, before, after, (*wanted.notes, *switch.notes), switch.incomplete)

    @contextlib.contextmanager
    def _holding(self, seen: Seen, wanted: Plan, verb: str, deadline: float) -> Iterator[None]:
        uuids = sorted({seen.domains[step.domain].uuid for step in wanted.steps})
        with contextlib.ExitStack() as held:
            for uuid in uuids:
                held.enter_context(self._locks.hold(uuid, verb, deadline))
            yield

    def _looked(self, connection: RawConnection) -> View:
        """Return what there is to see. Raises MetadataError where something of it cannot be read: it may be a job."""
        seen = observe(connection, self.settings, descriptions=self._descriptions)
        for problem in seen.problems:
            raise MetadataError(problem)
        return self._view(seen)

    def _view(self, seen: Seen) -> View:
        found = states.states(seen.guests)
        self.has_jobs = any(guest.jobs or guest.stale or guest.ended or guest.claimed for guest in seen.guests)
        terms = [guest.term for guest in seen.guests if guest.term is not None]
        if terms:
            self.tell_term(min(terms))
        since: dict[str, float] = {}
        with self._known_lock:
            for guest in seen.guests:
                state = found[guest.name]
                known = self._known.get(guest.uuid)
                if known is None:
                    # How long it has been so nobody saw, but for a preemption, whose clock is kept.
                    began = guest.preempted_since if state == states.PREEMPTED else None
                    known = (state, began)
                elif known[0] != state:
                    known = (state, time.time())
                self._known[guest.uuid] = known
                if known[1] is not None:
                    since[guest.name] = known[1]
            present = {guest.uuid for guest in seen.guests}
            self._known = {uuid: known for uuid, known in self._known.items() if uuid in present}
        return View(seen, found, since)

    def _tell_states(self, done: Decision) -> None:
        for guest in done.after.seen.guests:
            change = state_change(guest, done)
            if change:
                self._hooks.run(hooks.STATE, told(guest) | change)


def state_change(guest: Guest, done: Decision) -> dict[str, Any]:
    """Return from which state to which a decision took a domain; nothing where it stayed."""
    old, new = done.before.states.get(guest.name), done.after.states[guest.name]
    return {} if old == new else {"from": old, "to": new}
