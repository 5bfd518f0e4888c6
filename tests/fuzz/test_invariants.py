"""What Magrathea's rules promise, by name: of our own decisions, whatever happened, after every single step of each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.test_plan import Host
from tests.fuzz.test_states import EVENTS, MOST_EXAMPLES, PRIORITIES
from xman import states
from xman.errors import RefusedError
from xman.metadata import Claim, Job
from xmand.batch import plan
from xmand.batch.guests import Guest
from xmand.batch.plan import Guests, Step

# Each test walks histories of its own.
EXAMPLES = settings(max_examples=max(1, MOST_EXAMPLES // 4), deadline=None)
GROWS = (plan.GRANT, plan.RETURN, plan.RESTORE)
Events = list[tuple[object, ...]]


@dataclass(frozen=True)
class Event:
    """Something that happened to the domain `name`: the host before and after it, and the steps that were accepted."""

    kind: str
    name: str
    before: Guests
    after: Guests
    steps: tuple[tuple[Guests, Step, Guests], ...] = ()
    refused: bool = False
    job: Job | None = None

    @property
    def subject(self) -> Guest:
        """The domain as it was."""
        return plan.find(self.before, self.name)


def happened(priorities: list[bool], events: Events) -> Iterator[Event]:
    """Let events happen to a host, one after the other."""
    host = Host(priorities)
    for kind, number, *more in events:
        assert isinstance(number, int)
        guest, before, steps = host.guests[number % len(priorities)], host.guests, []
        job = Job(str(more[0]), preemptible=bool(more[1])) if kind == "start" else None
        try:
            decided = host.decide(str(kind), guest, tuple(more))
        except RefusedError:
            yield Event(str(kind), guest.name, before, host.guests, refused=True, job=job)
            continue
        for step in decided.steps:
            earlier = host.guests
            host.do(step)
            steps.append((earlier, step, host.guests))
        yield Event(str(kind), guest.name, before, host.guests, tuple(steps), job=job)


def started(priorities: list[bool], events: Events) -> Iterator[Event]:
    """Return the starts of jobs that were accepted and are no retries."""
    for event in happened(priorities, events):
        if event.job is not None and not event.refused and event.subject.job(event.job.id) is None:
            yield event


def boots(guests: Guests) -> bool:
    """Whether a domain of the host boots."""
    return any(guest.active and guest.booting for guest in guests)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_never_two_owners(priorities: list[bool], events: Events) -> None:
    """No step of any decision gives a host a second owner."""
    for event in happened(priorities, events):
        for _before, _step, after in event.steps:
            assert sum(guest.holds for guest in after) <= 1
        assert sum(guest.holds for guest in event.after) <= 1


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_losers_shrink_before_winners_grow(priorities: list[bool], events: Events) -> None:
    """No domain grows while another one has more than a parked domain keeps (rule 6)."""
    for event in happened(priorities, events):
        for before, step, _after in event.steps:
            others = [guest for guest in before if guest.name != step.domain]
            assert step.action not in GROWS or all(guest.parked or not guest.active for guest in others)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_a_domain_with_a_job_that_may_not_be_preempted_never_is(priorities: list[bool], events: Events) -> None:
    """No decision takes the host from a domain with a non-preemptible job, but freezing that very domain (rule 4)."""
    for event in happened(priorities, events):
        hard = [g for g in event.before if g.holds and not all(job.preemptible for job in g.jobs)]
        for guest in hard:
            after = plan.find(event.after, guest.name)
            assert after.holds or (event.name == guest.name and event.kind in ("stop", "end", "freeze", "vanish"))


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_a_domain_with_priority_is_never_preempted(priorities: list[bool], events: Events) -> None:
    """A job counts as preemptible in a domain without priority only (rule 3)."""
    for event in happened(priorities, events):
        losers = [step.domain for _before, step, _after in event.steps if step.action == plan.PREEMPT]
        assert not any(plan.find(event.before, name).priority for name in losers)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_a_job_starts_only_where_the_host_may_be_had(priorities: list[bool], events: Events) -> None:
    """No job starts in a domain that is occupied, preempted, frozen or down, or while one boots (rule 2).

    Its own claim is not in its way.
    """
    for event in started(priorities, events):
        assert event.job is not None
        before = tuple(
            replace(guest, claimed=guest.claim is not None and guest.claim.id != event.job.id) for guest in event.before
        )
        assert states.state(plan.find(before, event.name), before) in (
            states.FREE,
            states.RUNNING,
            states.RUNNING_PREEMPTIBLE,
            states.OCCUPIED_WOULD_PREEMPT,
        )


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_beside_a_frozen_domain_only_preemptible_jobs_start(priorities: list[bool], events: Events) -> None:
    """While a domain is frozen with jobs, what starts on its host may be preempted when it comes back (rule 2)."""
    for event in started(priorities, events):
        if any(guest.suspended and guest.jobs for guest in event.before):
            assert event.job is not None
            assert event.job.preemptible
            assert not event.subject.priority


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_a_running_domain_never_turns_preemptible_by_a_new_job(priorities: list[bool], events: Events) -> None:
    """Only the end of its last non-preemptible job does that (rule 3)."""
    for event in happened(priorities, events):
        for guest in event.before:
            old, new = states.state(guest, event.before), states.state(plan.find(event.after, guest.name), event.after)
            if (old, new) == (states.RUNNING, states.RUNNING_PREEMPTIBLE):
                assert event.kind in ("stop", "end")
                assert event.name == guest.name


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_who_was_preempted_goes_on_once_nobody_runs(priorities: list[bool], events: Events) -> None:
    """No event leaves a host idle while a domain waits for it that nobody holds back (rule 5)."""
    for event in happened(priorities, events):
        idle = not any(guest.holds or guest.claimed for guest in event.after) and not boots(event.after)
        preempted = [g for g in event.after if states.state(g, event.after) == states.PREEMPTED and not g.held]
        assert event.refused or not (idle and preempted)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_only_who_runs_is_frozen(priorities: list[bool], events: Events) -> None:
    """A domain is frozen by a decision only where it has the host (rule 7, and any domain as our own extension)."""
    for event in happened(priorities, events):
        for before, step, _after in event.steps:
            assert step.action not in (plan.SAVE, plan.PAUSE) or not plan.find(before, step.domain).suspended
        if event.kind == "freeze" and event.steps:
            assert event.subject.holds


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_who_vanishes_takes_its_jobs_along(priorities: list[bool], events: Events) -> None:
    """A domain that is gone has neither jobs nor the host (rule 8)."""
    for event in happened(priorities, events):
        if event.kind == "vanish":
            gone = plan.find(event.after, event.name)
            assert (gone.jobs, gone.stale, gone.holds) == ((), (), False)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_while_one_boots_nobody_gets_the_host(priorities: list[bool], events: Events) -> None:
    """A domain that boots has the whole host: until it is up no other one grows (rule 8)."""
    for event in happened(priorities, events):
        for before, step, _after in event.steps:
            assert step.action not in GROWS or not boots(before)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_while_a_host_is_kept_for_a_job_no_other_gets_it(priorities: list[bool], events: Events) -> None:
    """A claim keeps the host: only its own job takes it, and nothing that waits goes on before it has ended."""
    for event in happened(priorities, events):
        claims = [guest.claim for guest in event.before if guest.claim is not None]
        assert len(claims) <= 1
        for before, step, _after in event.steps:
            claim = next((guest.claim for guest in before if guest.claim is not None), None)
            assert claim is None or step.action not in (*GROWS, plan.ADD)
            if step.action == plan.ADD and claims:
                assert step.job is not None
                assert step.job.id == claims[0].id


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_what_has_ended_by_itself_is_gone(priorities: list[bool], events: Events) -> None:
    """A job whose lease has ended leaves its domain as job-stop would."""
    for event in happened(priorities, events):
        assert not any(guest.ended or guest.lapsed for guest in event.after)


@st.composite
def guests(draw: st.DrawFn, name: str) -> Guest:
    """Return a domain in any state that libvirt can show, whether or not a decision of ours leads there."""
    active, suspended, granted, booting, priority = (draw(st.booleans()) for _fact in range(5))
    softness = draw(st.lists(st.booleans(), max_size=2)) if active or suspended else []
    claimed = active and draw(st.integers(0, 9)) == 0
    return Guest(
        name,
        claim=Claim("other") if claimed else None,
        claimed=claimed,
        active=active,
        suspended=suspended,
        saved=suspended and not active,
        booting=active and booting,
        granted=active and granted,
        parked=active and not granted,
        priority=priority,
        max_memory=1,
        jobs=tuple(Job(f"{name}{number}", preemptible=soft) for number, soft in enumerate(softness)),
    )


@settings(max_examples=5 * MOST_EXAMPLES, deadline=None)
@given(st.tuples(guests("d"), guests("e"), guests("f")))
def test_a_job_may_start_exactly_where_the_state_says_so(host: Guests) -> None:
    """Whatever is observed, state and decision agree on a preemptible job; two rules only a decision sees."""
    said = states.state(host[0], host)
    may = said in (states.FREE, states.RUNNING, states.RUNNING_PREEMPTIBLE, states.OCCUPIED_WOULD_PREEMPT)
    refused = refusal(host)
    # Beside a frozen domain and a paused one that holds memory, only the decision knows of the job.
    # Where jobs run and a claim keeps the host, the claim stands beside the state.
    if "(claimed)" in refused:
        assert said not in (states.FREE, states.OCCUPIED_WOULD_PREEMPT, states.DOWN_BOOTABLE)
    elif not any(rule in refused for rule in ("is frozen with", "is paused and holds")):
        assert may == (not refused), refused


def refusal(host: Guests) -> str:
    """Return why a preemptible job may not start in `d`; empty where it may."""
    try:
        plan.job_start(host, "d", Job("new", preemptible=True))
    except RefusedError as refused:
        return str(refused)
    return ""
