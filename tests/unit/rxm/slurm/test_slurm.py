"""Slurm's programs: the table, and what each does with every class of outcome. A real Slurm is in tests/slurm."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from rxm.slurm import cli, policy, programs, tools
from rxm.slurm.settings import Settings
from tests.lab.process import ROOT
from tests.unit.rxm.slurm.made_up import CLAIM, ENV, RELEASE, START, Clock, Tools, failed, ok
from xman import outcome
from xman.errors import ConfigurationError


def test_every_class_has_an_action_but_the_one_that_has_many() -> None:
    assert set(policy.ADVICE) == set(outcome.CLASSES) - {outcome.MIXED}


def test_the_guide_has_the_same_table() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\w-]+) \| (\w+) \|$", (ROOT / "etc" / "slurm" / "README.md").read_text(), re.M)

    assert rows == [(str(code), outcome.class_name(code), action) for code, action in policy.ADVICE.items()]


def test_an_outcome_of_a_later_release_holds_the_job() -> None:
    assert policy.advice(failed(42)) == policy.HOLD


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], policy.HOLD),
        ([0, 0], policy.GO),
        ([0, 3], policy.ELSEWHERE),
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
    assert tools.asked == [
        "job-claim --id 4711 --preemptible -- vm1 vm2",
        "job-start --id 4711 --owner alice --preemptible -- vm1 vm2",
    ]


def test_prolog_of_one_node_is_choice_and_start_in_one() -> None:
    tools = Tools({"job-start": [ok()]})

    assert programs.prolog(tools, [], ENV | {"SLURM_JOB_NODELIST": "vm1"}) == 0
    assert tools.asked == ["job-start --id 4711 --owner alice -- vm1"]


def test_prolog_starts_nothing_where_one_host_cannot_be_claimed() -> None:
    tools = Tools({"job-claim": [failed(outcome.REFUSED), failed(outcome.REFUSED, "vm2")]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked == [CLAIM, "xman-slurm again 4711 vm1,vm2"]


@pytest.mark.parametrize("code", [outcome.USAGE, outcome.UNSUPPORTED, outcome.DENIED])
def test_prolog_starts_without_a_claim_where_that_is_not_to_be_had(code: int) -> None:
    """An xmand of 0.1 does not know job-claim, and a role may be without it."""
    tools = Tools({"job-claim": [ok("job-claim"), failed(code, "vm2")], "job-start": [ok(), ok()]})

    assert programs.prolog(tools, [], ENV) == 0
    assert tools.asked == [CLAIM, START]


def test_prolog_gives_a_job_the_lease_that_is_configured() -> None:
    tools = Tools({"job-start": [ok(), ok()]}, lease=600)

    assert programs.prolog(tools, [], ENV) == 0
    assert tools.asked == [CLAIM, "job-start --id 4711 --owner alice --lease 600 -- vm1 vm2"]


def test_prolog_leaves_other_partitions_alone() -> None:
    tools = Tools({}, partitions=("high",))

    assert (programs.prolog(tools, [], ENV), programs.epilog(tools, [], ENV), tools.asked) == (0, 0, [])


def test_prolog_refused_starts_the_job_anew_without_the_node_that_refused() -> None:
    tools = Tools({"job-start": [ok(), failed(outcome.REFUSED, "vm2")]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked == [CLAIM, START, RELEASE, "xman-slurm again 4711 vm2"]


def test_prolog_drains_the_node_that_is_to_blame() -> None:
    tools = Tools({"job-start": [failed(outcome.REFUSED), failed(outcome.UNREACHABLE, "vm2")]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[3:] == [
        "scontrol update NodeName=vm2 State=DRAIN Reason=xman: what happened to vm2",
        "xman-slurm again 4711 vm1,vm2",
    ]


@pytest.mark.parametrize("code", [outcome.CREDENTIALS, outcome.DENIED, outcome.INTERNAL])
def test_prolog_holds_what_no_node_would_take(code: int) -> None:
    tools = Tools({"job-start": [failed(code)]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked == [CLAIM, START, RELEASE, "scontrol requeuehold 4711"]


def test_prolog_asks_where_nobody_knows_and_the_job_may_be_there() -> None:
    there = ok("job-list", None, jobs=[{"domain": name, "id": "4711"} for name in ("vm1", "vm2")])
    tools = Tools({"job-start": [ok(), failed(outcome.UNKNOWN, "vm2")], "job-list": [there]})

    assert programs.prolog(tools, [], ENV) == 0
    assert tools.asked[2:] == ["job-list -- vm1 vm2"]


@pytest.mark.parametrize("found", [[ok("job-list", None, jobs=[{"domain": "vm1", "id": "4711"}])], []])
def test_prolog_ends_a_job_that_is_not_everywhere(found: list[dict[str, Any]]) -> None:
    tools = Tools({"job-start": [ok(), failed(outcome.UNKNOWN, "vm2")], "job-list": found})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[2:] == ["job-list -- vm1 vm2", "job-stop --id 4711 -- vm1 vm2", "xman-slurm again 4711 -"]


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
        "scontrol update NodeName=vm3 State=DOWN Reason=xman: what happened to vm3",
    ]


def test_suspend_forces_in_the_end() -> None:
    tools = Tools({"shutdown": [ok("shutdown")]}, force_after=5.0)

    assert programs.suspend(tools, ["vm1"], {}) == 0
    assert tools.asked == ["shutdown --force-after 5 -- vm1"]


ARRAY = ENV | {"SLURM_ARRAY_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": "3"}


def test_the_last_task_of_an_array_is_held_alone() -> None:
    """It has the array's own number, by which scontrol would hold all its siblings."""
    tools = Tools({"job-start": [failed(outcome.DENIED)]})

    assert programs.prolog(tools, [], ARRAY) == 1
    assert tools.asked == [CLAIM, START, RELEASE, "scontrol requeuehold 4711_3"]


@pytest.mark.parametrize("reason", ["kdc-unreachable", "clock-skew", "replay", "expired"])
def test_a_kdc_that_is_away_holds_no_job(reason: str) -> None:
    tools = Tools({"job-start": [failed(outcome.CREDENTIALS) | {"reason": reason}]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[3:] == ["xman-slurm again 4711 -"]


def test_a_key_of_one_hosts_drains_its_node_alone() -> None:
    tools = Tools({"job-start": [failed(outcome.CREDENTIALS) | {"reason": "wrong-key"}]})

    assert programs.prolog(tools, [], ENV) == 1
    assert tools.asked[3].startswith("scontrol update NodeName=vm1 State=DRAIN")


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let rxm print these one after the other, the last for ever; return how each was called."""
    calls: list[str] = []
    told = list(answers)

    def run(words: list[str], **_more: Any) -> Any:
        calls.append(" ".join(words[-1:]))
        out = told.pop(0) if len(told) > 1 else told[0]
        return type("Done", (), {"stdout": out, "stderr": "", "returncode": 0})

    monkeypatch.setattr("rxm.slurm.tools.subprocess.run", run)
    monkeypatch.setattr(tools, "time", Clock())
    return calls


@pytest.mark.parametrize("code", [outcome.UNREACHABLE, outcome.CREDENTIALS])
def test_what_passes_is_tried_for_as_long_as_a_restart_takes(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = json.dumps(failed(code) | {"reason": "kdc-unreachable"})
    calls = scripted(monkeypatch, trouble, trouble, json.dumps(ok()))

    answers = tools.Tools(Settings()).rxm("job-start", patient=True)

    assert answers[0]["ok"]
    assert len(calls) == 3


def test_what_does_not_pass_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = scripted(monkeypatch, json.dumps(failed(outcome.UNREACHABLE)))

    assert not tools.Tools(Settings(patience=5.0)).rxm("job-start", patient=True)[0]["ok"]
    assert 5 <= len(calls) <= 7


@pytest.mark.parametrize("code", [outcome.REFUSED, outcome.DENIED, outcome.UNKNOWN])
def test_a_refusal_is_not_tried_again(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = scripted(monkeypatch, json.dumps(failed(code)))

    tools.Tools(Settings()).rxm("job-start", patient=True)

    assert len(calls) == 1


def test_a_line_of_squeues_names_a_task_by_its_array() -> None:
    last = tools.job_of("4711|4711|3|RUNNING|low|alice|vm[1-2]")
    alone = tools.job_of("4712|4712|N/A|SUSPENDED|low|bob|vm3")

    assert (last.number, last.name, last.nodes) == ("4711", "4711_3", ("vm1", "vm2"))
    assert (alone.name, alone.state) == ("4712", "SUSPENDED")


def test_the_fields_of_a_node_whose_reason_has_blanks() -> None:
    line = "NodeName=vm1 Arch=x86_64 State=IDLE+DRAIN Reason=xman: its domain is down [root@2026-11-28T10:00:00]"

    found = tools.fields(line)

    assert (found["State"], found["Reason"]) == ("IDLE+DRAIN", "xman: its domain is down [root@2026-11-28T10:00:00]")


@pytest.mark.parametrize("said", ["", "Traceback\n"])
def test_an_rxm_that_prints_no_objects_holds_the_job_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """The rxm that is run is the one beside our own command: only that knows where its modules are."""
    rxm = tmp_path / "rxm"
    rxm.write_text(f"#!/bin/sh\nprintf '{said}'; echo no such module >&2; exit 1\n")
    rxm.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "xman-slurm")])

    assert policy.of_all(tools.Tools(Settings()).rxm("job-list")) == policy.HOLD
    assert capsys.readouterr().err == ("xman-slurm: rxm job-list printed no JSON (exit status 1): no such module\n")


SQUEUE = "1|1|N/A|{state}|low|alice|vm1\n2|2|5|{state}|low|alice|vm[1-2]\n3|2|4|{state}|low|alice|vm9\n"


def told(monkeypatch: pytest.MonkeyPatch, domain: str = "vm1") -> None:
    """Let a hook be told of two jobs."""
    facts = {"hook": "preempted", "domain": domain, "jobs": [{"id": "1"}, {"id": "2"}]}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(facts)))


def test_the_hook_suspends_each_job_and_no_sibling(monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch)
    tools = Tools({}, squeue=SQUEUE.format(state="RUNNING"))

    assert programs.preempted(tools, [], {}) == 0
    assert [asked for asked in tools.asked[1:] if "show" not in asked] == [
        "scontrol update JobId=1 AdminComment=xman: suspended",
        "scontrol suspend 1",
        "scontrol update JobId=2_5 AdminComment=xman: suspended",
        "scontrol suspend 2_5",
    ]


def test_the_hook_leaves_a_job_to_its_prolog_while_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm would suspend it, and hold it for good once the prolog has requeued it."""
    told(monkeypatch)
    tools = Tools({}, squeue=SQUEUE.format(state="CONFIGURING"))

    assert programs.preempted(tools, [], {}) == 0
    assert not any(asked.startswith("scontrol") for asked in tools.asked)


def state(**states: str) -> dict[str, Any]:
    """Return what a host says of its domains' states."""
    guests = [{"name": name, "state": found, "jobs": []} for name, found in states.items()]
    return ok("state", None, domains=guests)


@pytest.mark.parametrize(("other", "expected"), [("running", ["1", "2_5"]), ("preempted", ["1"]), ("frozen", ["1"])])
def test_a_job_goes_on_when_all_of_its_domains_do(
    other: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch)
    tools = Tools({"state": [state(vm2=other)]}, squeue=SQUEUE.format(state="SUSPENDED"))

    assert programs.resumed(tools, [], {}) == 0
    gone_on = [asked.removeprefix("scontrol resume ") for asked in tools.asked if "scontrol resume" in asked]
    assert gone_on == expected


def test_a_host_that_cannot_be_asked_lets_no_job_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch)
    tools = Tools({"state": [failed(outcome.UNREACHABLE)]}, squeue=SQUEUE.format(state="SUSPENDED"))

    programs.resumed(tools, [], {})

    assert "scontrol resume 2_5" not in tools.asked


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["resume"], ["prolog", "vm1"], ["again", "1"], ["reconcile", "a", "b", "c", "d"]]
)
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


def test_a_slip_in_slurm_toml_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text("patients = 3\n")
    monkeypatch.setenv("XMAN_SLURM_CONFIG", str(path))

    from rxm.slurm import settings

    assert settings.load() == Settings()
    assert capfd.readouterr().err == f"xman-slurm: {path}: patients: not known to this release\n"


@pytest.mark.parametrize("name", ["resume", "suspend", "prolog", "epilog", "hooks/preempted", "hooks/resumed"])
def test_the_shipped_programs_are_programs_of_ours(name: str) -> None:
    path = ROOT / "etc" / "slurm" / name

    assert path.stat().st_mode & 0o111
    assert re.search(r"^exec xman-slurm (\w+)", path.read_text(), re.M)[1] in cli.PROGRAMS  # type: ignore[index]
