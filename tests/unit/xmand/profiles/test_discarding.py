"""What clients have written is to go, and is tried again where that failed (`xmand.profiles.discarding`)."""

from typing import Any

import pytest

from xman.errors import HypervisorError
from xmand.profiles import discarding
from xmand.profiles.discarding import Discarding

SICK, WELL = "sick", "well"


class Nobody:
    """Events that nobody hears of."""

    def listen(self, heard: Any) -> None:
        """Take note of nothing."""


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def monotonic(self) -> float:
        """Return what it shows."""
        return self.now


class Clients(Discarding):
    """Two, of which one cannot be made anew as long as it is `sick`."""

    def __init__(self) -> None:
        super().__init__(None, None, Nobody())  # type: ignore[arg-type]
        self.sick = True
        self.tried: list[str] = []

    def _one(self, uuid: str) -> None:
        self.tried.append(uuid)
        if uuid == SICK and self.sick:
            raise HypervisorError("no room")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(discarding, "time", made)
    return made


def test_one_that_failed_is_tried_again_in_its_time_though_others_stop_all_the_while(clock: Clock) -> None:
    clients = Clients()
    clients.look({SICK})

    for _stop in range(65):
        clock.now += 1.0
        clients.look({WELL})

    assert clients.tried.count(SICK) == 3  # at once, after half a minute, and after another
    assert clients.tried.count(WELL) == 65


def test_one_that_is_well_again_is_let_be(clock: Clock) -> None:
    clients = Clients()
    clients.look({SICK})
    clients.sick = False

    for _pause in range(3):
        clock.now += 40.0
        clients.look(set())

    assert clients.tried == [SICK, SICK]


def test_the_next_try_of_one_is_not_put_off_by_its_own_stops(clock: Clock) -> None:
    clients = Clients()
    clients.look({SICK})
    clock.now += 29.0

    clients.sick = False
    clients.look({SICK})

    assert clients.tried == [SICK, SICK]
    clock.now += 40.0
    clients.look(set())
    assert clients.tried == [SICK, SICK]
