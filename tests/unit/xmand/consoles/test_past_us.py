"""Viewers past xmand (`xmand.consoles.past_us`): counted where their run was seen from its start, else not known."""

import pytest

from xmand.consoles.past_us import PastUs
from xmand.virt.events import LOST, STARTED, STOPPED, Event

HERE = ("", "")
DESK = ("192.0.2.7", "40000")


@pytest.fixture
def past() -> PastUs:
    """One domain that was seen to start."""
    made = PastUs()
    made.heard(Event(STARTED, uuid="u"))
    return made


def test_who_comes_over_a_network_is_counted_until_he_leaves(past: PastUs) -> None:
    past.viewed("u", True, DESK)
    past.viewed("u", True, ("192.0.2.7", "40001"))
    assert past.count("u", 0) == 2

    past.viewed("u", False, DESK)

    assert past.count("u", 0) == 1


def test_our_own_are_not_among_them(past: PastUs) -> None:
    for _ in range(3):
        past.viewed("u", True, HERE)
    past.viewed("u", True, DESK)

    assert past.count("u", 2) == 2


def test_one_of_ours_whom_libvirt_has_not_told_of_yet_hides_nobody_of_a_network(past: PastUs) -> None:
    past.viewed("u", True, DESK)

    assert past.count("u", 1) == 1


def test_who_leaves_and_was_never_seen_counts_nothing(past: PastUs) -> None:
    past.viewed("u", False, HERE)
    past.viewed("u", False, DESK)
    past.viewed("u", True, HERE)

    assert past.count("u", 0) == 1


@pytest.mark.parametrize("event", [Event(STOPPED, uuid="u"), Event(LOST)])
def test_the_end_of_a_run_and_a_lost_libvirt_end_all_knowledge(past: PastUs, event: Event) -> None:
    past.viewed("u", True, DESK)

    past.heard(event)
    past.viewed("u", True, HERE)

    assert past.count("u", 0) is None
    assert past.count("another", 0) is None


def test_the_next_run_begins_with_nobody(past: PastUs) -> None:
    past.viewed("u", True, DESK)

    past.heard(Event(STARTED, uuid="u"))

    assert past.count("u", 0) == 0
