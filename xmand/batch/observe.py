"""What libvirt shows of a host's domains, as the values that decisions are made from."""

import time
from dataclasses import dataclass

from xman.errors import MetadataError, NoSuchDomainError, UnsupportedError
from xman.metadata import NORMAL, Job, Metadata
from xman.values import MIB
from xmand.batch.guests import Guest, Parked, is_granted, is_parked
from xmand.batch.patterns import matches
from xmand.settings import Batch
from xmand.virt import listing, metadata
from xmand.virt.domain import PAUSED, Domain
from xmand.virt.driver import Connection, reading

_ASLEEP = (PAUSED, "pmsuspended")


@dataclass(frozen=True)
class Seen:
    """What was seen at one time: the guests, sorted by name, their domains, and what could not be read.

    `others` are the domains that take no part: not named in `[batch] domains`, or with metadata that cannot be read.
    """

    guests: tuple[Guest, ...]
    domains: dict[str, Domain]
    problems: tuple[str, ...]
    others: tuple[Domain, ...] = ()


def observe(connection: Connection, settings: Batch) -> Seen:
    """Return the domains that take part in batch work. Raises HypervisorError and ConfigurationError."""
    saved = listing.suspended(connection)
    with reading():
        raws = connection.listAllDomains(0)
    guests: list[Guest] = []
    domains: dict[str, Domain] = {}
    problems: list[str] = []
    others: list[Domain] = []
    for raw in raws:
        domain = Domain(raw)
        try:
            if domain.privileged():
                continue
            if settings.domains and not matches(domain.name, settings.domains):
                others.append(domain)
                continue
            guests.append(_guest(domain, settings, domain.uuid in saved))
            domains[domain.name] = domain
        except NoSuchDomainError:  # gone since it was listed
            continue
        except MetadataError as error:
            problems.append(str(error))
            others.append(domain)
    guests.sort(key=lambda guest: guest.name)
    others.sort(key=lambda domain: domain.name)
    return Seen(tuple(guests), domains, tuple(problems), tuple(others))


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


def _guest(domain: Domain, settings: Batch, saved: bool) -> Guest:
    active, found = domain.active(), metadata.read(domain)
    memory, max_memory = domain.memory()
    try:
        vcpus, max_vcpus = domain.vcpus()
    except UnsupportedError:
        vcpus, max_vcpus = 0, 0
    jobs, stale = current(found, active=active, saved=saved and not active)
    parked = keeps(settings)
    return Guest(
        domain.name,
        active=active,
        suspended=domain.state()[0] in _ASLEEP if active else saved,
        booting=active and found.started is not None and time.time() - found.started < settings.boot_seconds,
        granted=active and is_granted(memory, max_memory, vcpus, max_vcpus, parked),
        priority=has_priority(domain.name, found, settings),
        jobs=jobs,
        uuid=domain.uuid,
        parked=active and is_parked(memory, parked),
        persistent=domain.persistent(),
        saved=saved and not active,
        held=found.held,
        put_away=found.put_away,
        preempted_since=found.preempted_since,
        stale=stale,
        memory=memory,
        max_memory=max_memory,
        vcpus=vcpus,
        max_vcpus=max_vcpus,
        started=found.started,
    )
