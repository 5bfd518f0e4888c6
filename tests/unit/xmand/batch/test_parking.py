"""The switch: in which order things move, and what becomes of them where one of them fails."""

from typing import Any

import pytest

from xman.errors import HypervisorError, RefusedError
from xman.metadata import Job
from xman.values import MIB
from xmand.batch import marks, parking, plan
from xmand.batch.guests import Guest
from xmand.batch.hooks import Hooks
from xmand.batch.observe import Seen
from xmand.batch.parking import Means, Switch
from xmand.batch.plan import Step
from xmand.settings import Batch, Patience
from xmand.virt import lifecycle

SOFT = Job("1", "alice@R", preemptible=True)
PATIENCE = Patience(60.0, 60.0)
NEW = Job("2", "bob@R")
LOSER = Guest("loser", granted=True, jobs=(SOFT,), max_memory=512 * MIB, max_vcpus=4)
WINNER = Guest("winner", parked=True, priority=True, max_memory=512 * MIB, max_vcpus=4)
STEPS = (Step(plan.PREEMPT, "loser"), Step(plan.ADD, "winner", NEW), Step(plan.GRANT, "winner"))


class Domain:
    """A domain that does as it is told, within the limits that its test sets."""

    def __init__(self, name: str, memory_mib: int, log: list[str]) -> None:
        self.name = name
        self.size = (memory_mib, 4 if memory_mib == 512 else 1)
        self.least_mib = 0
        self.on = True
        self.log = log

    def memory(self) -> tuple[int, int]:
        return self.size[0] * MIB, 512 * MIB

    def vcpus(self) -> tuple[int, int]:
        return self.size[1], 4

    def active(self) -> bool:
        return self.on


class Told(Hooks):
    """Hooks that write down what they are told."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def run(self, name: str, facts: dict[str, Any]) -> list[str]:
        self._log.append(f"hook {name} {facts['domain']}")
        return []


class Bench:
    """A loser with all memory, a winner with none, and what happened to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.domains: dict[str, Any] = {
            "loser": Domain("loser", 512, self.log),
            "winner": Domain("winner", 160, self.log),
        }
        self.failing = ""
        self.audit: list[str] = []
        monkeypatch.setattr(parking, "resize", self._resize)
        for name in ("preempted", "returned", "hold", "restore"):
            monkeypatch.setattr(marks, name, lambda domain, name=name, **_more: self._note(f"{name} {domain.name}"))
        monkeypatch.setattr(marks, "add_job", lambda domain, job, _settings: self._note(f"add {job.id} {domain.name}"))
        monkeypatch.setattr(marks, "remove_job", lambda domain, number: self._note(f"remove {number} {domain.name}"))
        monkeypatch.setattr(lifecycle, "suspend", self._suspend)

    def run(self, steps: tuple[Step, ...] = STEPS, **settings: Any) -> Switch:
        """Carry the steps out."""
        means = Means(Batch(**settings), Told(self.log), PATIENCE, lambda _text: None, self._record)
        made = Switch(means, Seen((LOSER, WINNER), self.domains, ()))
        made.carry_out(steps)
        return made

    def _record(self, *, dom: str, uuid: str, detail: str) -> None:
        self.audit.append(f"{dom}{uuid}: {detail}")

    def _note(self, text: str) -> None:
        self.log.append(text)
        if text == self.failing:
            raise HypervisorError(f"{text} failed.")

    def _resize(self, domain: Any, memory: int, vcpus: int, _patience: float) -> tuple[int, int]:
        self._note(f"{domain.name} {memory // MIB} {vcpus}")
        domain.size = (max(memory // MIB, domain.least_mib), vcpus)
        return domain.size[0] * MIB, domain.size[1]

    def _suspend(self, domain: Any, _patience: float, _progress: object) -> None:
        self._note(f"save {domain.name}")
        domain.on = False


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_the_loser_shrinks_before_the_winner_grows(bench: Bench) -> None:
    bench.run()

    assert bench.log == ["hook preempted loser", "loser 160 1", "preempted loser", "add 2 winner", "winner 512 4"]
    assert bench.audit == ["loser: preempt", "winner: add-job 2", "winner: grant"]


def test_a_guest_that_keeps_its_memory_refuses_the_job_and_has_all_back(bench: Bench) -> None:
    bench.domains["loser"].least_mib = 300

    with pytest.raises(RefusedError) as refused:
        bench.run()

    assert str(refused.value) == (
        "'loser' did not give back its memory: it keeps 300 MiB instead of 160 (stuck). Nothing was changed."
    )
    assert bench.log == ["hook preempted loser", "loser 160 1", "loser 512 4", "hook resumed loser"]
    assert bench.domains["loser"].size == (512, 4)
    assert bench.audit == ["loser: back: grant", "loser: back: return"]


def test_a_guest_without_a_balloon_is_stuck_in_libvirts_words(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_balloon(*_arguments: object) -> tuple[int, int]:
        raise RefusedError("no balloon device")

    monkeypatch.setattr(parking, "resize", no_balloon)

    with pytest.raises(RefusedError, match=r"keeps 512 MiB instead of 160 \(stuck\); no balloon device\. Not all"):
        bench.run()


def test_a_guest_that_keeps_its_memory_is_put_away_where_the_host_wants_it_so(bench: Bench) -> None:
    bench.domains["loser"].least_mib = 300

    made = bench.run(stuck="save")

    assert made.notes == ["'loser' did not give its memory back and was saved to disk."]
    assert bench.log[-5:] == ["loser 160 1", "preempted loser", "save loser", "add 2 winner", "winner 512 4"]


def test_a_guest_that_keeps_a_cpu_is_told_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "resize", lambda _domain, memory, _vcpus, _patience: (memory, 4))

    assert "'loser' keeps 4 CPUs until its guest releases them." in bench.run().notes


def test_a_winner_that_cannot_grow_undoes_all_of_it_the_last_first(bench: Bench) -> None:
    bench.failing = "winner 512 4"

    with pytest.raises(HypervisorError, match=r"winner 512 4 failed\. Nothing was changed\."):
        bench.run()

    assert bench.log[5:] == [
        "winner 160 1",
        "remove 2 winner",
        "returned loser",
        "loser 512 4",
        "hook resumed loser",
    ]


def test_what_cannot_be_undone_is_said(bench: Bench) -> None:
    bench.domains["loser"].least_mib = 300
    bench.failing = "loser 512 4"

    with pytest.raises(RefusedError, match=r"Not all of it could be undone \(grant loser: loser 512 4 failed\.\)"):
        bench.run()


def test_what_is_optional_undoes_nothing_and_leaves_out_the_rest(bench: Bench) -> None:
    bench.failing = "loser 160 1"
    steps = (
        Step(plan.REMOVE, "loser", SOFT),
        Step(plan.PARK, "loser", optional=True),
        Step(plan.RETURN, "winner", optional=True),
    )

    made = bench.run(steps)

    assert (made.notes, made.incomplete) == (["loser 160 1 failed."], True)
    assert bench.log == ["remove 1 loser", "loser 160 1"]


def test_a_preempted_winner_is_marked_and_told_when_it_has_its_memory(bench: Bench) -> None:
    back = Guest("winner", parked=True, jobs=(SOFT,), preempted_since=1, max_memory=512 * MIB, max_vcpus=4)
    means = Means(Batch(), Told(bench.log), PATIENCE, lambda _text: None)

    Switch(means, Seen((back,), bench.domains, ())).carry_out((Step(plan.RETURN, "winner"),))

    assert bench.log == ["winner 512 4", "returned winner", "hook resumed winner"]


def test_a_small_domain_is_not_grown_by_parking(bench: Bench) -> None:
    bench.domains["loser"].size = (96, 1)

    bench.run((Step(plan.PARK, "loser"),))

    assert bench.log == ["loser 96 1"]
