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


# --- terms: what ends by itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [0, 3600, -3600, 366 * 86_400])
def test_a_term_ends_after_its_seconds_whatever_the_wall_clock_does(wall: Wall, jump: int) -> None:
    clocks = Clocks()
    clocks.begin("vm1/job/1", NOON)
    wall.passes(10)
    wall.wall += jump

    assert clocks.left("vm1/job/1", NOON, 300) == 290.0
    wall.passes(290)
    assert clocks.left("vm1/job/1", NOON, 300) == 0.0


@pytest.mark.parametrize(
    ("since", "seconds", "left"),
    [
        (NOON - 100, 300, 200.0),
        (NOON - 3600, 300, 60.0),
        (NOON + 3600, 300, 300.0),
        (NOON - 3600, 10, 10.0),
    ],
    ids=["under way", "over meanwhile", "of a clock that was ahead", "a short one"],
)
def test_after_a_restart_a_term_has_its_grace_and_never_more_than_it_was_given(
    wall: Wall, since: int, seconds: int, left: float
) -> None:
    clocks = Clocks()

    assert clocks.left("vm1/job/1", since, seconds) == left
    wall.wall += 86_400
    wall.steady += left
    assert clocks.left("vm1/job/1", since, seconds) == 0.0


def test_a_clock_that_was_ahead_at_the_start_ends_nothing_once_it_is_set_right(wall: Wall) -> None:
    clocks = Clocks()
    wall.wall += 3600
    assert clocks.left("vm1/job/1", NOON - 100, 300) == 60.0
    wall.passes(10)
    wall.wall -= 3600

    assert clocks.left("vm1/job/1", NOON - 100, 300) == 190.0
    wall.passes(190)
    assert clocks.left("vm1/job/1", NOON - 100, 300) == 0.0


def test_a_clock_that_stays_behind_keeps_nothing_longer_than_it_was_given(wall: Wall) -> None:
    clocks = Clocks()
    assert clocks.left("vm1/job/1", NOON - 100, 300) == 200.0
    wall.wall -= 366 * 86_400

    wall.passes(299)
    assert clocks.left("vm1/job/1", NOON - 100, 300) == 1.0
    wall.passes(1)
    assert clocks.left("vm1/job/1", NOON - 100, 300) == 0.0


def test_a_term_that_is_renewed_within_the_second_begins_anew(wall: Wall) -> None:
    clocks = Clocks()
    clocks.begin("vm1/job/1", NOON)
    wall.passes(0.9)
    clocks.begin("vm1/job/1", NOON)

    assert clocks.left("vm1/job/1", NOON, 5) == 5.0
