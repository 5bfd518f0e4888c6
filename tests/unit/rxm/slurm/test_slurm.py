"""Slurm's programs: the table, and what each does with every class of outcome. A real Slurm is in tests/slurm."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from rxm.slurm import cli, policy, programs
from rxm.slurm.settings import Settings
from tests.lab.process import ROOT
from xman import outcome, result
from xman.errors import ConfigurationError
from xman.result import Result

ENV = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_USER": "alice",
    "SLURM_JOB_NODELIST": "vm[1-2]",
    "SLURM_JOB_PARTITION": "low",
}


def ok(verb: str = "job-start", domain: str | None = "vm1", **data: Any) -> dict[str, Any]:
    """Return the object of a success."""
    return result.succeeded("skirit80", verb, Result(data, domain=domain), 0)


def failed(code: int, domain: str = "vm1") -> dict[str, Any]:
    """Return the object of a failure."""
    return result.failed("skirit80", "job-start", domain, code, f"what happened to {domain}")


class Tools(programs.Tools):
    """Answers as told, and remembers what was asked for."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]], squeue: str | None = "", **settings: Any) -> None:
        object.__setattr__(self, "settings", Settings(**settings))
        self.__dict__ |= {"answers": answers, "squeue": squeue, "asked": [], "said": []}

    def rxm(self, *words: str) -> list[dict[str, Any]]:
        self.__dict__["asked"].append(" ".join(words))
        found: list[dict[str, Any]] = self.__dict__["answers"].get(words[0], [])
        return found

    def slurm(self, *words: str) -> str | None:
        self.__dict__["asked"].append(" ".join(words))
        squeue: str | None = self.__dict__["squeue"]
        return squeue

    def say(self, text: str, severity: int = 0) -> None:
        self.__dict__["said"].append(text)

    @property
    def asked(self) -> list[str]:
        """What was run, in its order."""
        return list(self.__dict__["asked"])


def test_every_class_has_an_action_but_the_one_that_has_many() -> None:
    assert set(policy.ADVICE) == set(outcome.CLASSES) - {outcome.MIXED}


def test_the_guide_has_the_same_table() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\w-]+) \| (\w+) \|$", (ROOT / "etc" / "slurm" / "README.md").read_text(), re.M)

    assert rows == [(str(code), outcome.class_name(code), action) for code, action in policy.ADVICE.items()]


def test_an_outcome_of_a_later_release_holds_the_job() -> None:
    assert policy.advice(42) == policy.HOLD


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], policy.HOLD),
        ([0, 0], policy.GO),
        ([0, 3], policy.REQUEUE),
        ([3, 10], policy.ASK),
        ([10, 6], policy.DRAIN),
        ([6, 5, 0], policy.HOLD),
    ],
)
def test_with_several_nodes_the_worst_counts(codes: list[int], expected: str) -> None:
    assert policy.of_all([failed(code) if code else ok() for code in codes]) == expected


def test_prolog_starts_the_job_in_every_domain() -> None:
    tools = Tools({"job-start": [ok(), ok()]}, preemptible=("low",))

    assert programs.prolog(tools, [], ENV) == 0
    assert tools.asked == ["job-start --id 4711 --owner alice --preemptible -- vm1 vm2"]


def test_prolog_leaves_other_partitions_alone() -> None:
    tools = Tools({}, partitions=("high",))

    assert (programs.prolog(tools, [], ENV), programs.epilog(tools, [], ENV), tools.asked) == (0, 0, [])


def test_prolog_refused_is_a_requeue_and_no_more() -> None:
    tools = Tools({"job-start": [ok(), failed(outcome.REFUSED, "vm2")]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked == ["job-start --id 4711 --owner alice -- vm1 vm2"]


def test_prolog_drains_the_node_that_is_to_blame() -> None:
    tools = Tools({"job-start": [failed(outcome.REFUSED), failed(outcome.UNREACHABLE, "vm2")]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[1:] == ["scontrol update NodeName=vm2 State=DRAIN Reason=xman: what happened to vm2"]


@pytest.mark.parametrize("code", [outcome.CREDENTIALS, outcome.DENIED, outcome.INTERNAL])
def test_prolog_holds_what_no_node_would_take(code: int) -> None:
    tools = Tools({"job-start": [failed(code)]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[1:] == ["scontrol requeuehold 4711"]


def test_prolog_asks_where_nobody_knows_and_the_job_may_be_there() -> None:
    there = ok("job-list", None, jobs=[{"domain": name, "id": "4711"} for name in ("vm1", "vm2")])
    tools = Tools({"job-start": [ok(), failed(outcome.UNKNOWN, "vm2")], "job-list": [there]})

    assert programs.prolog(tools, [], ENV) == 0
    assert tools.asked[1:] == ["job-list -- vm1 vm2"]


@pytest.mark.parametrize("found", [[ok("job-list", None, jobs=[{"domain": "vm1", "id": "4711"}])], []])
def test_prolog_ends_a_job_that_is_not_everywhere(found: list[dict[str, Any]]) -> None:
    tools = Tools({"job-start": [ok(), failed(outcome.UNKNOWN, "vm2")], "job-list": found})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[1:] == ["job-list -- vm1 vm2", "job-stop --id 4711 -- vm1 vm2"]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([ok(), ok()], 0),
        ([ok(), failed(outcome.NO_SUCH_DOMAIN, "vm2")], 0),
        ([failed(outcome.UNREACHABLE), ok()], 1),
    ],
)
def test_epilog(answers: list[dict[str, Any]], status: int) -> None:
    tools = Tools({"job-stop": answers})

    assert programs.epilog(tools, [], ENV) == status
    assert tools.asked == ["job-stop --id 4711 -- vm1 vm2"]


def test_resume_says_at_once_which_node_cannot_come() -> None:
    tools = Tools({"start": [ok("start"), failed(outcome.NO_SUCH_DOMAIN, "vm2"), failed(outcome.REFUSED, "vm3")]})

    assert programs.resume(tools, ["vm[1-3]"], {}) == 1
    assert tools.asked == [
        "start -- vm1 vm2 vm3",
        "scontrol update NodeName=vm2 State=DOWN Reason=xman: what happened to vm2",
    ]


def test_suspend_forces_in_the_end() -> None:
    tools = Tools({"shutdown": [ok("shutdown")]}, force_after=5.0)

    assert programs.suspend(tools, ["vm1"], {}) == 0
    assert tools.asked == ["shutdown --force-after 5 -- vm1"]


def test_reconcile_ends_what_slurm_does_not_know() -> None:
    jobs = [{"domain": "vm1", "id": "1"}, {"domain": "vm2", "id": "2"}]
    tools = Tools({"job-list": [ok("job-list", None, jobs=jobs)], "job-stop": [ok("job-stop")]}, squeue="1\n3\n")

    assert programs.reconcile(tools, [], {}) == 0
    squeue = "squeue --all --noheader --states R,S,CF,CG,SI,ST,SO,RS --format %A"
    assert tools.asked == ["job-list", squeue, squeue, "job-stop --id 2 -- skirit80:vm2"]


def test_reconcile_leaves_what_has_begun_since(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [{"domain": "vm1", "id": "1"}]
    tools = Tools({"job-list": [ok("job-list", None, jobs=jobs)]})
    looks = iter(["", "1\n"])
    monkeypatch.setattr(Tools, "slurm", lambda _tools, *_words: next(looks))

    assert programs.reconcile(tools, [], {}) == 0
    assert tools.asked == ["job-list"]


def test_reconcile_ends_nothing_where_slurm_does_not_answer() -> None:
    jobs = [{"domain": "vm1", "id": "1"}]
    tools = Tools({"job-list": [ok("job-list", None, jobs=jobs)]}, squeue=None)

    assert programs.reconcile(tools, [], {}) == 1
    assert len(tools.asked) == 2


@pytest.mark.parametrize("said", ["", "Traceback\n"])
def test_an_rxm_that_prints_no_objects_holds_the_job_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """The rxm that is run is the one beside our own command: only that knows where its modules are."""
    rxm = tmp_path / "rxm"
    rxm.write_text(f"#!/bin/sh\nprintf '{said}'; echo no such module >&2; exit 1\n")
    rxm.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "xman-slurm")])

    assert policy.of_all(programs.Tools(Settings()).rxm("job-list")) == policy.HOLD
    assert capsys.readouterr().err == ("xman-slurm: rxm job-list printed no JSON (exit status 1): no such module\n")


def test_the_hooks_suspend_and_resume_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"hook": "preempted", "domain": "vm1", "jobs": [{"id": "1"}, {"id": "2"}]}
    tools = Tools({})
    for program in (programs.preempted, programs.resumed):
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(told)))
        assert program(tools, [], {}) == 0

    assert tools.asked == ["scontrol suspend 1", "scontrol suspend 2", "scontrol resume 1", "scontrol resume 2"]


@pytest.mark.parametrize("words", [[], ["fly"], ["resume"], ["prolog", "vm1"]])
def test_wrong_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(words) == 2
    assert capsys.readouterr().err.startswith("Usage: xman-slurm prolog | epilog | resume NODES")


def test_a_program_that_slurm_did_not_call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr("rxm.slurm.settings.DEFAULT_PATH", "/nonexistent/slurm.toml")

    assert cli.run(["prolog"]) == 1
    assert capsys.readouterr().err == "xman-slurm: SLURM_JOB_ID is not set: prolog is for Slurm to call\n"


def test_slurm_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "slurm.toml"
    shipped = (ROOT / "etc" / "slurm" / "slurm.toml").read_text()
    path.write_text(re.sub(r"^#(\w+ = )", r"\1", shipped, flags=re.M))
    monkeypatch.setenv("XMAN_SLURM_CONFIG", str(path))

    from rxm.slurm import settings

    assert settings.load() == Settings()
    path.write_text("partitions = 1\n")
    with pytest.raises(ConfigurationError):
        settings.load()


@pytest.mark.parametrize("name", ["resume", "suspend", "prolog", "epilog", "hooks/preempted", "hooks/resumed"])
def test_the_shipped_programs_are_programs_of_ours(name: str) -> None:
    path = ROOT / "etc" / "slurm" / name

    assert path.stat().st_mode & 0o111
    assert re.search(r"^exec xman-slurm (\w+)", path.read_text(), re.M)[1] in programs.PROGRAMS  # type: ignore[index]
