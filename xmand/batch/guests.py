"""The domains of a host as decisions see them: pure values."""

from dataclasses import dataclass, field

from xman.metadata import Claim, Job, Metadata
from xman.states import Facts
from xman.values import MIB

# A guest gives its memory back in pages; closer than this is what was asked for.
SLACK_OCTETS = MIB


@dataclass(frozen=True)
class Parked:
    """What a domain keeps that is not the owner: memory in octets, and CPUs, 0 for all it has."""

    memory: int = 160 * MIB
    vcpus: int = 1


@dataclass(frozen=True)
class Guest(Facts):
    """One domain: the facts its state follows from, and what else a decision needs.

    `parked`: it keeps no more memory than a parked domain does. `saved`: suspended to disk. `held`, `put_away` and
    `preempted_since` are those of its metadata. `stale` are jobs of an earlier start, `ended` those whose leases have
    ended. `claim` is there where it is `claimed`; `lapsed`: a claim that holds no more is to be removed. `term` is how
    many seconds are left until the first of its leases, or its claim, ends. Memory is in octets; `max_vcpus` is 0 where
    the hypervisor counts no CPUs (LXC). `started` is in seconds since 1970; `metadata` is all of it. `plight` says what
    is the matter with one that neither runs nor is paused, and the way out.
    """

    jobs: tuple[Job, ...] = ()
    uuid: str = ""
    parked: bool = False
    persistent: bool = True
    saved: bool = False
    held: bool = False
    put_away: bool = False
    preempted_since: int | None = None
    stale: tuple[Job, ...] = ()
    ended: tuple[Job, ...] = ()
    claim: Claim | None = None
    lapsed: bool = False
    term: float | None = None
    memory: int = 0
    max_memory: int = 0
    vcpus: int = 0
    max_vcpus: int = 0
    started: int | None = None
    plight: str = ""
    metadata: Metadata = field(default_factory=Metadata)

    def job(self, number: str) -> Job | None:
        """Return the job with this id."""
        return next((job for job in self.jobs if job.id == number), None)


def is_parked(memory: int, keeps: Parked) -> bool:
    """Whether a domain with this much keeps no more than a parked one.

    Memory decides: what one has no other can have. A CPU that a guest is slow to let go of is shared.
    """
    return memory <= keeps.memory + SLACK_OCTETS


def is_granted(memory: int, max_memory: int, vcpus: int, max_vcpus: int, keeps: Parked) -> bool:
    """Whether a domain has memory and CPUs above what a parked one keeps.

    What it cannot have more of says nothing: a domain of one CPU is judged by its memory alone.
    """
    said = []
    if max_memory > keeps.memory + SLACK_OCTETS:
        said.append(memory > keeps.memory + SLACK_OCTETS)
    if keeps.vcpus and max_vcpus > keeps.vcpus:
        said.append(vcpus > keeps.vcpus)
    return all(said)
