"""What a verb gets to work with."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from xman.arguments import Parsed
from xman.errors import NoSuchDomainError, RefusedError
from xman.grammar import Verb
from xman.result import Result
from xmand.audit.message_buffer import Ring
from xmand.authorize import Access
from xmand.batch.engine import Engine
from xmand.broker.arrivals import Arrivals
from xmand.broker.departures import Departures, require_settled
from xmand.consoles.by_name import ByName
from xmand.consoles.hub import Hubs
from xmand.consoles.logged_on import LoggedOn
from xmand.consoles.past_us import PastUs
from xmand.consoles.present import Present
from xmand.consoles.served import Served
from xmand.events import Events
from xmand.events.table import Waits
from xmand.journal import Journal
from xmand.launch.machines import Machines
from xmand.model import Model
from xmand.settings import Settings
from xmand.system.locks import DomainLocks
from xmand.system.workers import OWN, Whose
from xmand.virt.binding import RawConnection, RawDomain
from xmand.virt.copying import Copies
from xmand.virt.domain import Domain, find, held_milliseconds
from xmand.virt.domain_jobs import require_here
from xmand.virt.driver import CHANGE, READ, Driver
from xmand.virt.monitor import Ask, Monitors
from xmand.virt.uploads import Uploads
from xmand.virt.volume_copies import Place

# A guest whose monitor is busy for so long stands still; one on a host that has too much to do answers sooner.
_STILL_MILLISECONDS = 5000


@dataclass(frozen=True)
class Host:
    """What all commands of this daemon share."""

    settings: Settings
    driver: Driver
    locks: DomainLocks
    ring: Ring
    batch: Engine
    events: Events
    journal: Journal
    model: Model
    # How many lines syslog did not take, since xmand was started.
    audit_lost: Callable[[], int] = lambda: 0
    # Without them guests are not asked each for itself.
    monitors: Monitors | None = None
    # Without them there are no consoles.
    consoles: Hubs | None = None
    kept_by_name: ByName = field(default_factory=lambda: ByName(""))
    present: Present = field(default_factory=Present)
    copies: Copies = field(default_factory=lambda: Copies("", ""))
    # Guests that have come from other hosts, and those that leave: only where xmand carries migrations itself.
    arrivals: Arrivals = field(default_factory=lambda: Arrivals(""))
    departures: Departures | None = None
    # Without them nothing is launched.
    machines: Machines | None = None
    past_us: PastUs = field(default_factory=PastUs)
    # Without it no guest is asked who is logged on there.
    logged_on: LoggedOn | None = None
    # Without it nothing is uploaded.
    uploads: Uploads | None = None


class Record:
    """What the audit is to know of a change beyond its words; this one keeps nothing."""

    def found(self, uuid: str) -> None:
        """Say which domain it is about."""

    def intends(self, name: str, uuid: str, *, replaces: bool = False, makes: Sequence[Place] = ()) -> None:
        """Say, durably, which domain is about to be defined; `replaces` is whether there is one already.

        `makes` are the volumes that are made for it before that: which of them are there is looked up before it is
        judged.

        Raises RefusedError where that cannot be written down.
        """

    def changes_volume(self, volume: Place) -> None:
        """Say, durably, which volume, of no domain, is about to be made or deleted; as `intends` besides."""
        self.intends("", "", makes=[volume])

    def promises(self, facts: dict[str, Any]) -> None:
        """Say, durably, what is to be done later, so that it is after a restart (`xmand.dispatch.promises`).

        Raises RefusedError where that cannot be written down.
        """


@dataclass(frozen=True)
class Call:
    """One command, authorized, its words read."""

    host: Host
    principal: str
    access: Access
    parsed: Parsed
    # time.monotonic() at which the caller will be told that there is no answer.
    deadline: float
    # Says something to the caller while the command runs; never blocks.
    progress: Callable[[str], None]
    # For commands that follow: hands a part of the reply to the caller; without one, only raises where there is nobody
    # to be told anything any more.
    emit: Callable[[Result | None], None] = lambda _part: None
    record: Record = field(default_factory=Record)
    # Whether a program asks, which holds the answer whole.
    as_json: bool = False
    # On whose account it is.
    whose: Whose = OWN

    @property
    def verb(self) -> Verb:
        """The verb."""
        return self.parsed.verb

    def new_uuid(self) -> str:
        """Return the UUID of what is to be defined: the same request defines the same domain."""
        rid = self.parsed.options.get("rid")
        return str(uuid5(NAMESPACE_URL, f"xman:{self.principal}:{rid}") if rid else uuid4())

    @property
    def from_model(self) -> bool:
        """Whether the model may answer: to whoever allows an age, and may see the whole host."""
        return self.parsed.max_age > 0 and not self.access.restricted

    @property
    def reader(self) -> RawConnection:
        """A connection that cannot change anything."""
        return self.host.driver.connection(READ)

    def more_readers(self) -> list[RawConnection]:
        """Return more connections like `reader`, for what takes a call per domain."""
        return self.host.driver.more_readers()

    @property
    def ask(self) -> Ask | None:
        """What asks guests for what only they know; None where they are not asked each for itself."""
        return None if self.host.monitors is None else self.host.monitors.ask

    @property
    def writer(self) -> RawConnection:
        """A connection that can."""
        return self.host.driver.connection(CHANGE)

    def shown(self, uuid: str) -> bool:
        """Whether a list may show the domain `uuid` to the caller; one that has gone is nobody's any more."""
        if not self.access.restricted:
            return True
        with contextlib.suppress(NoSuchDomainError):
            return self.access.shows(find(self.reader, uuid))
        return False

    def domain(self) -> Domain:
        """Return the DOMAIN of a verb that only looks at it. Raises NoSuchDomainError."""
        return find(self.reader, self.parsed.text("DOMAIN"))

    @contextlib.contextmanager
    def changing(self, purpose: str = CHANGE, *, forgets: bool = False) -> Iterator[Domain]:
        """Give the DOMAIN of a verb that changes it, locked against other changes.

        One that only `forgets` what is off may do so also where its guest may run at another host: nothing runs by it.

        Raises NoSuchDomainError, UsageError (an id for a verb that loses data), RefusedError (busy, Xen's own domain,
        or one on its way from or to another host, which may only be destroyed), and UnknownOutcomeError where libvirt
        is lost once something was changed.
        """
        connection = self.host.driver.connection(purpose)
        domain = find(connection, self.parsed.text("DOMAIN"), allow_id=not self.verb.loses_data)
        if domain.privileged() and self.verb.family != "tune":
            raise RefusedError(f"Cannot {self.verb.name} privileged domain 0")
        self.record.found(domain.uuid)
        with self.host.locks.hold(domain.uuid, self.verb.name, self.deadline), domain.lost_means_unknown():
            if not self.verb.while_moving:
                require_here(domain)
                if not forgets:
                    self.require_settled(domain)
            if not self.verb.past_monitor:
                _require_free_monitor(domain)
            yield domain

    def require_settled(self, domain: Domain) -> None:
        """Raise RefusedError for a domain whose guest may run at another host, or does, by a migration of xmand's."""
        require_settled(self.host.arrivals, self.host.departures, domain, takes_over=self.parsed.flag("take-over"))

    def require_answering(self, domain: Domain) -> None:
        """Raise RefusedError where the guest's monitor does not answer: libvirt would wait there, and nobody knew."""
        monitors = self.host.monitors
        if monitors is None or not domain.active():
            return
        if domain.uuid not in monitors.ask([domain.uuid], _anything, _STILL_MILLISECONDS / 1000):
            raise _unanswering(domain)


def _require_free_monitor(domain: Domain) -> None:
    """Raise RefusedError where somebody has waited for the guest for longer than any that is well takes."""
    if held_milliseconds(domain.raw) >= _STILL_MILLISECONDS:
        raise _unanswering(domain)


def _unanswering(domain: Domain) -> RefusedError:
    return RefusedError(
        f"The domain is busy: the guest of '{domain.name}' does not answer its monitor; nothing was done."
        " Try again when it does; destroy stops it at once."
    )


def _anything(_connection: object, raw: RawDomain) -> dict[str, Any]:
    raw.memoryStats()
    return {}


Handler = Callable[[Call], Result | Waits | Served]
