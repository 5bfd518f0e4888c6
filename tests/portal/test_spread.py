"""Where the machines of a host may go that is to be emptied."""

from typing import Any

from rxmweb.web import spread

GIB = 1 << 30


def machine(number: int, gib: int | None) -> dict[str, Any]:
    """Return a machine of so much memory."""
    return {"uuid": f"u{number}", "memory": None if gib is None else gib * GIB}


def room(name: str, gib: int | None) -> dict[str, Any]:
    """Return a host with so much free."""
    return {"name": name, "memory_free": None if gib is None else gib * GIB}


def test_the_largest_go_first_and_each_to_who_has_most_left() -> None:
    moving = [machine(1, 2), machine(2, 8), machine(3, 4)]

    assert spread.plan(moving, [room("a", 9), room("b", 6)]) == {"u2": "a", "u3": "b", "u1": "b"}


def test_what_fits_nowhere_is_said() -> None:
    assert spread.plan([machine(1, 8), machine(2, 1)], [room("a", 4), room("b", None)]) == {"u1": "", "u2": "a"}


def test_without_hosts_nothing_moves() -> None:
    assert spread.plan([machine(1, None)], []) == {"u1": ""}


def test_each_host_has_an_id_of_its_own_that_stays() -> None:
    found = [spread.identifier("0" * 16, host) for host in ("a", "b", "a")]

    assert found[0] == found[2] != found[1]
    assert all(len(one) == 16 for one in found)
