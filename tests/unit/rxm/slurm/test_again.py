"""`xman-slurm again`: a job that was refused is started anew, and without what refused it (`rxm.slurm.programs`)."""

from typing import Any

import pytest

from rxm.slurm import programs, tools
from tests.unit.rxm.slurm.made_up import Clock, Tools


class Scontrol(Tools):
    """A Slurm that says of its one job what a test tells, one look after the other."""

    def __init__(self, *looks: str, **settings: Any) -> None:
        super().__init__({}, **settings)
        self.__dict__["looks"] = list(looks)

    def slurm(self, *words: str) -> str | None:
        self.__dict__["asked"].append(" ".join(words))
        if words[1] != "--oneliner":
            return ""
        looks = self.__dict__["looks"]
        return str(looks.pop(0) if len(looks) > 1 else looks[0])


RUNNING = "JobId=4711 JobName=a b JobState=CONFIGURING ExcNodeList=(null)\n"
PENDING = "JobId=4711 JobName=a b JobState=PENDING Reason=BeginTime ExcNodeList=vm9\n"


def updates(tools: Tools) -> list[str]:
    """Return what was changed of the job."""
    return [asked.removeprefix("scontrol update JobId=") for asked in tools.asked if " update " in asked]


def test_a_refused_job_is_started_anew_elsewhere_at_once_and_later_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "time", Clock())
    tools = Scontrol(RUNNING, RUNNING, PENDING)

    assert programs.again(tools, ["4711_3", "vm1,vm2"], {}) == 0
    assert updates(tools)[0] == (
        "4711_3 ExcNodeList=vm1,vm2,vm9 AdminComment=xman: left out vm1@11,vm2@11 StartTime=now"
    )
    assert updates(tools)[-1] == "4711_3 ExcNodeList=vm9 AdminComment= StartTime=now"


def waiting(excluded: str, comment: str, **other: str) -> str:
    """Return what scontrol says of a job that waits."""
    more = "".join(f"{key}={value} " for key, value in other.items())
    return f"JobId=4711 JobName=a b JobState=PENDING {more}AdminComment={comment} ExcNodeList={excluded}\n"


def test_what_one_refusal_left_out_is_not_what_the_next_one_brings_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that overlap left a node out for good, and in the end all of them."""
    clock = Clock()
    monkeypatch.setattr(programs, "time", clock)
    clock.now = 100.0
    first = "xman: left out vm1@105"
    both = "xman: left out vm1@105,vm2@110"
    tools = Scontrol(waiting("vm[1,9]", first), waiting("vm[1-2,9]", both))

    assert programs.again(tools, ["4711", "vm2"], {}) == 0
    clock.now = 112.0
    assert programs.let_in(tools, "4711") is True

    assert updates(tools)[0] == f"4711 ExcNodeList=vm1,vm2,vm9 AdminComment={both} StartTime=now"
    assert updates(tools)[-1] == "4711 ExcNodeList=vm9 AdminComment= StartTime=now"


def test_a_node_is_left_out_until_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(programs, "time", clock)
    clock.now = 106.0
    tools = Scontrol(waiting("vm[1-2]", "xman: left out vm1@105,vm2@111"))

    assert programs.let_in(tools, "4711") is True

    assert updates(tools) == ["4711 ExcNodeList=vm2 AdminComment=xman: left out vm2@111 StartTime=now"]


def test_a_clock_that_was_set_back_leaves_no_node_out_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(programs, "time", clock)
    clock.now = 10.0
    tools = Scontrol(waiting("vm1", "xman: left out vm1@9000"))

    assert programs.let_in(tools, "4711") is True

    assert updates(tools) == ["4711 ExcNodeList= AdminComment= StartTime=now"]


def test_a_job_that_slurm_holds_since_no_node_was_left_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "time", Clock())
    held = {"Priority": "0", "Reason": "BadConstraints"}
    tools = Scontrol(waiting("vm1", "xman: left out vm1@0", **held))

    assert programs.let_in(tools, "4711") is True

    assert tools.asked[-1] == "scontrol release 4711"


def test_what_was_left_out_is_known_still_behind_a_suspension() -> None:
    slurm = Scontrol(waiting("vm1", "xman: left out vm1@50"))

    assert programs.suspend_job(slurm, a_job()) is True

    assert updates(slurm) == ["4711 AdminComment=xman: suspended; left out vm1@50"]


def a_job() -> tools.Job:
    """Return a job that runs."""
    return tools.Job("4711", "4711", "RUNNING", "low", "alice", ("vm2",))


def test_a_job_that_slurm_holds_since_it_was_suspended_when_it_began_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "time", Clock())
    held = PENDING.replace("Reason=", "Priority=0 AdminComment=xman: suspended Reason=")
    tools = Scontrol(held, RUNNING)

    assert programs.again(tools, ["4711", "vm1"], {}) == 0
    assert "scontrol release 4711" in tools.asked
    assert updates(tools)[0] == "4711 ExcNodeList=vm1,vm9 AdminComment=xman: left out vm1@10 StartTime=now"


def test_a_job_that_a_person_holds_stays_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "time", Clock())
    tools = Scontrol(PENDING.replace("Reason=", "Priority=0 AdminComment=(null) Reason="), RUNNING)

    assert programs.again(tools, ["4711", "vm1"], {}) == 0
    assert not any("release" in asked for asked in tools.asked)


def test_a_job_that_has_started_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "time", Clock())
    tools = Scontrol(PENDING, RUNNING)

    assert programs.again(tools, ["4711", "vm1"], {}) == 0
    assert updates(tools) == ["4711 ExcNodeList=vm1,vm9 AdminComment=xman: left out vm1@10 StartTime=now"]


def test_a_job_that_waits_for_the_kdc_is_started_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(programs, "time", clock)
    tools = Scontrol(PENDING, later=15.0)

    assert programs.again(tools, ["4711", "-"], {}) == 0
    assert (updates(tools), clock.now) == (["4711 StartTime=now"], 15.0)


def test_a_job_that_is_never_requeued_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "time", Clock())

    assert programs.again(Scontrol(RUNNING), ["4711", "vm1"], {}) == 1
