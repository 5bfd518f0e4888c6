"""Leases of jobs, and claims: what is decided about them, one rule at a time."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.xmand.batch.test_plan import HARD, IDLE, NEW, SOFT, URGENT, guest, refusal, steps
from xman.metadata import Claim, Job
from xmand.batch import plan, terms
from xmand.batch.guests import Guest
from xmand.batch.plan import Guests, Plan

LEASED = Job("1", "alice@R", lease=60)
CLAIMED = guest("vm1", claim=Claim("3", "slurm@R", 60), claimed=True)


def test_a_lease_that_has_ended_ends_its_job_as_job_stop_does() -> None:
    waiting = guest("vm2", SOFT, granted=False, parked=True)
    owner = guest("vm1", ended=(LEASED,), granted=True, parked=False)

    assert steps(plan.settle((owner, waiting))) == ["[remove-job vm1]", "[park vm1]", "[return vm2]"]
    assert steps(plan.settle((replace(owner, jobs=(HARD,)),))) == ["[remove-job vm1]"]


def test_a_lease_begins_anew_with_as_many_seconds_or_others() -> None:
    (as_before,) = terms.job_renew((guest("vm1", LEASED),), "vm1", "1", 0).steps
    (longer,) = terms.job_renew((guest("vm1", LEASED),), "vm1", "1", 600).steps
    (first,) = terms.job_renew((guest("vm1", HARD),), "vm1", "1", 30).steps

    assert [step.job and step.job.lease for step in (as_before, longer, first)] == [60, 600, 30]


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        (IDLE, "there is no such job; it was stopped, or its lease has ended (ended)"),
        (guest("vm1", ended=(LEASED,)), "its lease has ended, and the job with it (ended)"),
        (guest("vm1", HARD), "it has no lease, and stays until job-stop"),
    ],
    ids=["unknown", "ended", "without"],
)
def test_what_cannot_be_renewed_is_said(domain: Guest, said: str) -> None:
    assert said in refusal(lambda: terms.job_renew((domain,), "vm1", "1", 0))


def test_a_claim_is_taken_by_its_job() -> None:
    made = terms.job_claim((IDLE, URGENT), "vm1", Claim("3", "slurm@R", 60), NEW)

    assert steps(made) == ["claim vm1"]
    claimed = plan.apply((IDLE, URGENT), made.steps)
    assert steps(plan.job_start(claimed, "vm1", NEW)) == ["release vm1", "add-job vm1", "grant vm1"]
    assert plan.find(plan.apply(claimed, plan.job_start(claimed, "vm1", NEW).steps), "vm1").claim is None


@pytest.mark.parametrize(
    "decide",
    [
        lambda guests: plan.job_start(guests, "vm1", HARD),
        lambda guests: plan.job_start(guests, "vm2", HARD),
        lambda guests: terms.job_claim(guests, "vm2", Claim("1"), HARD),
        lambda guests: plan.unpreempt(guests, "vm3"),
        lambda guests: plan.defrost(guests, "vm4"),
    ],
    ids=["in it", "beside it", "another claim", "unpreempt", "defrost"],
)
def test_a_claim_keeps_others_away(decide: Callable[[Guests], Plan]) -> None:
    waiting = guest("vm3", SOFT, granted=False, parked=True, held=True)
    frozen = guest("vm4", suspended=True, active=False, saved=True)

    said = refusal(lambda: decide((CLAIMED, URGENT, waiting, frozen)))

    assert "the host is kept for job 3, which is to start in 'vm1' (claimed)" in said


def test_a_claim_is_made_only_where_its_job_could_start_and_takes_nothing() -> None:
    claim = Claim("3")

    assert "(occupied)" in refusal(lambda: terms.job_claim((guest("vm2", HARD), IDLE), "vm1", claim, NEW))
    assert steps(terms.job_claim((guest("vm1", SOFT), URGENT), "vm2", claim, NEW)) == ["claim vm2"]
    assert terms.job_claim((guest("vm1", NEW),), "vm1", claim, NEW).steps == ()


def test_a_claim_moves_with_its_job_to_another_domain_of_the_host() -> None:
    made = terms.job_claim((CLAIMED, URGENT), "vm2", Claim("3"), NEW)

    assert steps(made) == ["release vm1", "claim vm2"]


def test_while_a_claim_holds_nobody_goes_on_and_afterwards_who_waits_does() -> None:
    waiting = guest("vm2", SOFT, granted=False, parked=True)

    assert plan.settle((CLAIMED, waiting)) == Plan()
    assert steps(terms.release((CLAIMED, waiting), "vm1", "3")) == ["release vm1", "[return vm2]"]
    assert steps(plan.job_stop((CLAIMED, waiting), "vm1", "3")) == ["release vm1", "[return vm2]"]
    assert steps(plan.settle((guest("vm1", lapsed=True), waiting))) == ["[release vm1]", "[return vm2]"]


def test_a_claim_that_is_not_there_is_no_error() -> None:
    assert terms.release((CLAIMED,), "vm1", "9").steps == ()
    assert terms.release((IDLE,), "vm1", "3").steps == ()


def test_what_is_started_beside_a_claim_gets_nothing() -> None:
    assert plan.owner_beside((CLAIMED, guest("vm2", active=False)), "vm2") == CLAIMED
