"""How decisions speak of domains and their jobs."""

from xman.metadata import Job
from xmand.batch.guests import Guest


def reason_hard(guest: Guest) -> str:
    """Return why a domain may not be preempted."""
    if guest.priority:
        return f"its {jobs(guest)} may not be preempted, since it is a domain with priority"
    hard = next(job for job in guest.jobs if not job.preemptible)
    return f"its job {describe(hard)} may not be preempted"


def jobs(guest: Guest) -> str:
    """Return `jobs 4711 of alice@R, 4712 of bob@R`."""
    word = "job" if len(guest.jobs) == 1 else "jobs"
    return f"{word} {', '.join(describe(job) for job in guest.jobs)}"


def describe(job: Job) -> str:
    """Return `4711 of alice@R`."""
    return f"{job.id} of {job.owner}" if job.owner else job.id


def rivals(guests: tuple[Guest, ...]) -> tuple[str, ...]:
    """Say who owns the host besides its owner and may not be preempted: only somebody's doing ends that."""
    hard = [guest for guest in guests if guest.holds and not guest.soft]
    if len(hard) <= 1:
        return ()
    each = " and ".join(f"'{guest.name}' with {jobs(guest)}" for guest in hard)
    return (f"This host has {len(hard)} owners, none of which may be preempted: {each}. Move or stop all but one.",)
