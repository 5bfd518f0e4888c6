"""The decisions against the event machine, and what a crash in the middle of one leaves behind."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.magrathea import Machine, Slave
from tests.fuzz.test_states import EVENTS, EXAMPLES, PRIORITIES
from xman import states
from xman.errors import RefusedError
from xman.metadata import Claim, Job
from xmand.batch import plan, terms
from xmand.batch.guests import Guest
from xmand.batch.plan import Guests, Plan, Step


class Host:
    """A host on which plans are carried out, one step after the other; `guests` is what would be observed."""

    def __init__(self, priorities: list[bool]) -> None:
        self.guests: Guests = tuple(
            Guest(f"vm{n}", priority=priority, parked=True, max_memory=1) for n, priority in enumerate(priorities)
        )
        self._clock = 0

    def carry_out(self, wanted: Plan, most: int = 1000) -> None:
        """Do the first `most` steps."""
        for step in wanted.steps[:most]:
            self.do(step)

    def do(self, step: Step) -> None:
        """Do one step."""
        self.guests = tuple(self._clocked(guest, step) for guest in plan.apply(self.guests, [step]))

    def decide(self, kind: str, guest: Guest, more: tuple[object, ...]) -> Plan:
        """Return the plan for one event. Raises RefusedError."""
        if kind == "start":
            number, soft = more
            return plan.job_start(self.guests, guest.name, Job(str(number), "alice@R", preemptible=bool(soft)))
        if kind == "stop":
            return plan.job_stop(self.guests, guest.name, str(more[0]))
        if kind == "claim":
            number, soft = more
            job = Job(str(number), "alice@R", preemptible=bool(soft))
            return terms.job_claim(self.guests, guest.name, Claim(job.id), job)
        if kind in ("end", "lapse"):
            self._let_end(guest, *more)
            return plan.settle(self.guests)
        if kind == "freeze":
            return plan.freeze(self.guests, guest.name, pause=guest.name == "vm0")
        if kind in ("preempt", "unpreempt", "defrost"):
            decided: Plan = getattr(plan, kind)(self.guests, guest.name)
            return decided
        if kind == "boot" and (guest.active or guest.suspended):
            raise RefusedError("it is there")
        if not (kind == "up" and not guest.booting):
            self._replace(guest, kind)
        return plan.settle(self.guests)

    def _replace(self, guest: Guest, kind: str) -> None:
        """Let something happen that is no decision of ours."""
        bare = Guest(guest.name, active=False, priority=guest.priority, max_memory=1)
        new = {
            "vanish": replace(bare, stale=guest.jobs),
            "boot": replace(bare, active=True, booting=True, granted=True),
            "up": replace(guest, booting=False),
        }[kind]
        self.guests = tuple(new if each.name == guest.name else each for each in self.guests)

    def _let_end(self, guest: Guest, *number: object) -> None:
        """Let the lease of one job end, or whatever claim there is."""
        if number:
            over = tuple(job for job in guest.jobs if job.id == str(number[0]))
            new = replace(guest, jobs=tuple(job for job in guest.jobs if job not in over), ended=(*guest.ended, *over))
            self.guests = tuple(new if each.name == guest.name else each for each in self.guests)
            return
        self.guests = tuple(
            replace(each, claim=None, claimed=False, lapsed=True) if each.claimed else each for each in self.guests
        )

    def _clocked(self, guest: Guest, step: Step) -> Guest:
        if guest.name != step.domain or step.action != plan.PREEMPT:
            return guest
        self._clock += 1
        return replace(guest, preempted_since=self._clock)


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_decisions_are_those_of_the_machine(priorities: list[bool], events: list[tuple[object, ...]]) -> None:
    """No history makes a decision, or what it leads to, differ from the machine's."""
    machine, host = Machine(priorities), Host(priorities)
    for kind, number, *more in events:
        assert isinstance(number, int)
        index = number % len(priorities)
        accepted = _accepted(host, str(kind), host.guests[index], tuple(more))

        assert accepted == _happens(machine, str(kind), machine.slaves[index], more)
        assert states.states(host.guests) == {slave.name: machine.outward(slave) for slave in machine.slaves}


@EXAMPLES
@given(PRIORITIES, EVENTS, st.integers(0, 4))
def test_a_crash_is_mended(priorities: list[bool], events: list[tuple[object, ...]], most: int) -> None:
    """No history that ends in the middle of a plan leaves two owners, or a host idle while a domain waits for it."""
    host = Host(priorities)
    for kind, number, *more in events:
        assert isinstance(number, int)
        _accepted(host, str(kind), host.guests[number % len(priorities)], tuple(more), most)

    host.carry_out(plan.settle(host.guests))

    assert plan.settle(host.guests) == Plan(), "the second time there is nothing to do"
    waiting = [g for g in host.guests if g.jobs and g.active and not (g.suspended or g.granted or g.held)]
    nobody = not any(guest.holds or guest.claimed for guest in host.guests)
    assert not any(guest.ended or guest.lapsed for guest in host.guests), "what has ended is gone"
    assert not (waiting and nobody and not any(guest.booting for guest in host.guests))


def _accepted(host: Host, kind: str, guest: Guest, more: tuple[object, ...], most: int = 1000) -> bool:
    try:
        decided = host.decide(kind, guest, more)
    except RefusedError:
        return False
    host.carry_out(decided, most)
    return True


def _happens(machine: Machine, kind: str, slave: Slave, more: list[object]) -> bool:
    return bool(getattr(machine, kind)(slave, *more))
