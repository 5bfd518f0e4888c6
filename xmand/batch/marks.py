"""What decisions write into a domain's metadata; to be called under the domain's lock."""

import time
from dataclasses import replace

from xman.errors import ColdBootError
from xman.metadata import NORMAL, PRIORITY, Claim, Job, Metadata
from xmand.batch.observe import current, has_priority, term_of
from xmand.settings import Batch
from xmand.system.clocks import PREEMPTIONS, TERMS
from xmand.virt import lifecycle, metadata
from xmand.virt.domain import Domain


def add_job(domain: Domain, job: Job, settings: Batch) -> None:
    """Write a job of the present run, and the priority that is configured, so that a migration takes it along.

    One of the same id is over, or the rules would have found it.
    """

    def change(found: Metadata) -> Metadata:
        now = int(time.time())
        new = replace(job, start=found.started, began=now, renewed=now if job.lease else None)
        if new.lease:
            TERMS.begin(term_of(domain.uuid, new), now)
        jobs = (*(job for job in found.jobs if job.id != new.id), new)
        priority = found.priority
        if settings.priority:
            priority = PRIORITY if has_priority(domain.name, found, settings) else NORMAL
        return replace(found, jobs=jobs, priority=priority)

    metadata.update(domain, change)


def renew(domain: Domain, job: Job) -> None:
    """Let a job's lease begin anew, with as many seconds as `job` has."""
    now = int(time.time())

    def change(found: Metadata) -> Metadata:
        renewed = (replace(each, lease=job.lease, renewed=now) if each.id == job.id else each for each in found.jobs)
        return replace(found, jobs=tuple(renewed))

    metadata.update(domain, change)
    TERMS.begin(term_of(domain.uuid, job), now)


def claim(domain: Domain, wanted: Claim) -> None:
    """Write a claim of the present run, which begins now."""
    now = int(time.time())
    metadata.update(domain, lambda found: replace(found, claim=replace(wanted, since=now, start=found.started)))
    TERMS.begin(term_of(domain.uuid, wanted), now)


def release(domain: Domain) -> None:
    """Remove the claim."""
    metadata.update(domain, lambda found: replace(found, claim=None))


def unrelease(domain: Domain, before: Claim) -> None:
    """Put a claim back that was removed; its clock has gone on."""
    metadata.update(domain, lambda found: replace(found, claim=before))


def remove_job(domain: Domain, number: str) -> None:
    """Remove a job and, with the last one, what is said of its preemption."""

    def change(found: Metadata) -> Metadata:
        jobs = tuple(job for job in found.jobs if job.id != number)
        return replace(found, jobs=jobs) if jobs else replace(found, jobs=(), preempted_since=None, held=False)

    metadata.update(domain, change)


def drop_stale(domain: Domain) -> None:
    """Remove the jobs of an earlier run."""

    def change(found: Metadata) -> Metadata:
        jobs, _stale = current(found, active=domain.active(), saved=False)
        bare = replace(found, jobs=jobs)
        return bare if jobs else replace(bare, preempted_since=None, held=False, put_away=False)

    metadata.update(domain, change)


def preempted(domain: Domain, *, put_away: bool = False) -> None:
    """Start the clock of a preemption."""

    def change(found: Metadata) -> Metadata:
        since = found.preempted_since
        if since is None:
            since = int(time.time())
            PREEMPTIONS.begin(domain.uuid, since)
        return replace(found, preempted_since=since if found.jobs else None, put_away=put_away)

    metadata.update(domain, change)


def waited_seconds(uuid: str, since: int | None) -> int:
    """Return for how long the domain `uuid` has been preempted, whatever became of the clock; 0 where it is not."""
    return 0 if since is None else int(PREEMPTIONS.elapsed(uuid, since) or 0.0)


def returned(domain: Domain) -> None:
    """Stop the clock, and count for each job what it showed."""

    def change(found: Metadata) -> Metadata:
        waited = waited_seconds(domain.uuid, found.preempted_since)
        jobs = tuple(replace(job, preempted=job.preempted + waited) for job in found.jobs)
        return replace(found, jobs=jobs, preempted_since=None, held=False, put_away=False)

    metadata.update(domain, change)


def hold(domain: Domain) -> None:
    """Let it stay preempted until somebody says otherwise."""
    metadata.update(domain, lambda found: replace(found, held=True))


def restore(domain: Domain, *, paused: bool = False) -> None:
    """Start a domain that was saved to disk, with the jobs that it has by now.

    Its image remembers those of the time at which it was saved. Raises ColdBootError where libvirt dropped the image:
    the domain runs, and its jobs are of an earlier start.
    """
    kept = metadata.read(domain)
    if not lifecycle.start_saved(domain, paused=paused):
        raise cold_boot(domain, kept)

    def change(found: Metadata) -> Metadata:
        started = found.started
        if started is None and kept.jobs:
            started = kept.jobs[0].start
        return replace(
            found,
            started=started,
            jobs=kept.jobs,
            preempted_since=kept.preempted_since,
            held=kept.held,
            put_away=kept.put_away,
            priority=kept.priority,
            claim=None,
        )

    metadata.update(domain, change)


def cold_boot(domain: Domain, kept: Metadata) -> ColdBootError:
    """Return what is to be said of a saved domain that was booted afresh; `kept` is what it was saved with.

    Its jobs are over. They go, with a line of the audit, as those of any earlier start do.
    """
    lost = f", and with it {lost_jobs(kept)}" if kept.jobs else ""
    metadata.update(domain, lambda found: replace(found, preempted_since=None, held=False, put_away=False))
    return ColdBootError(
        f"The saved memory of '{domain.name}' could not be used: libvirt dropped it and booted the domain afresh."
        f" What it held is lost{lost}."
    )


def lost_jobs(kept: Metadata) -> str:
    """Return the jobs of a domain that end with its memory, in words."""
    names = ", ".join(f"{job.id} of {job.owner}" if job.owner else job.id for job in kept.jobs)
    return f"{'job' if len(kept.jobs) == 1 else 'jobs'} {names}"
