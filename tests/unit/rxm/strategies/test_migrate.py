"""Whether a domain with jobs may move: what on its new host is in the way, and what is sent then."""

from typing import Any

import pytest

from rxm.strategies import migrate
from xman import arguments, outcome, result, verbs
from xman.errors import RefusedError, UnreachableError
from xman.result import Result

HERE, THERE = "skirit80", "skirit81"
HARD = {"id": "1", "owner": "alice@R", "preemptible": False}
SOFT = {"id": "2", "owner": "bob@R", "preemptible": True}
WITH_HARD, WITH_SOFT = "with job 1 of alice@R", "with job 2 of bob@R"


def domain(name: str, state: str, *jobs: dict[str, Any], priority: str = "normal") -> dict[str, Any]:
    """Return a domain as `state` has it."""
    return {"name": name, "state": state, "jobs": list(jobs), "priority": priority}


def said(host: str, *domains: dict[str, Any], notes: tuple[str, ...] = (), **more: object) -> dict[str, Any]:
    """Return the object of a host's `state`."""
    return result.succeeded(host, "state", Result({"host_id": host, "domains": list(domains), **more}, notes=notes), 0)


def parsed(*words: str) -> arguments.Parsed:
    """Return a migration as it was typed."""
    return arguments.parse(verbs.BY_NAME["migrate"], [*words, "vm1", THERE], several=True)


RUNNING = domain("vm1", "running", HARD)
URGENT = domain("vm1", "running", HARD, priority="priority")


def never() -> dict[str, Any]:
    """Stand for a host that must not be asked."""
    raise AssertionError


@pytest.mark.parametrize(
    ("moved", "other", "expected"),
    [
        (RUNNING, domain("vm2", "free"), ""),
        (RUNNING, domain("vm2", "down-bootable"), ""),
        (RUNNING, domain("vm2", "frozen"), ""),
        (RUNNING, domain("vm2", "running", HARD), f"'vm2' is running there, {WITH_HARD}"),
        (URGENT, domain("vm2", "running", HARD), f"'vm2' is running there, {WITH_HARD}"),
        (RUNNING, domain("vm2", "frozen", HARD, SOFT), "'vm2' is frozen there, with jobs 1 of alice@R, 2 of bob@R"),
        (RUNNING, domain("vm2", "booting"), "'vm2' is booting there"),
        (RUNNING, domain("vm2", "running-preemptible", SOFT), f"'vm2' is running-preemptible there, {WITH_SOFT}"),
        (URGENT, domain("vm2", "running-preemptible", SOFT), ""),
        (RUNNING, domain("vm2", "preempted", SOFT), f"'vm2' is preempted there, {WITH_SOFT}"),
        (URGENT, domain("vm2", "preempted", SOFT), ""),
        (domain("vm1", "frozen", SOFT), domain("vm2", "running", HARD), f"'vm2' is running there, {WITH_HARD}"),
        (domain("vm1", "preempted", SOFT), domain("vm2", "running", HARD), ""),
    ],
)
def test_who_is_in_the_way(moved: dict[str, Any], other: dict[str, Any], expected: str) -> None:
    assert migrate.in_the_way(moved, said(THERE, domain("vm0", "down"), other)) == expected


def test_a_host_that_is_kept_for_a_job_takes_nobody_with_jobs() -> None:
    claimed = domain("vm2", "occupied") | {"claim": {"id": "7", "by": "slurm@R", "seconds": 60, "left": 5}}

    assert migrate.in_the_way(RUNNING, said(THERE, claimed)) == "it is kept for job 7, which is to start in 'vm2'"


def test_a_host_in_maintenance_takes_nobody() -> None:
    there = said(THERE, maintenance={"reason": "a new disk"})

    assert migrate.in_the_way(domain("vm1", "preempted", SOFT), there) == "it is in maintenance (a new disk)"


def test_what_cannot_be_seen_there_may_be_an_owner() -> None:
    assert "some of its domains only" in migrate.in_the_way(RUNNING, said(THERE, partial=True))
    assert "is damaged" in migrate.in_the_way(RUNNING, said(THERE, notes=("The xman metadata of 'vm2' is damaged.",)))


def test_where_nothing_is_in_the_way_it_is_sent_as_one_that_may_go() -> None:
    asked = parsed("--live")

    sent = migrate.cleared(asked, lambda: said(HERE, RUNNING), lambda: said(THERE))

    assert (sent.flag("force"), sent.flag("live"), asked.flag("force")) == (True, True, False)


def test_a_refusal_names_the_owner_and_what_to_do() -> None:
    with pytest.raises(RefusedError) as raised:
        migrate.cleared(parsed(), lambda: said(HERE, RUNNING), lambda: said(THERE, domain("vm2", "running", HARD)))

    assert str(raised.value) == (
        "Domain 'vm1' has jobs (1) and would not be the only owner on skirit81: 'vm2' is running there, with job 1 of"
        " alice@R. --force moves it anyway."
    )


def unreachable() -> dict[str, Any]:
    """Stand for a host that does not answer."""
    raise UnreachableError("no answer in time.")


def denied() -> dict[str, Any]:
    """Stand for a host that does not let the caller look."""
    return result.failed(THERE, "state", None, outcome.DENIED, "Access denied.")


@pytest.mark.parametrize(("ask_there", "why"), [(unreachable, "no answer in time"), (denied, "Access denied")])
def test_a_host_that_does_not_answer_is_not_moved_to(ask_there: Any, why: str) -> None:
    with pytest.raises(RefusedError, match=f"skirit81 could not be asked .*: {why}. --force moves it anyway."):
        migrate.cleared(parsed(), lambda: said(HERE, RUNNING), ask_there)


def test_without_jobs_only_its_own_host_is_asked() -> None:
    asked = parsed()

    assert migrate.cleared(asked, lambda: said(HERE, domain("vm1", "free")), never) is asked
    # Where it takes no part in batch work, or the caller may not look, the host decides.
    assert migrate.cleared(asked, denied, never) is asked


@pytest.mark.parametrize("word", ["--force", "--abort"])
def test_some_migrations_ask_nobody(word: str) -> None:
    words = ["--abort", "vm1"] if word == "--abort" else [word, "vm1", THERE]
    asked = arguments.parse(verbs.BY_NAME["migrate"], words, several=True)

    assert migrate.cleared(asked, never, never) is asked
