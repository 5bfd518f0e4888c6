"""A job in several domains, on several hosts: it starts in all of them or in none."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.lab.kerberos.realm import FQDN, SECOND_HOST, without_wrapper
from tests.realm.conftest import Pair


@pytest.fixture
def hosts(pair: Pair) -> Iterator[Pair]:
    """Both hosts without jobs, before and afterwards."""
    yield pair
    for line in pair.rxm("-j", "job-list").objects():
        for job in line["result"]["jobs"]:
            assert pair.rxm("job-stop", f"{line['host']}:{job['domain']}", "--id", job["id"]).status == 0


def jobs(pair: Pair) -> set[tuple[str, str]]:
    """Return the domain and id of each job."""
    lines = pair.rxm("-j", "job-list").objects()
    return {(job["domain"], job["id"]) for line in lines for job in line["result"]["jobs"]}


def start(pair: Pair, number: str, *words: str) -> tuple[int, str]:
    """Start a job; return the exit status and what was said."""
    answer = pair.rxm("job-start", "--id", number, "--owner", "alice", *words)
    assert answer.stdout == ""
    return answer.status, answer.stderr


def test_it_starts_everywhere(hosts: Pair) -> None:
    assert start(hosts, "1", "left", "right") == (0, "")

    assert jobs(hosts) == {("left", "1"), ("right", "1")}


def test_where_one_is_refused_the_others_are_undone(hosts: Pair) -> None:
    start(hosts, "1", f"{SECOND_HOST}:both")

    status, said = start(hosts, "2", "left", "right")

    assert status == 3
    assert f"Error: {SECOND_HOST}: Job 2 cannot start in 'right'" in said
    assert "(occupied)" in said
    assert jobs(hosts) == {("both", "1")}


@pytest.mark.parametrize("words", [(), ("--preemptible",)], ids=["hard", "preemptible"])
def test_a_job_has_one_domain_of_a_host_or_none(hosts: Pair, words: tuple[str, ...]) -> None:
    status, said = start(hosts, "1", *words, "right", f"{SECOND_HOST}:both")

    assert (status, "Job 1 cannot start in" in said, "(occupied)" in said) == (3, True, True), said
    assert jobs(hosts) == set()


def test_in_json_each_target_says_what_became_of_it(hosts: Pair) -> None:
    start(hosts, "1", f"{SECOND_HOST}:both")

    # One host after the other, so that the first one has started by then.
    answer = hosts.rxm("-j", "--fanout", "1", "job-start", "--id", "2", "--owner", "alice", "left", "right")

    assert [(line["host"], line["ok"], line["class"]) for line in answer.objects()] == [
        (FQDN, False, "refused"),
        (SECOND_HOST, False, "refused"),
    ]
    assert answer.objects()[0]["message"] == "The job-start of 'left' was undone, since it failed elsewhere."


def test_a_host_that_cannot_be_reached_has_one_line_and_the_others_are_undone(hosts: Pair) -> None:
    answer = hosts.rxm("-j", "job-start", "--id", "1", "--owner", "alice", "left", "nowhere.xman.test:vm1")

    assert answer.status == 6
    assert sorted((line["host"], line["class"]) for line in answer.objects()) == [
        ("nowhere.xman.test", "unreachable"),
        (FQDN, "refused"),
    ]
    assert jobs(hosts) == set()


def test_an_undo_that_fails_is_said(hosts: Pair, mallory: dict[str, str]) -> None:
    """Mallory may start jobs, and stop none."""
    start(hosts, "1", f"{SECOND_HOST}:both")

    words = ("--fanout", "1", "job-start", "--id", "2", "--owner", "alice", "left", "right")
    answer = hosts.rxm(*words, env=without_wrapper(mallory))

    assert answer.status == 9  # unknown and refused
    assert f"{FQDN}: The job-start of 'left' could not be undone after it failed elsewhere: " in answer.stderr
    assert f"Error: {SECOND_HOST}: Job 2 cannot start in 'right'" in answer.stderr
    assert jobs(hosts) == {("both", "1"), ("left", "2")}


def test_control_c_undoes_what_was_started(hosts: Pair) -> None:
    left, right = hosts.daemons
    left.syslog.forget()
    right.process.send_signal(signal.SIGSTOP)
    try:
        typed = hosts.on_a_terminal(
            "job-start", "--id", "ctrl-c", "--owner", "alice", f"{FQDN}:left", f"{SECOND_HOST}:right"
        )
        left.syslog.wait(ev="switch", verb="job-start", detail="add-job ctrl-c")
        os.killpg(typed.program.pid, signal.SIGINT)
        typed.wait_for("Interrupted: waiting for what is under way, to undo it.")
    finally:
        right.process.send_signal(signal.SIGCONT)

    assert typed.end() == 3
    assert "The job-start of 'left' was undone, since it was interrupted." in typed.written()
    assert jobs(hosts) == set()


def test_a_job_that_was_there_before_is_not_undone(hosts: Pair) -> None:
    start(hosts, "1", f"{SECOND_HOST}:both")
    start(hosts, "2", "left")

    status, said = start(hosts, "2", "left", "right")

    assert status == 3
    assert "'right'" in said
    assert ("left", "2") in jobs(hosts)


def test_a_dry_run_undoes_nothing(hosts: Pair) -> None:
    answer = hosts.rxm("job-start", "--id", "2", "--owner", "alice", "--dry-run", "left", "right")

    assert answer.status == 0
    assert "Would note job 2 in 'left'." in answer.stdout
    assert jobs(hosts) == set()
