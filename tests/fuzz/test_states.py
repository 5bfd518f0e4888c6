"""The state function against the event machine: whatever happened, both say the same of every domain.

A longer run: `XMAN_EXAMPLES=1600 pytest tests/fuzz/test_states.py` (160,000 events).
"""

import os
import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import magrathea
from tests.fuzz.magrathea import Machine
from xman import states
from xman.states import Facts

MOST_EXAMPLES = int(os.environ.get("XMAN_EXAMPLES", "200"))
EXAMPLES = settings(max_examples=MOST_EXAMPLES, deadline=None)

# How often each happens: so that domains are mostly up, jobs mostly preemptible, and the rare histories (two preempted
# at once, a crash while another boots) come up in every run.
WEIGHTS = {
    "start": 10,
    "stop": 5,
    "freeze": 3,
    "defrost": 3,
    "preempt": 2,
    "unpreempt": 2,
    "vanish": 1,
    "boot": 3,
    "up": 5,
    "end": 2,
    "claim": 2,
    "lapse": 2,
}
HISTORY = 100


def history(seed: int) -> list[tuple[object, ...]]:
    """Return events: a kind, the number of a domain, and for jobs an id and whether it is preemptible."""
    dice = random.Random(seed)
    events: list[tuple[object, ...]] = []
    for kind in dice.choices(list(WEIGHTS), list(WEIGHTS.values()), k=HISTORY):
        events.append((kind, dice.randrange(4)))
        if kind in ("start", "stop", "end", "claim"):
            events[-1] += (dice.choice("12"),)
        if kind in ("start", "claim"):
            events[-1] += (dice.random() < 0.8,)
    return events


EVENTS = st.integers(0, 2**32).map(history)
PRIORITIES = st.lists(st.booleans(), min_size=2, max_size=4)


@dataclass(frozen=True)
class Job:
    preemptible: bool


def observed(machine: Machine) -> list[Facts]:
    """Return what libvirt would show of the machine's host."""
    return [
        Facts(
            slave.name,
            active=slave.status != magrathea.DOWN,
            suspended=slave.status == magrathea.FROZEN,
            booting=slave.status == magrathea.BOOTING,
            granted=slave.status in (magrathea.RUNNING, magrathea.SOFT),
            priority=slave.priority,
            jobs=tuple(Job(soft) for soft in slave.jobs.values()),
            claimed=machine.claim_of is not None and machine.claim_of[0] is slave,
        )
        for slave in machine.slaves
    ]


def happen(machine: Machine, event: tuple[object, ...]) -> bool:
    """Let one event happen to the machine; return whether it was accepted."""
    kind, number, *more = event
    assert isinstance(number, int)
    slave = machine.slaves[number % len(machine.slaves)]
    return bool(getattr(machine, str(kind))(slave, *more))


@EXAMPLES
@given(PRIORITIES, EVENTS)
def test_both_say_the_same(priorities: list[bool], events: list[tuple[object, ...]]) -> None:
    """No history makes the state function differ from the machine that remembers."""
    machine = Machine(priorities)
    for event in events:
        happen(machine, event)

        expected = {slave.name: machine.outward(slave) for slave in machine.slaves}
        assert states.states(observed(machine)) == expected
