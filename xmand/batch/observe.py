"""What libvirt shows of a host's domains, as the values that decisions are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from xman.errors import MetadataError, NoSuchDomainError
from xman.metadata import NORMAL, Claim, Job, Metadata
from xman.values import MIB
from xmand.batch.guests import Guest, Parked, is_granted, is_parked
from xmand.batch.patterns import matches
from xmand.settings import Batch
from xmand.system.clocks import RUNS, TERMS
from xmand.virt import condition, listing
from xmand.virt.binding import RawConnection, api
from xmand.virt.described import Described, Descriptions
from xmand.virt.domain import Domain
from xmand.virt.driver import XEN
from xmand.virt.errors import reading


class _Listed(NamedTuple):
    """What the listing tells of a domain."""

    name: str
    uuid: str
    active: bool
    persistent: bool
    saved: bool


class Row(NamedTuple):
    """A guest by itself, whatever others do, and libvirt's numbers of its state and the reason of that."""

    numbers: tuple[int, int]
    guest: Guest


@dataclass(frozen=True)
class Seen:
    """What was seen at one time: the guests, sorted by name, their domains, and what could not be read.

    `others` are the domains that take no part: not named in `[batch] domains`, or with metadata that cannot be read.
    `rows` has, by UUID, what the guests were made of.
    """

    guests: tuple[Guest, ...]
    domains: dict[str, Domain]
    problems: tuple[str, ...]
    others: tuple[Domain, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict)


def observe(
    connection: RawConnection,
    settings: Batch,
    held: Mapping[str, Row] = MappingProxyType({}),
    descriptions: Descriptions | None = None,
) -> Seen:
    """Return the domains that take part in batch work. Raises HypervisorError and ConfigurationError.

    Whatever their number, five calls for all of them, and one (or three) for each: none asks a guest, or its monitor.
    What `held` has, by UUID, is not asked for again where these say nothing else of it.
    """
    descriptions = descriptions or Descriptions()
    saved, persistent = listing.suspended(connection), listing.persistent(connection)
    with reading():
        hypervisor, libvirt = str(connection.getType()), int(connection.getLibVersion())
    rows: dict[str, Row] = {}
    domains: dict[str, Domain] = {}
    problems: list[str] = []
    others: list[Domain] = []
    for raw, stats in listing.bulk(connection, api.VIR_DOMAIN_STATS_STATE):
        domain = Domain(raw)
        try:
            if hypervisor == XEN and raw.ID() == 0:
                continue
            if settings.domains and not matches(domain.name, settings.domains):
                others.append(domain)
                continue
            active, uuid = raw.ID() >= 0, domain.uuid
            # What runs is not saved, whatever is left of an image.
            listed = _Listed(domain.name, uuid, active, uuid in persistent, uuid in saved and not active)
            numbers = _numbers(domain, stats)
            row = held.get(uuid)
            if row is None or row.numbers != numbers or not _same(row.guest, listed):
                row = Row(numbers, _guest(descriptions.of(domain, hypervisor, libvirt), listed, numbers, settings))
            rows[uuid] = row
            domains[domain.name] = domain
        except NoSuchDomainError:  # gone since it was listed
            continue
        except MetadataError as error:
            problems.append(str(error))
            others.append(domain)
    descriptions.forget_but(rows)
    guests = sorted(_beside_owners([row.guest for row in rows.values()]), key=lambda guest: guest.name)
    others.sort(key=lambda domain: domain.name)
    return Seen(tuple(guests), domains, tuple(problems), tuple(others), rows)


def _numbers(domain: Domain, stats: dict[str, Any]) -> tuple[int, int]:
    if "state.state" in stats:
        return int(stats["state.state"]), int(stats.get("state.reason", 0))
    return domain.numbers()


def _same(guest: Guest, listed: _Listed) -> bool:
    """Whether the listing tells of a guest what it told before."""
    return (guest.name, guest.uuid, guest.active, guest.persistent, guest.saved) == listed


def _beside_owners(guests: list[Guest]) -> list[Guest]:
    """Mark those that were started while another domain had the host for good, or a claim kept it for another."""
    hard = [guest for guest in guests if guest.holds and not guest.soft]
    owners = [(guest.name, min(job.began or 0 for job in guest.jobs)) for guest in hard]
    owners += [(guest.name, guest.claim.since or 0) for guest in guests if guest.claimed and guest.claim is not None]

    def beside(guest: Guest) -> bool:
        return any(name != guest.name and since <= (guest.started or 0) for name, since in owners)

    return [replace(guest, beside=True) if guest.booting and beside(guest) else guest for guest in guests]


def keeps(settings: Batch) -> Parked:
    """Return what a parked domain keeps."""
    return Parked(settings.parked_memory * MIB, settings.parked_vcpus)


def has_priority(name: str, found: Metadata, settings: Batch) -> bool:
    """Whether a domain may preempt others: as configured or, where nothing is, as its metadata says."""
    return matches(name, settings.priority) if settings.priority else found.priority != NORMAL


def current(found: Metadata, *, active: bool, saved: bool) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """Return the jobs of the present run and those of an earlier one.

    What is saved to disk goes on with its jobs; what libvirt keeps of it does not tell when it was started.
    """
    if saved:
        return found.jobs, ()
    if not active:
        return (), found.jobs
    jobs = tuple(job for job in found.jobs if _is_of(job, found.started))
    return jobs, tuple(job for job in found.jobs if job not in jobs)


def _is_of(job: Job, started: int | None) -> bool:
    """Whether a job belongs to the run that began at `started`."""
    if job.start is None and started is not None:
        # It came when nobody had written down yet that the domain was started.
        return job.began is not None and job.began >= started
    return job.start == started


def lease_left(uuid: str, job: Job) -> float | None:
    """Return how many seconds of a job's lease are left, None where it has none."""
    if not job.lease:
        return None
    return TERMS.left(term_of(uuid, job), job.renewed or job.began or 0, job.lease)


def claim_left(uuid: str, claim: Claim) -> float:
    """Return how many seconds of a claim are left."""
    return TERMS.left(term_of(uuid, claim), claim.since or 0, claim.seconds)


def term_of(uuid: str, held: Job | Claim) -> str:
    """Return what the clock of a lease, or of a claim, is called."""
    return f"{uuid}/{'job' if isinstance(held, Job) else 'claim'}/{held.id}"


def _guest(described: Described, listed: _Listed, numbers: tuple[int, int], settings: Batch) -> Guest:
    """Return what is to be known of a domain."""
    found = described.metadata
    now = condition.of(*numbers, active=listed.active)
    (memory, max_memory), (vcpus, max_vcpus) = described.memory, described.vcpus
    active, saved, parked = listed.active, listed.saved, keeps(settings)
    jobs, stale = current(found, active=active, saved=saved)
    left = {job: lease_left(listed.uuid, job) for job in jobs}
    ended = tuple(job for job in jobs if _is_over(left[job]))
    claim = found.claim
    claim_term = None if claim is None else claim_left(listed.uuid, claim)
    claimed = active and claim is not None and claim.start == found.started and not _is_over(claim_term)
    terms = [term for term in (*left.values(), claim_term if claimed else None) if term is not None and term > 0]
    suspended = now in (condition.PAUSED, condition.ASLEEP) if active else saved
    dead, small = now in (condition.CRASHED, condition.SHUTTING_DOWN), active and is_parked(memory, parked)
    return Guest(
        listed.name,
        active=active,
        uuid=listed.uuid,
        persistent=listed.persistent,
        suspended=suspended,
        dead=dead,
        in_the_way=active and (suspended or dead) and not small,
        plight=condition.way_out(listed.name, now) if dead or now == condition.ASLEEP else "",
        booting=active and not dead and _boots(listed.uuid, found.started, settings.boot_seconds),
        granted=active and is_granted(memory, max_memory, vcpus, max_vcpus, parked),
        priority=has_priority(listed.name, found, settings),
        jobs=tuple(job for job in jobs if job not in ended),
        ended=ended,
        claim=claim if claimed else None,
        claimed=claimed,
        lapsed=claim is not None and not claimed,
        term=min(terms, default=None),
        parked=small,
        saved=saved,
        held=found.held,
        put_away=found.put_away,
        preempted_since=found.preempted_since,
        stale=stale,
        memory=memory,
        max_memory=max_memory,
        vcpus=vcpus,
        max_vcpus=max_vcpus,
        started=found.started,
        metadata=found,
    )


def _is_over(left: float | None) -> bool:
    return left is not None and left <= 0


def _boots(uuid: str, started: int | None, seconds: float) -> bool:
    """Whether a run that began at `started` is younger than that; one that begins in the future is no boot."""
    elapsed = None if started is None else RUNS.elapsed(uuid, started)
    return elapsed is not None and elapsed < seconds
