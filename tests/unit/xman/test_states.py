"""The batch states, one rule at a time."""

import os
from dataclasses import dataclass
from itertools import product

import pytest

from tests.lab.process import ROOT
from xman import states
from xman.states import Facts


@dataclass(frozen=True)
class Job:
    preemptible: bool


HARD = (Job(False),)
SOFT = (Job(True),)
MIXED = (Job(True), Job(False))
NOBODY: tuple[Facts, ...] = ()


def owner(jobs: tuple[Job, ...], *, priority: bool = False) -> Facts:
    """Return another domain, which has the host."""
    return Facts("owner", granted=True, priority=priority, jobs=jobs)


BOOTS = Facts("boots", booting=True, granted=True)
OFF_BOOTING = Facts("off", active=False, booting=True)
PAUSED_BOOTING = Facts("paused", suspended=True, booting=True)


@pytest.mark.parametrize(
    ("domain", "others", "expected"),
    [
        (Facts("d", suspended=True), NOBODY, states.FROZEN),
        (Facts("d", suspended=True, granted=True, jobs=HARD), (BOOTS,), states.FROZEN),
        (Facts("d", active=False, suspended=True), (owner(HARD),), states.FROZEN),
        (Facts("d", active=False), NOBODY, states.DOWN_BOOTABLE),
        (Facts("d", active=False), (owner(SOFT),), states.DOWN_BOOTABLE),
        (Facts("d", active=False), (owner(HARD),), states.DOWN),
        (Facts("d", active=False), (owner(SOFT), owner(HARD)), states.DOWN),
        (Facts("d", active=False), (BOOTS,), states.DOWN),
        (Facts("d", booting=True), NOBODY, states.BOOTING),
        (Facts("d", booting=True, granted=True, jobs=HARD), (BOOTS,), states.BOOTING),
        (Facts("d"), (BOOTS,), states.OCCUPIED_BOOTING),
        (Facts("d", granted=True, jobs=HARD), (BOOTS,), states.OCCUPIED_BOOTING),
        (Facts("d"), (OFF_BOOTING,), states.FREE),
        (Facts("d"), (PAUSED_BOOTING,), states.FREE),
        (Facts("d", active=False), (PAUSED_BOOTING,), states.DOWN_BOOTABLE),
        (Facts("d", jobs=SOFT), NOBODY, states.PREEMPTED),
        (Facts("d", jobs=HARD), (owner(HARD),), states.PREEMPTED),
        (Facts("d", granted=True, jobs=SOFT), NOBODY, states.RUNNING_PREEMPTIBLE),
        (Facts("d", granted=True, jobs=SOFT, priority=True), NOBODY, states.RUNNING),
        (Facts("d", granted=True, jobs=MIXED), NOBODY, states.RUNNING),
        (Facts("d", granted=True, jobs=HARD), NOBODY, states.RUNNING),
        (Facts("d"), NOBODY, states.FREE),
        (Facts("d", granted=True), NOBODY, states.FREE),
        (Facts("d", priority=True), (owner(SOFT),), states.OCCUPIED_WOULD_PREEMPT),
        (Facts("d", priority=True), (owner(SOFT), owner(HARD)), states.OCCUPIED),
        (Facts("d", priority=True), (owner(SOFT, priority=True),), states.OCCUPIED),
        (Facts("d", priority=True), (owner(HARD),), states.OCCUPIED),
        (Facts("d"), (owner(SOFT),), states.OCCUPIED),
    ],
)
def test_state(domain: Facts, others: tuple[Facts, ...], expected: str) -> None:
    assert states.state(domain, others) == expected


@pytest.mark.parametrize(
    "other",
    [
        Facts("idle", granted=True),
        Facts("parked", jobs=HARD),
        Facts("paused", granted=True, suspended=True, jobs=HARD),
        Facts("off", active=False, granted=True, jobs=HARD),
    ],
    ids=lambda other: str(other.name),
)
def test_who_does_not_hold_the_host_stands_in_nobodys_way(other: Facts) -> None:
    assert not other.holds
    assert states.state(Facts("d"), (other,)) == states.FREE


@pytest.mark.parametrize("jobs", [(), SOFT, HARD])
@pytest.mark.parametrize("others", [(), (owner(SOFT),), (owner(HARD),), (BOOTS,)])
def test_a_domain_is_never_in_its_own_way(jobs: tuple[Job, ...], others: tuple[Facts, ...]) -> None:
    for active, suspended, booting, granted, priority in product((True, False), repeat=5):
        domain = Facts("d", active, suspended, booting, granted, priority, jobs)
        assert states.state(domain, (domain, *others)) == states.state(domain, others)


def test_only_jobs_make_a_domain_soft() -> None:
    assert Facts("d", jobs=SOFT).soft
    assert not Facts("d").soft


def test_states_of_a_host() -> None:
    found = states.states([owner(SOFT), Facts("d", priority=True), Facts("e")])

    assert found == {"owner": "running-preemptible", "d": "occupied-would-preempt", "e": "occupied"}


def test_facts_without_more_are_of_an_idle_parked_domain() -> None:
    assert Facts("d") == Facts("d", True, False, False, False, False, ())


def test_every_combination_has_a_state_and_every_state_a_combination() -> None:
    flags = [
        Facts("d", active, suspended, booting, granted, priority, jobs)
        for active, suspended, booting, granted, priority in product((True, False), repeat=5)
        for jobs in ((), SOFT, HARD)
    ]
    others = [(), (owner(SOFT),), (owner(HARD),), (BOOTS,)]

    assert {states.state(domain, rest) for domain in flags for rest in others} == set(states.STATES)


def test_the_legend_has_the_seven_states_of_2007_first_and_every_text_twice() -> None:
    assert states.STATES == (
        "free",
        "occupied-would-preempt",
        "occupied",
        "running-preemptible",
        "running",
        "preempted",
        "frozen",
        "occupied-booting",
        "booting",
        "down",
        "down-bootable",
    )
    texts = [text for legend in states.LEGEND.values() for text in (legend.en, legend.cs)]
    assert len(set(texts)) == 2 * len(states.STATES)


def test_the_legend_is_worded_as_it_was_reviewed() -> None:
    """`XMAN_UPDATE_GOLDEN=1 pytest tests/unit/xman/test_states.py` writes it again; the difference is for review."""
    golden = ROOT / "tests" / "data" / "golden" / "legend.txt"
    text = "".join(f"{state}\n  {legend.en}\n  {legend.cs}\n" for state, legend in states.LEGEND.items())
    if os.environ.get("XMAN_UPDATE_GOLDEN") == "1":
        golden.write_text(text)
    assert text == golden.read_text()


def test_facts_and_the_legend_are_values() -> None:
    assert {Facts("d"), Facts("d")} == {Facts("d")}
    assert len({*states.LEGEND.values()}) == len(states.STATES)
