"""The batch states: whether a job could go into a domain, computed from what libvirt can be asked.

The states and rules are those of Magrathea's exclusive mode (Denemark, Ruda, Matyska: CESNET technical report 25/2007):
a host has one owner, the domain in which jobs run with the host's memory and CPUs. Nothing is remembered: the same
facts give the same states, whoever asks and however often xmand was restarted. How old the facts are is no state; the
reader of a report judges that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

FREE = "free"
OCCUPIED_WOULD_PREEMPT = "occupied-would-preempt"
OCCUPIED = "occupied"
RUNNING_PREEMPTIBLE = "running-preemptible"
RUNNING = "running"
PREEMPTED = "preempted"
FROZEN = "frozen"
OCCUPIED_BOOTING = "occupied-booting"
BOOTING = "booting"
DOWN = "down"
DOWN_BOOTABLE = "down-bootable"


@dataclass(frozen=True)
class Legend:
    """What a state means, for a person, by language (ISO 639-1)."""

    en: str
    cs: str


# In the order of the legend that the portal has shown since 2007; the last four are ours.
LEGEND = {
    FREE: Legend(
        "online, holds no resources; a job may start here",
        "běží, nedrží žádné prostředky; úlohu lze spustit",
    ),
    OCCUPIED_WOULD_PREEMPT: Legend(
        "online, another domain has the resources; a job here would preempt it",
        "běží, prostředky má jiná doména; úloha spuštěná zde by ji odsunula",
    ),
    OCCUPIED: Legend(
        "online, another domain has the resources; no job may start here",
        "běží, prostředky má jiná doména; úlohu spustit nelze",
    ),
    RUNNING_PREEMPTIBLE: Legend(
        "jobs run here, more may start, and another domain may preempt them",
        "běží zde úlohy, lze spustit další, jiná doména je může odsunout",
    ),
    RUNNING: Legend(
        "jobs run here, more may start, and nothing may preempt them",
        "běží zde úlohy, lze spustit další, nic je nemůže odsunout",
    ),
    PREEMPTED: Legend(
        "online with its jobs, but another domain has the resources",
        "běží i se svými úlohami, ale prostředky má jiná doména",
    ),
    FROZEN: Legend(
        "suspended, possibly with jobs",
        "pozastavená, může obsahovat úlohy",
    ),
    OCCUPIED_BOOTING: Legend(
        "online, but another domain of the host boots",
        "běží, ale jiná doména téhož stroje právě startuje",
    ),
    BOOTING: Legend("boots", "startuje"),
    DOWN: Legend("off, and the host is taken", "vypnutá, stroj je obsazený"),
    DOWN_BOOTABLE: Legend("off, and may be started", "vypnutá, lze ji spustit"),
}
STATES = tuple(LEGEND)


class Job(Protocol):
    """What the states depend on of a job."""

    @property
    def preemptible(self) -> bool:
        """Whether it was started as one that may be preempted."""


@dataclass(frozen=True)
class Facts:
    """What is observed of one domain.

    `suspended`: paused, asleep, or saved to disk. `booting`: started so recently that its guest is not up yet.
    `granted`: it has memory and CPUs above what a parked domain keeps. `priority`: it may preempt others. `dead`: the
    hypervisor has it still, and no guest in it could run a job: it crashed, or shuts down. `in_the_way`: it keeps more
    memory than a parked domain does, and cannot be asked for it. `beside`: it was started while another domain had the
    host for good, and has nothing of it: its boot is in nobody's way. `claimed`: the host is kept for a job that is to
    start in it.
    """

    name: str
    active: bool = True
    suspended: bool = False
    booting: bool = False
    granted: bool = False
    priority: bool = False
    jobs: tuple[Job, ...] = ()
    dead: bool = False
    in_the_way: bool = False
    beside: bool = False
    claimed: bool = False

    @property
    def soft(self) -> bool:
        """Whether its jobs may be preempted: a job counts as preemptible in a domain without priority only."""
        return bool(self.jobs) and not self.priority and all(job.preemptible for job in self.jobs)

    @property
    def holds(self) -> bool:
        """Whether it owns the host: jobs run in it, with the resources."""
        return self.active and not self.suspended and not self.dead and self.granted and bool(self.jobs)

    @property
    def boots(self) -> bool:
        """Whether the host waits for its boot; one that is paused does not go on with it, and may stay so for good."""
        return self.active and self.booting and not self.beside and not self.suspended and not self.dead


class _Host(NamedTuple):
    """What the state of a domain depends on of all that are there."""

    boots: bool
    blocked: bool
    claimed: bool
    held: bool
    # Whether all of those that hold the host may be preempted.
    soft: bool


def _host(domains: Iterable[Facts]) -> _Host:
    domains = tuple(domains)
    holders = [domain for domain in domains if domain.holds]
    return _Host(
        boots=any(domain.boots for domain in domains),
        blocked=any(domain.in_the_way for domain in domains),
        claimed=any(domain.claimed for domain in domains),
        held=bool(holders),
        soft=all(holder.soft for holder in holders),
    )


def state(domain: Facts, others: Iterable[Facts]) -> str:
    """Return the state of `domain` on a host with these `others`.

    It may be among them: what is true of itself is decided on before the others are looked at.
    """
    return _state(domain, _host(others))


def states(domains: Iterable[Facts]) -> dict[str, str]:
    """Return the state of each domain of one host, by name."""
    domains = tuple(domains)
    # Once for all of them: a host may have thousands.
    host = _host(domains)
    return {domain.name: _state(domain, host) for domain in domains}


def _state(domain: Facts, host: _Host) -> str:
    claimed = domain.claimed or host.claimed
    if domain.suspended:
        return FROZEN
    if domain.dead:
        return DOWN
    if not domain.active:
        return DOWN if host.boots or host.blocked or claimed or not host.soft else DOWN_BOOTABLE
    if domain.booting:
        return BOOTING
    if host.boots:
        return OCCUPIED_BOOTING
    if domain.jobs:
        if not domain.granted:
            return PREEMPTED
        return RUNNING_PREEMPTIBLE if domain.soft else RUNNING
    if host.blocked or claimed:  # what no job can use, or one alone, is not free
        return OCCUPIED
    if not host.held:
        return FREE
    if domain.priority and host.soft:
        return OCCUPIED_WOULD_PREEMPT
    return OCCUPIED
