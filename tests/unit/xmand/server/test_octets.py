"""One budget for all that strangers said (`xmand.server.octets`): who holds most leaves (X6)."""

import random

from xmand.server.octets import Octets


def test_below_the_budget_nobody_leaves() -> None:
    subject: Octets[str] = Octets(100)

    assert [subject.hold(key, key, 25) for key in "abcd"] == [None] * 4
    assert subject.hold("a", "a", 0) is None
    assert subject.total == 75


def test_of_the_group_that_holds_most_the_largest_leaves() -> None:
    subject: Octets[str] = Octets(100)
    subject.hold("eve1", "eve", 30)
    subject.hold("eve2", "eve", 31)
    subject.hold("bob", "bob", 35)

    assert subject.hold("carol", "carol", 5) == "eve2"


def test_an_honest_one_is_not_pushed_out_by_many_small_ones() -> None:
    subject: Octets[str] = Octets(100)
    subject.hold("honest", "alice", 20)

    left = {subject.hold(f"eve{number}", "eve", 3) for number in range(40)}

    assert "honest" not in left
    assert left != {None}


def test_what_was_said_before_is_not_counted_twice() -> None:
    subject: Octets[str] = Octets(100)
    for octets in (10, 40, 90):
        assert subject.hold("a", "a", octets) is None

    assert subject.total == 90
    subject.forget("a")
    assert subject.total == 0


def test_whatever_comes_no_more_is_held_than_the_budget() -> None:
    dice = random.Random(20261129)
    subject: Octets[int] = Octets(1000)
    for _ in range(5000):
        leaves = subject.hold(dice.randrange(200), f"group{dice.randrange(5)}", dice.randrange(65))
        while leaves is not None:
            assert subject.total > subject.most
            subject.forget(leaves)
            leaves = subject.leaving()
        assert subject.total <= subject.most


def test_many_who_hold_little_give_way_to_one_who_holds_much_all_at_once() -> None:
    subject: Octets[int] = Octets(100)
    for number in range(100):
        subject.hold(number, "eve", 1)

    leaves, gone = subject.hold(100, "alice", 40), 0
    while leaves is not None:
        subject.forget(leaves)
        leaves, gone = subject.leaving(), gone + 1

    assert (subject.total, gone) == (100, 40)
