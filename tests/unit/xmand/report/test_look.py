"""Looks at a host whose libvirt may hang: who reports is never held up for longer than he said."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import HypervisorError
from xmand.model import health
from xmand.report.look import Looker


class Guests:
    """Stands for the model's part: nothing is kept, and a reading does what it is told."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None
        self.readings = 0

    def shown(self, _most: float) -> None:
        return None

    def read(self, _most: float, _deadline: float) -> Any:
        self.readings += 1
        self.free.wait()
        if self.error is not None:
            raise self.error
        return SimpleNamespace(whole=SimpleNamespace(data={"domains": []}))


@pytest.fixture
def guests() -> Iterator[Guests]:
    made = Guests()
    yield made
    made.free.set()


def looker(guests: Guests) -> Looker:
    conditions = iter([{"state": "up", "number": number} for number in range(9)])
    return Looker(SimpleNamespace(guests=guests), lambda: next(conditions))  # type: ignore[arg-type]


def test_how_the_host_is_stands_as_it_was_seen_last(guests: Guests) -> None:
    made = looker(guests)

    seen = [made.look(condition=condition) for condition in (False, False, True)]

    assert [one.condition["number"] for one in seen] == [0, 0, 1]
    assert seen[0].data == {"domains": []}


def test_what_libvirt_says_instead_is_told(guests: Guests) -> None:
    guests.error = HypervisorError("libvirtd is away.")

    seen = looker(guests).look(condition=True)

    assert (seen.data, seen.problem, seen.condition["state"]) == (None, "libvirtd is away.", "up")


def test_a_look_that_hangs_holds_nobody_up_and_is_not_begun_again(guests: Guests) -> None:
    made = looker(guests)
    made.look(condition=True)
    guests.free.clear()

    seen = [made.look(condition=True, seconds=0.01) for _time in range(3)]

    assert {(one.data is None, one.condition["state"]) for one in seen} == {(True, health.NO_LIBVIRT)}
    assert guests.readings == 2
