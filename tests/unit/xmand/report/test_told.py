"""What is told of a host: everything first, then what has changed, and nothing where nothing has."""

from typing import Any

import pytest

from xmand.report.told import Told


def row(name: str, **facts: object) -> dict[str, Any]:
    return {"uuid": f"u-{name}", "name": name, "state": "free"} | facts


def state(*domains: dict[str, Any], others: tuple[dict[str, Any], ...] = (), **facts: object) -> dict[str, Any]:
    return {"host_id": "h", "domains": list(domains), "others": list(others)} | facts


@pytest.fixture
def told() -> Told:
    """One to whom vm1 and vm2 are told."""
    found = Told()
    assert found.news(state(row("vm1"), row("vm2"))) == state(row("vm1"), row("vm2"), whole=True)
    return found


def test_nothing_is_told_twice(told: Told) -> None:
    assert told.news(state(row("vm1"), row("vm2"))) is None


def test_what_changes_all_the_time_is_no_change(told: Told) -> None:
    assert told.news(state(row("vm1", cpu_seconds=7.0), row("vm2"))) is None


def test_a_change_is_that_row(told: Told) -> None:
    assert told.news(state(row("vm1", state="running"), row("vm2"))) == state(row("vm1", state="running"), whole=False)


def test_one_that_has_gone_is_named(told: Told) -> None:
    gone = [{"uuid": "u-vm2", "name": "vm2"}]

    assert told.news(state(row("vm1"))) == state(gone=gone, whole=False)


def test_one_that_takes_part_no_more_has_not_gone(told: Told) -> None:
    assert told.news(state(row("vm1"), others=(row("vm2"),))) == state(others=(row("vm2"),), whole=False)


def test_what_is_about_the_host_is_told(told: Told) -> None:
    notice = {"reason": "fan", "by": "a@R", "since": ""}

    assert told.news(state(row("vm1"), row("vm2"), maintenance=notice)) == state(maintenance=notice, whole=False)
    assert told.nothing() == state(maintenance=notice, whole=False)
    assert told.news(state(row("vm1"), row("vm2"))) == state(whole=False)


def test_what_is_forgotten_is_told_again(told: Told) -> None:
    told.forget()

    assert told.news(state(row("vm1"))) == state(row("vm1"), whole=True)
