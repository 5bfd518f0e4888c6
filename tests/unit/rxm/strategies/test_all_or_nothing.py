"""Several targets together, each as it is told to answer: when the others are undone, and what Ctrl-C does."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from rxm.options import Options
from rxm.output import Output
from rxm.strategies import all_or_nothing
from rxm.targets import Target, Task
from xman import arguments, outcome, result, verbs
from xman.errors import UnreachableError, XmanError
from xman.result import Result

JOBS = [Task(Target(f"skirit8{number}", f"vm{number}"), [f"vm{number}"]) for number in range(3)]
INTERRUPTED = "interrupted"
NOT_THERE = "not there"


class Invocation:
    """Hosts that are asked one after the other.

    `answers`: a code, or Ctrl-C while the host is about to say ok, or none, since the host is not there.
    """

    def __init__(self, *answers: int | str, undo: str = "") -> None:
        self.parsed = arguments.parse(
            verbs.BY_NAME["job-start"],
            ["--id", "1", "--owner", "a", *(job.target.domain for job in JOBS)],
            several=True,
        )
        self.stopped = False
        self.interrupted: Callable[[], None] | None = None
        self.undone: list[str] = []
        self.undo = undo
        self._answers = dict(zip(JOBS, answers, strict=True))

    def structured(self, _link: Any, job: Task) -> dict[str, Any]:
        """Answer one job."""
        code = self._answers[job]
        if code == INTERRUPTED:
            assert self.interrupted is not None
            self.interrupted()
        elif code != outcome.OK:
            return result.failed(job.target.host, "job-start", job.target.domain, int(code), "no.")
        return result.succeeded(job.target.host, "job-start", Result(changed=True, domain=job.target.domain), 0)

    def each_host(
        self,
        jobs: list[Task],
        _output: Output,
        one: Callable[[Any, Task], int],
        failed: Callable[[Task, XmanError], None],
    ) -> list[int]:
        """Ask until somebody says stop."""
        codes: list[int] = []
        for job in jobs:
            if self.stopped:
                break
            if self._answers[job] == NOT_THERE:
                failed(job, UnreachableError("nobody is there."))
                codes.append(outcome.UNREACHABLE)
            else:
                codes.append(one(None, job))
        return codes

    def side_by_side(self, items: Iterable[Any], do: Callable[[Any], Any]) -> list[Any]:
        """Do one after the other."""
        return [do(item) for item in items]


def carry_out(invocation: Invocation, monkeypatch: pytest.MonkeyPatch) -> int:
    """Carry the jobs out; return the exit status."""

    def undo(_asking: Any, job: Task) -> str:
        invocation.undone.append(job.target.domain)
        return invocation.undo

    monkeypatch.setattr(all_or_nothing, "_undo", undo)
    options = Options({"json": "yes"})
    made: Any = invocation
    return all_or_nothing.carry_out(made, JOBS, Output(json=options.json, quiet=False, log=False, several=True))


def said(capfd: pytest.CaptureFixture[str]) -> list[tuple[int, str]]:
    """Return the code and the message of each target."""
    lines = map(json.loads, capfd.readouterr().out.splitlines())
    return [(line.get("code", 0), line.get("message", "")) for line in lines]


def test_where_all_start_nothing_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    invocation = Invocation(0, 0, 0)

    assert (carry_out(invocation, monkeypatch), invocation.undone) == (outcome.OK, [])


def test_where_one_fails_what_was_done_is_undone_and_no_other_begun(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    invocation = Invocation(0, outcome.REFUSED, 0)

    assert (carry_out(invocation, monkeypatch), invocation.undone) == (outcome.REFUSED, ["vm0"])
    assert said(capfd) == [
        (outcome.REFUSED, "The job-start of 'vm0' was undone, since it failed elsewhere."),
        (outcome.REFUSED, "no."),
        (outcome.REFUSED, "'vm2' was left alone, since the job-start failed elsewhere."),
    ]


def test_a_host_that_is_not_there_stops_the_others_and_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    invocation = Invocation(0, NOT_THERE, 0)

    assert (carry_out(invocation, monkeypatch), invocation.undone) == (outcome.UNREACHABLE, ["vm0"])
    assert said(capfd) == [
        (outcome.REFUSED, "The job-start of 'vm0' was undone, since it failed elsewhere."),
        (outcome.UNREACHABLE, "nobody is there."),
        (outcome.REFUSED, "'vm2' was left alone, since the job-start failed elsewhere."),
    ]


def test_an_undo_that_fails_is_said_where_it_failed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    invocation = Invocation(0, outcome.UNKNOWN, 0, undo="no answer.")

    assert (carry_out(invocation, monkeypatch), invocation.undone) == (outcome.UNKNOWN, ["vm0", "vm1"])
    assert said(capfd)[:2] == [
        (outcome.UNKNOWN, "The job-start of 'vm0' could not be undone after it failed elsewhere: no answer."),
        (outcome.UNKNOWN, "no. It could not be undone: no answer."),
    ]


def test_control_c_undoes_what_was_done(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    invocation = Invocation(0, INTERRUPTED, 0)

    assert (carry_out(invocation, monkeypatch), invocation.undone) == (outcome.REFUSED, ["vm0", "vm1"])
    assert [message for _code, message in said(capfd)] == [
        "The job-start of 'vm0' was undone, since it was interrupted.",
        "The job-start of 'vm1' was undone, since it was interrupted.",
        "'vm2' was left alone, since the job-start was interrupted.",
    ]


def test_control_c_at_the_last_one_undoes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    invocation = Invocation(0, 0, INTERRUPTED)

    assert (carry_out(invocation, monkeypatch), invocation.undone) == (outcome.REFUSED, ["vm0", "vm1", "vm2"])
