"""Asking guests that may not answer (`xmand.virt.monitor`): each costs a second at most, and its own row only."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.xmand.dispatch.test_dispatcher import SOON
from xman.errors import HypervisorError
from xmand.virt.monitor import Monitors

PATIENCE = 0.2


class Guests:
    """Guests of which some do not answer until they are let go."""

    def __init__(self, *stuck: str) -> None:
        self.stuck = set(stuck)
        self.go = threading.Event()
        self.asked: list[str] = []
        self.monitors = Monitors(lambda _purpose: self)

    def lookupByUUIDString(self, uuid: str) -> str:  # noqa: N802  # libvirt's name
        return uuid

    def ask(self, *uuids: str) -> dict[str, Any]:
        """Ask, with little patience."""
        return self.monitors.ask(list(uuids), self._question, PATIENCE)

    def _question(self, _connection: Any, raw: str) -> dict[str, Any]:
        self.asked.append(raw)
        if raw in self.stuck:
            self.go.wait(SOON)
        return {"uuid": raw}


@pytest.fixture
def stuck() -> Iterator[Guests]:
    made = Guests("c", "d")
    yield made
    made.go.set()


def test_all_that_answer_are_told() -> None:
    assert Guests().ask(*"abcdefgh") == {name: {"uuid": name} for name in "abcdefgh"}


def test_nobody_to_ask() -> None:
    assert Guests().ask() == {}


def test_who_does_not_answer_is_left_out_and_costs_the_others_nothing(stuck: Guests) -> None:
    began = time.monotonic()

    told = stuck.ask(*"abcdefgh")

    assert sorted(told) == ["a", "b", "e", "f", "g", "h"]
    assert time.monotonic() - began < SOON / 2


def test_who_has_not_answered_yet_is_not_asked_again(stuck: Guests) -> None:
    stuck.ask(*"abcd")

    stuck.ask(*"abcd")

    assert [stuck.asked.count(name) for name in "abcd"] == [2, 2, 1, 1]


def test_who_has_answered_at_last_is_asked_again(stuck: Guests) -> None:
    stuck.ask(*"abcd")
    stuck.go.set()
    deadline = time.monotonic() + SOON
    while stuck.monitors._asked and time.monotonic() < deadline:
        time.sleep(0.01)

    assert sorted(stuck.ask(*"abcd")) == ["a", "b", "c", "d"]


def test_however_many_do_not_answer_libvirtd_has_threads_left() -> None:
    names = [f"g{number}" for number in range(40)]
    guests = Guests(*names)

    assert guests.ask(*names) == {}
    guests.go.set()

    assert len(guests.asked) <= 12


def test_a_failure_is_an_answer_without_facts() -> None:
    def fails(_connection: Any, _raw: Any) -> dict[str, Any]:
        raise HypervisorError("no")

    assert Guests().monitors.ask(["a"], fails, PATIENCE) == {"a": {}}
