"""Lines of which there may be too many (`xman.throttle`)."""

from xman.throttle import Throttle


def test_the_first_lines_of_each_key_pass() -> None:
    subject = Throttle(2, 100, 10.0)

    assert [subject.passes("a") for _ in range(4)] == [True, True, False, False]
    assert subject.passes("b")


def test_all_keys_together_have_a_bound_as_well() -> None:
    subject = Throttle(2, 3, 10.0)

    assert [subject.passes(f"source-{number}") for number in range(5)] == [True, True, True, False, False]


def test_what_was_held_back_is_told_once_at_the_end_of_its_period() -> None:
    subject = Throttle(1, 100, 10.0)
    assert subject.held(100.0) == (0, 0)
    for key in ("a", "a", "a", "b", "b"):
        subject.passes(key)

    assert subject.held(109.9) == (0, 0)
    assert subject.held(110.0) == (3, 2)
    assert subject.held(120.0) == (0, 0)


def test_in_a_new_period_lines_pass_again() -> None:
    subject = Throttle(1, 1, 10.0)
    subject.held(0.0)
    subject.passes("a")
    subject.held(10.0)

    assert subject.passes("a")
