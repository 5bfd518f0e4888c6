"""What is decided, one rule at a time. tests/fuzz/test_plan.py has the histories."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from xman.errors import NoSuchDomainError, RefusedError
from xman.metadata import Job
from xmand.batch import plan, words
from xmand.batch.guests import Guest, Parked, is_granted, is_parked
from xmand.batch.plan import Guests, Plan

HARD = Job("1", "alice@R")
SOFT = Job("2", "bob@R", preemptible=True)
NEW = Job("3", "carol@R")


def guest(name: str, *jobs: Job, **facts: object) -> Guest:
    """Return a guest: with jobs the owner, without any an idle and parked one."""
    usual = {"granted": bool(jobs), "parked": not jobs}
    return Guest(name, jobs=jobs, **(usual | facts))  # type: ignore[arg-type]


def steps(made: Plan) -> list[str]:
    """Return the steps in words; those that may fail in brackets."""
    words = [f"{step.action} {step.domain}" for step in made.steps]
    return [f"[{text}]" if step.optional else text for text, step in zip(words, made.steps, strict=True)]


def refusal(decide: Callable[[], Plan]) -> str:
    """Return why something is refused."""
    with pytest.raises(RefusedError) as raised:
        decide()
    return str(raised.value)


IDLE = guest("vm1")
URGENT = guest("vm2", priority=True)


def test_a_job_shrinks_the_others_before_its_domain_grows() -> None:
    full = guest("vm3", parked=False)

    assert steps(plan.job_start((IDLE, full), "vm1", NEW)) == ["park vm3", "add-job vm1", "grant vm1"]


def test_a_job_with_priority_preempts() -> None:
    made = plan.job_start((guest("vm1", SOFT), URGENT), "vm2", NEW)

    assert steps(made) == ["preempt vm1", "add-job vm2", "grant vm2"]


def test_a_second_job_only_joins_the_first() -> None:
    assert steps(plan.job_start((guest("vm1", HARD, memory=1, max_memory=1),), "vm1", NEW)) == ["add-job vm1"]


@pytest.mark.parametrize(
    ("guests", "domain", "said"),
    [
        ((guest("vm1", HARD), IDLE), "vm1", ""),
        (
            (guest("vm2", HARD), IDLE),
            "vm1",
            "'vm2' has the host; its job 1 of alice@R may not be preempted (occupied).",
        ),
        ((guest("vm2", SOFT), IDLE), "vm1", "'vm2' has the host with job 2 of bob@R (occupied)."),
        ((guest("vm2", HARD), guest("vm1", priority=True)), "vm1", "its job 1 of alice@R may not be preempted"),
        (
            (guest("vm2", SOFT, priority=True), guest("vm1", priority=True)),
            "vm1",
            "its job 2 of bob@R may not be preempted, since it is a domain with priority (occupied).",
        ),
        ((guest("vm1", SOFT, granted=False),), "vm1", "it is preempted (preempted)."),
        (
            (guest("vm1", SOFT, granted=False), guest("vm2", HARD)),
            "vm1",
            "it is preempted; 'vm2' has the host (preempted).",
        ),
        ((guest("vm1", suspended=True),), "vm1", "it is frozen (frozen)."),
        ((guest("vm1", active=False),), "vm1", "it is not started (down)."),
        ((guest("vm1", booting=True),), "vm1", "'vm1' is booting; try again in a moment (booting)."),
        ((IDLE, guest("vm2", booting=True)), "vm1", "'vm2' is booting"),
        (
            (IDLE, guest("vm2", HARD, SOFT, suspended=True)),
            "vm1",
            "'vm2' is frozen with jobs 1 of alice@R, 2 of bob@R, so only preemptible jobs may start",
        ),
        (
            (IDLE, guest("vm2", suspended=True, parked=False)),
            "vm1",
            "'vm2' is paused and holds its memory; unpause or freeze it first (paused).",
        ),
    ],
)
def test_a_refusal_names_the_rule_and_the_job_in_the_way(guests: Guests, domain: str, said: str) -> None:
    if not said:
        assert plan.job_start(guests, domain, NEW).steps
        return
    told = refusal(lambda: plan.job_start(guests, domain, NEW))
    assert told.startswith(f"Job 3 cannot start in '{domain}': ")
    assert told.endswith(said) or said in told


def test_beside_a_frozen_domain_preemptible_jobs_may_start() -> None:
    frozen = guest("vm2", HARD, suspended=True, active=False, saved=True, granted=False, parked=False)

    assert steps(plan.job_start((IDLE, frozen), "vm1", SOFT)) == ["add-job vm1", "grant vm1"]
    assert "(frozen)" in refusal(lambda: plan.job_start((guest("vm1", priority=True), frozen), "vm1", SOFT))


def test_a_frozen_domain_without_jobs_and_one_that_was_put_away_reserve_nothing() -> None:
    idle = guest("vm2", suspended=True, active=False, saved=True)
    away = guest("vm3", SOFT, suspended=True, active=False, saved=True, granted=False, put_away=True)

    assert plan.job_start((IDLE, idle, away), "vm1", NEW).steps


def test_the_same_job_again_is_no_other() -> None:
    made = plan.job_start((guest("vm1", HARD),), "vm1", Job("1", "somebody@R"))

    assert made == Plan(notes=("Job 1 is already in 'vm1'.",))


def test_the_same_job_again_finishes_what_was_begun() -> None:
    begun = guest("vm2", HARD, priority=True, granted=False, parked=True)

    assert steps(plan.job_start((guest("vm1", SOFT), begun), "vm2", HARD)) == ["preempt vm1", "return vm2"]


@pytest.mark.parametrize(
    "guests",
    [
        (guest("vm1", SOFT, granted=False, parked=True), guest("vm2", HARD)),
        (guest("vm1", SOFT, granted=False, parked=True, held=True),),
        (guest("vm1", SOFT, granted=False, parked=True), guest("vm2", booting=True)),
        (guest("vm1", SOFT, suspended=True),),
    ],
    ids=["occupied", "held", "booting", "frozen"],
)
def test_the_same_job_again_takes_nothing_that_is_not_its_own(guests: Guests) -> None:
    assert plan.job_start(guests, "vm1", SOFT).steps == ()


def test_the_last_job_parks_its_domain_and_lets_the_longest_waiting_go_on() -> None:
    late = guest("vm1", SOFT, granted=False, parked=True, preempted_since=20)
    early = guest("vm3", SOFT, granted=False, parked=True, preempted_since=10)

    made = plan.job_stop((late, guest("vm2", HARD, priority=True), early), "vm2", "1")

    assert steps(made) == ["remove-job vm2", "[park vm2]", "[return vm3]"]


def test_an_earlier_job_parks_nothing() -> None:
    assert steps(plan.job_stop((guest("vm1", HARD, SOFT),), "vm1", "1")) == ["remove-job vm1"]


def test_a_hard_job_that_a_crash_left_without_the_host_is_not_preempted() -> None:
    torn = guest("vm3", HARD, granted=False, parked=False)

    assert steps(plan.job_start((IDLE, torn), "vm1", NEW)) == ["park vm3", "add-job vm1", "grant vm1"]


def test_one_with_priority_that_waits_after_a_crash_comes_first() -> None:
    soft = guest("vm1", SOFT, granted=False, parked=True, preempted_since=10)
    begun = guest("vm2", HARD, priority=True, granted=False, parked=True)

    assert steps(plan.settle((soft, begun))) == ["[return vm2]"]


def test_one_that_was_put_away_is_brought_back() -> None:
    away = guest(
        "vm1",
        SOFT,
        active=False,
        suspended=True,
        saved=True,
        granted=False,
        parked=False,
        put_away=True,
        preempted_since=1,
    )

    assert steps(plan.settle((away,))) == ["[restore vm1]", "[return vm1]"]
    without_jobs = guest("vm1", active=False, suspended=True, saved=True, parked=False, put_away=True)
    assert steps(plan.settle((without_jobs,))) == ["[restore vm1]", "[return vm1]", "[park vm1]"]


def test_settling_drops_jobs_of_an_earlier_start() -> None:
    assert steps(plan.settle((guest("vm1", active=False, stale=(HARD,)),))) == ["[drop-jobs vm1]"]


def test_settling_leaves_one_owner_where_the_rules_let_it() -> None:
    two = (guest("vm1", SOFT), guest("vm2", HARD))

    assert steps(plan.settle(two)) == ["[preempt vm1]"]
    assert plan.settle((guest("vm1", HARD), guest("vm2", HARD))).steps == ()


def test_settling_takes_from_the_idle_beside_an_owner_but_not_while_one_boots() -> None:
    owner, full = guest("vm1", HARD), guest("vm2", parked=False)

    assert steps(plan.settle((owner, full))) == ["[park vm2]"]
    assert plan.settle((owner, guest("vm2", parked=False, booting=True))).steps == ()


def test_settling_lets_a_paused_domain_with_its_memory_be() -> None:
    waiting = guest("vm1", SOFT, granted=False, parked=True)

    assert plan.settle((waiting, guest("vm2", suspended=True, parked=False))).steps == ()


def test_preempting_by_hand() -> None:
    assert steps(plan.preempt((guest("vm1", SOFT),), "vm1")) == ["preempt vm1", "hold vm1"]
    assert steps(plan.preempt((guest("vm1", SOFT, granted=False),), "vm1")) == ["hold vm1"]
    assert plan.preempt((guest("vm1", SOFT, granted=False, held=True),), "vm1").steps == ()
    assert "may not be preempted (running)" in refusal(lambda: plan.preempt((guest("vm1", HARD),), "vm1"))
    assert "runs no job" in refusal(lambda: plan.preempt((IDLE,), "vm1"))


def test_unpreempting_by_hand() -> None:
    held = guest("vm1", SOFT, granted=False, parked=True, held=True)

    assert steps(plan.unpreempt((held,), "vm1")) == ["return vm1"]
    assert plan.unpreempt((guest("vm1", SOFT),), "vm1").steps == ()
    assert "(occupied)" in refusal(lambda: plan.unpreempt((held, guest("vm2", HARD)), "vm1"))
    assert plan.unpreempt((IDLE,), "vm1") == Plan(notes=("Domain 'vm1' has no jobs, so it is not preempted.",))
    frozen = guest("vm1", SOFT, suspended=True)
    assert "is not preempted (frozen)" in refusal(lambda: plan.unpreempt((frozen,), "vm1"))


def test_freezing() -> None:
    waiting = guest("vm2", SOFT, granted=False, parked=True)

    assert steps(plan.freeze((guest("vm1", HARD), waiting), "vm1", pause=False)) == ["save vm1", "[return vm2]"]
    assert steps(plan.freeze((guest("vm1", HARD),), "vm1", pause=True)) == ["park vm1", "pause vm1"]
    assert plan.freeze((guest("vm1", suspended=True),), "vm1", pause=False).steps == ()
    assert "it runs no job (free)" in refusal(lambda: plan.freeze((IDLE,), "vm1", pause=False))
    transient = (guest("vm1", HARD, persistent=False),)
    assert "transient" in refusal(lambda: plan.freeze(transient, "vm1", pause=False))
    assert plan.freeze(transient, "vm1", pause=True).steps


def test_defrosting() -> None:
    saved = guest("vm1", HARD, active=False, suspended=True, saved=True, granted=False, parked=False)

    assert steps(plan.defrost((saved, guest("vm2", SOFT)), "vm1")) == ["preempt vm2", "restore vm1", "[grant vm1]"]
    assert "(occupied)" in refusal(lambda: plan.defrost((saved, guest("vm2", HARD)), "vm1"))
    idle = guest("vm1", active=False, suspended=True, saved=True, parked=False)
    assert steps(plan.defrost((idle,), "vm1")) == ["restore vm1", "[park vm1]"]
    assert "(occupied)" in refusal(lambda: plan.defrost((idle, guest("vm2", SOFT)), "vm1"))
    assert plan.defrost((IDLE,), "vm1").steps == ()
    assert "is off, not frozen" in refusal(lambda: plan.defrost((guest("vm1", active=False),), "vm1"))


def test_a_domain_that_is_not_there() -> None:
    with pytest.raises(NoSuchDomainError):
        plan.job_stop((IDLE,), "vm9", "1")


KEEPS = Parked(memory=160 << 20, vcpus=1)


@pytest.mark.parametrize(
    ("memory_mib", "most_mib", "vcpus", "most", "granted"),
    [
        (512, 512, 4, 4, True),
        (160, 512, 4, 4, False),
        (161, 512, 4, 4, False),
        (162, 512, 4, 4, True),
        (512, 512, 1, 4, False),
        (512, 512, 1, 1, True),
        (128, 128, 4, 4, True),
        (128, 128, 1, 4, False),
        (64, 64, 1, 1, True),
        (512, 512, 0, 0, True),
    ],
)
def test_granted_is_memory_and_cpus_above_what_is_kept(
    memory_mib: int, most_mib: int, vcpus: int, most: int, granted: bool
) -> None:
    assert is_granted(memory_mib << 20, most_mib << 20, vcpus, most, KEEPS) is granted


def test_cpus_say_nothing_where_they_are_left_alone() -> None:
    assert is_granted(512 << 20, 512 << 20, 1, 4, Parked(160 << 20, 0))


@pytest.mark.parametrize(("memory_mib", "parked"), [(160, True), (161, True), (162, False)])
def test_parked_is_memory_within_a_page_or_so(memory_mib: int, parked: bool) -> None:
    assert is_parked(memory_mib << 20, KEEPS) is parked


def test_two_owners_that_may_not_be_preempted_are_told() -> None:
    both = (guest("vm1", HARD), guest("vm2", SOFT, NEW, priority=True), guest("vm3", SOFT), IDLE)

    (said,) = words.rivals(both)

    assert said == (
        "This host has 2 owners, none of which may be preempted: 'vm1' with job 1 of alice@R and 'vm2' with jobs"
        " 2 of bob@R, 3 of carol@R. Move or stop all but one."
    )


@pytest.mark.parametrize("other", [IDLE, guest("vm2", SOFT), guest("vm2", HARD, granted=False)])
def test_one_owner_is_nothing_to_tell(other: Guest) -> None:
    assert words.rivals((guest("vm1", HARD), other)) == ()


# --- guests that are not well -----------------------------------------------------------------------------------------

CRASHED = "Domain 'vm1' has crashed, and was kept to be looked at; destroy it, and start it again."
ASLEEP = "Domain 'vm1' is asleep: its guest suspended itself to memory."
SOFT_NEW = Job("3", "carol@R", preemptible=True)
DEAD = guest("vm1", SOFT, dead=True, in_the_way=True, plight=CRASHED)
SLEEPS = guest("vm1", SOFT, suspended=True, in_the_way=True, plight=ASLEEP)


@pytest.mark.parametrize(("domain", "rule"), [(DEAD, "(down)"), (SLEEPS, "(asleep)")], ids=["crashed", "asleep"])
@pytest.mark.parametrize(
    "decide",
    [
        lambda guests: plan.job_start(guests, "vm1", NEW),
        lambda guests: plan.preempt(guests, "vm1"),
        lambda guests: plan.unpreempt(guests, "vm1"),
        lambda guests: plan.freeze(guests, "vm1", pause=True),
        lambda guests: plan.defrost(guests, "vm1"),
    ],
    ids=["job-start", "preempt", "unpreempt", "freeze", "defrost"],
)
def test_what_neither_runs_nor_is_paused_is_refused_with_the_way_out(
    domain: Guest, rule: str, decide: Callable[[Guests], Plan]
) -> None:
    said = refusal(lambda: decide((domain,)))

    assert domain.plight.rstrip(".") in said
    assert said.endswith(f"{rule}.")


@pytest.mark.parametrize("domain", [DEAD, SLEEPS], ids=["crashed", "asleep"])
def test_what_holds_memory_and_cannot_be_asked_for_it_is_named_to_the_others(domain: Guest) -> None:
    assert domain.plight.rstrip(".") in refusal(lambda: plan.job_start((domain, guest("vm3")), "vm3", SOFT_NEW))


def test_the_jobs_of_a_crashed_domain_can_be_stopped_and_it_is_left_alone() -> None:
    assert steps(plan.job_stop((DEAD,), "vm1", SOFT.id)) == ["remove-job vm1"]


def test_a_job_does_not_preempt_itself() -> None:
    said = refusal(lambda: plan.job_start((guest("vm1", SOFT), URGENT), "vm2", SOFT))

    assert "it has the host in 'vm1' already, and would preempt itself (occupied)" in said


def test_a_job_does_not_have_more_cpus_than_its_domain() -> None:
    greedy = Job("3", "carol@R", cpus=99)

    said = refusal(lambda: plan.job_start((guest("vm1", max_vcpus=4),), "vm1", greedy))

    assert "it asks for 99 CPUs, and the domain may have 4 (cpus)" in said
    assert steps(plan.job_start((guest("vm1", max_vcpus=0),), "vm1", greedy)) == ["add-job vm1", "grant vm1"]


def test_a_domain_that_starts_beside_an_owner_keeps_no_job_of_the_owners_out() -> None:
    owner, comes = guest("vm1", HARD, memory=1, max_memory=1), guest("vm2", booting=True, parked=False)

    assert "(booting)" in refusal(lambda: plan.job_start((owner, comes), "vm1", NEW))
    assert steps(plan.job_start((owner, replace(comes, beside=True)), "vm1", NEW)) == ["add-job vm1"]


def test_who_has_the_host_for_good() -> None:
    off = guest("vm2", active=False)

    assert plan.owner_beside((guest("vm1", HARD), off), "vm2") == guest("vm1", HARD)
    assert plan.owner_beside((guest("vm1", SOFT), off), "vm2") is None
    assert plan.owner_beside((guest("vm1"), off), "vm2") is None


def test_one_that_was_frozen_in_memory_and_goes_on_by_itself_has_the_host_again() -> None:
    """`freeze --pause`, then `unpause`: jobs, parked, and nobody has the host."""
    assert steps(plan.settle((guest("vm1", HARD, granted=False, parked=True),))) == ["[return vm1]"]
