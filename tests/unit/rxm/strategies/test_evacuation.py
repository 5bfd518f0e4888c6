"""Where the domains of a host go that is to be emptied (`rxm.strategies.evacuation`)."""

from typing import Any

from rxm.strategies.evacuation import Room, spread

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
        "big": "h1: it has 4096 MiB left, and 16896 are needed; h2: it has 8192 MiB left, and 16896 are needed"
    }


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
