"""All or none: what has to be undone, with which command, and what is said of it."""

from typing import Any

import pytest

from rxm.remote.command import wire_words
from rxm.strategies import all_or_nothing
from rxm.targets import Target, Task
from xman import arguments, outcome, result, verbs
from xman.result import Result

LEFT = Task(Target("skirit80", "left"), ["left"])
RIGHT = Task(Target("skirit81", "right"), ["right"])


def parsed(*words: str, verb: str = "job-start") -> arguments.Parsed:
    """Return a job-start as it was typed."""
    return arguments.parse(verbs.BY_NAME[verb], list(words), several=True)


START = parsed("--id", "4711", "--owner", "alice", "--cpus", "2", "left", "right")


def success(*, changed: bool) -> dict[str, Any]:
    """Return the object of a job-start that went well."""
    return result.succeeded("skirit80", "job-start", Result(changed=changed), 0)


def failure(code: int) -> dict[str, Any]:
    """Return the object of one that did not."""
    return result.failed("skirit80", "job-start", "left", code, "no")


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (success(changed=True), True),
        (success(changed=False), False),
        (failure(outcome.REFUSED), False),
        (failure(outcome.UNREACHABLE), False),
        (failure(outcome.UNKNOWN), True),
    ],
)
def test_what_was_done_or_may_have_been_is_undone(envelope: dict[str, Any], expected: bool) -> None:
    assert all_or_nothing.must_undo(envelope) is expected


def test_only_several_starts_of_a_job_go_together() -> None:
    assert all_or_nothing.applies(START, [LEFT, RIGHT])
    assert not all_or_nothing.applies(START, [LEFT])
    assert not all_or_nothing.applies(parsed("--id", "1", "--owner", "a", "-n", "left", "right"), [LEFT, RIGHT])
    assert not all_or_nothing.applies(parsed("--id", "1", "left", "right", verb="job-stop"), [LEFT, RIGHT])


def test_a_start_is_undone_by_the_stop_of_the_same_job() -> None:
    words = wire_words(all_or_nothing.undoing(START, "left"), json=True)

    assert words == [b"job-stop", b"--id=4711", b"--json", b"--", b"left"]


@pytest.mark.parametrize(
    ("envelope", "problem", "message", "code"),
    [
        (None, "", "'left' was left alone, since the job-start failed elsewhere.", outcome.REFUSED),
        (success(changed=True), "", "The job-start of 'left' was undone, since it failed elsewhere.", outcome.REFUSED),
        (
            success(changed=False),
            "",
            "'left' stays as it was before, although the job-start failed elsewhere.",
            outcome.REFUSED,
        ),
        (
            success(changed=True),
            "no answer.",
            "The job-start of 'left' could not be undone after it failed elsewhere: no answer.",
            outcome.UNKNOWN,
        ),
        (failure(outcome.UNKNOWN), "no answer.", "no It could not be undone: no answer.", outcome.UNKNOWN),
        (
            failure(outcome.UNKNOWN),
            "",
            "The job-start of 'left' was undone, since it failed elsewhere.",
            outcome.REFUSED,
        ),
    ],
)
def test_what_is_said(envelope: dict[str, Any] | None, problem: str, message: str, code: int) -> None:
    told = all_or_nothing.not_done(envelope, LEFT, "job-start", problem, "failed elsewhere")

    assert (told["message"], told["code"], told["host"], told["domain"]) == (message, code, "skirit80", "left")
