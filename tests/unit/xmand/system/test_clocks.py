"""How long something has lasted (`xmand.system.clocks`), while the wall clock jumps."""

import time

import pytest

from xmand.system.clocks import Clocks

NOON = 1795255200


class Wall:
    """Both clocks, as the test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.steady = float(NOON), 1000.0
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic", lambda: self.steady)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


@pytest.mark.parametrize("jump", [0, 3600, -3600, 366 * 86_400])
def test_a_jump_of_the_wall_clock_is_no_time(wall: Wall, jump: int) -> None:
    clocks = Clocks()
    clocks.begin("vm1", NOON)
    wall.passes(10)
    wall.wall += jump

    assert clocks.elapsed("vm1", NOON) == 10.0


@pytest.mark.parametrize("jump", [3600, -3600])
def test_what_was_asked_about_once_is_measured_from_then_on(wall: Wall, jump: int) -> None:
    clocks = Clocks()
    assert clocks.elapsed("vm1", NOON - 5) == 5.0
    wall.wall += jump
    wall.passes(7)

    assert clocks.elapsed("vm1", NOON - 5) == 12.0


def test_what_begins_in_the_future_has_not_begun(wall: Wall) -> None:
    clocks = Clocks()

    assert clocks.elapsed("vm1", NOON + 3600) is None
    wall.passes(3600)
    assert clocks.elapsed("vm1", NOON + 3600) is None  # and does not begin later: that clock was wrong


def test_another_beginning_is_another_clock(wall: Wall) -> None:
    clocks = Clocks()
    clocks.begin("vm1", NOON)
    wall.passes(10)

    assert clocks.elapsed("vm1", NOON + 10) == 0.0
