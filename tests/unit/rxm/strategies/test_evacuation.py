"""Where the domains of a host go that is to be emptied (`rxm.strategies.evacuation`)."""

from typing import Any

import pytest

from rxm.strategies.evacuation import Evacuation, Room, goes_on, spread, stays
from rxm.targets import Task
from xman import outcome

GIB = 1 << 30


def domain(name: str, gib: float, number: int | None = 1) -> dict[str, Any]:
    """Return what `list` has of a domain."""
    return {"name": name, "memory": int(gib * GIB), "id": number}


def room(name: str, gib: float, *names: str, owner: bool = False, maintenance: bool = False) -> Room:
    """Return a host with so much room, and these domains; with an `owner`, jobs that may not be preempted."""
    busy = {"name": "o", "state": "running", "jobs": [{"id": "1", "owner": "a"}], "priority": "normal"}
    result: dict[str, Any] = {"domains": [busy] if owner else []}
    if maintenance:
        result["maintenance"] = {"reason": "fans", "by": "alice@R", "since": ""}
    return Room(name, int(gib * GIB), set(names), {"ok": True, "result": result})


def jobs(name: str) -> dict[str, Any]:
    """Return what `state` has of a domain with a job that may not be preempted."""
    return {"name": name, "state": "running", "jobs": [{"id": "9", "owner": "b"}], "priority": "normal"}


def test_the_largest_first_each_to_where_most_room_is_left() -> None:
    domains = [domain("s1", 1), domain("l", 6), domain("s2", 1), domain("m", 4)]

    to, left = spread(domains, {}, [room("h1", 8), room("h2", 9)])

    assert (to, left) == ({"l": "h2", "m": "h1", "s1": "h1", "s2": "h1"}, {})


def test_what_has_nowhere_to_go_stays_with_the_reasons() -> None:
    to, left = spread([domain("big", 16), domain("small", 1)], {}, [room("h1", 4), room("h2", 8, "small")])

    assert to == {"small": "h1"}
    assert left == {
        "big": "h1: it has 4096 MiB free, and 16896 are needed; h2: it has 8192 MiB free, and 16896 are needed"
    }


def test_snapshots_keep_a_domain_where_it_is() -> None:
    one, many = [{"snapshot": "s1"}], [{"snapshot": f"s{number}"} for number in range(1, 8)]

    assert stays([]) == ""
    assert stays(one).startswith("it has 1 snapshot (s1), and")
    assert stays(many).startswith("it has 7 snapshots (s1, s2, s3, s4, s5 and 2 more), and")


def test_what_is_off_needs_no_room() -> None:
    assert spread([domain("off", 64, None)], {}, [room("h1", 1)]) == ({"off": "h1"}, {})


def test_a_host_in_maintenance_takes_nothing() -> None:
    to, left = spread([domain("d", 1)], {}, [room("h1", 9, maintenance=True)])

    assert (to, left) == ({}, {"d": "h1: it is in maintenance"})


def test_jobs_go_where_they_have_the_host_for_themselves() -> None:
    domains = [domain("j1", 1), domain("j2", 1), domain("d", 1)]
    with_jobs = {name: jobs(name) for name in ("j1", "j2")}

    to, left = spread(domains, with_jobs, [room("h1", 9, owner=True), room("h2", 4)])

    assert to == {"j1": "h2", "d": "h1"}
    assert left["j2"].startswith(
        "h1: 'o' is running there, with job 1 of a; h2: 'j1' is running there, with job 9 of b"
    )


def test_where_no_host_answers() -> None:
    assert spread([domain("d", 1)], {}, []) == ({}, {"d": "no host answers"})


# --- where a host refuses after all ---------------------------------------------------------------------------------


def planned(domains: list[dict[str, Any]], rooms: list[Room], *with_jobs: str) -> Evacuation:
    """Return the plan for the domains of one host."""
    made = Evacuation(rooms, [])
    made.place("h0", domains, {name: jobs(name) for name in with_jobs})
    return made


def test_another_host_is_tried_by_the_same_rules() -> None:
    made = planned([domain("d", 1)], [room("h1", 8), room("h2", 6), room("h3", 7, "d"), room("h4", 0.5)])
    (task,) = made.tasks

    following = made.instead(task, "It is off.")

    assert (task.to, following is not None and following.to) == ("h1", "h2")
    assert following is not None
    assert (following.target.host, following.domains) == ("h0", ["d"])


def test_at_the_end_each_host_has_its_reason() -> None:
    made = planned([domain("d", 1)], [room("h1", 8), room("h2", 6)])
    (task,) = made.tasks
    second = made.instead(task, "no room.")
    assert second is not None

    assert made.instead(second, "no disk.") is None
    assert made.refusals(task) == "h1: no room; h2: no disk."


def test_one_refusal_keeps_its_words() -> None:
    made = Evacuation([], [])
    made.tasks = [Task(task.target, task.domains, "h1") for task in planned([domain("d", 1)], [room("h1", 8)]).tasks]

    assert made.instead(made.tasks[0], "It is off.") is None
    assert made.refusals(made.tasks[0]) == "It is off."


def test_what_was_reckoned_for_it_is_free_again() -> None:
    made = planned([domain("l", 6), domain("m", 5)], [room("h1", 8), room("h2", 7)])
    largest, other = made.tasks
    assert (largest.to, other.to) == ("h1", "h2")

    there = made.instead(other, "no.")

    # With the largest there is no place for it on h1, but there is once that has gone elsewhere.
    assert there is None
    made.instead(largest, "no.")
    assert (again := made.instead(Task(other.target, other.domains, "h3"), "no.")) is not None
    assert again.to == "h1"


def test_jobs_are_not_sent_to_where_they_would_be_second() -> None:
    made = planned([domain("j", 1)], [room("h1", 9), room("h2", 4, owner=True)], "j")

    assert made.instead(made.tasks[0], "no.") is None


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (outcome.REFUSED, "This host is in maintenance by bob@R", True),
        (outcome.HYPERVISOR, "unable to connect to server", True),
        (outcome.UNSUPPORTED, "cannot do that", True),
        (outcome.REFUSED, f"{outcome.ABORTED}; 'd' is still here, running.", False),
        (outcome.UNKNOWN, "libvirt was lost", False),
        (outcome.DENIED, "no", False),
        (outcome.NO_SUCH_DOMAIN, "gone", False),
        (outcome.UNREACHABLE, "no answer", False),
    ],
)
def test_only_what_is_where_it_was_goes_on(code: int, message: str, *, expected: bool) -> None:
    assert goes_on(code, message) is expected
