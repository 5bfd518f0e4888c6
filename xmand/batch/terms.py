"""What is to be done about what ends by itself: leases of jobs, and claims. Pure; `plan.settle` ends them."""

from dataclasses import replace

from xman.errors import RefusedError
from xman.metadata import Claim, Job
from xmand.batch.plan import CLAIM, RENEW, Guests, Plan, Step, find, job_start, released, then_optimise


def job_renew(guests: Guests, name: str, number: str, lease: int) -> Plan:
    """The lease of a job begins anew, with `lease` seconds, or with as many as before where that is 0.

    Raises RefusedError where there is nothing to renew: whoever asks has to know that the job has the host no more.
    """
    guest = find(guests, name)
    what = f"Job {number} in '{name}' cannot be renewed"
    job = guest.job(number)
    if job is None:
        if any(ended.id == number for ended in guest.ended):
            raise RefusedError(f"{what}: its lease has ended, and the job with it (ended).")
        raise RefusedError(f"{what}: there is no such job; it was stopped, or its lease has ended (ended).")
    if not (lease or job.lease):
        raise RefusedError(f"{what}: it has no lease, and stays until job-stop; --lease gives it one (lease).")
    return Plan((Step(RENEW, name, replace(job, lease=lease or job.lease)),))


def job_claim(guests: Guests, name: str, claim: Claim, job: Job) -> Plan:
    """Keep the host for `job`, which could start now in `name`; the same claim again begins anew.

    One host is kept for one job at a time. Raises RefusedError where the job could not start.
    """
    if find(guests, name).job(job.id) is not None:
        return Plan(notes=(f"Job {job.id} is already in '{name}'.",))
    # Raises where it may not.
    job_start(guests, name, job)
    others = [step for step in released(guests) if step.domain != name]
    return Plan((*others, Step(CLAIM, name, claim=claim)))


def release(guests: Guests, name: str, number: str) -> Plan:
    """The host is no longer kept for the job `number`."""
    guest = find(guests, name)
    if guest.claim is None or guest.claim.id != number:
        return Plan(notes=(f"'{name}' is not claimed for job {number}.",))
    return Plan(then_optimise(guests, list(released((guest,)))))
