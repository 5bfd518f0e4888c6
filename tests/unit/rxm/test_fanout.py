"""Many hosts side by side: order, how many at a time, and what is raised."""

import threading

import pytest

from rxm import fanout
from rxm.output import summary
from xman import outcome


def test_results_come_in_the_order_of_the_items() -> None:
    assert fanout.each(range(100), 8, lambda number: number * 2) == [number * 2 for number in range(100)]


def test_nothing_at_all() -> None:
    assert fanout.each([], 8, str) == []


def test_so_many_at_a_time_and_no_more() -> None:
    together = threading.Barrier(4)
    running: list[int] = []
    most: list[int] = []

    def do(number: int) -> None:
        running.append(number)
        most.append(len(running))
        together.wait(5)
        running.remove(number)

    fanout.each(range(16), 4, do)

    assert max(most) <= 4


def test_a_fault_is_raised_and_nothing_else_is_begun() -> None:
    begun: list[int] = []

    def do(number: int) -> None:
        begun.append(number)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fanout.each(range(100), 1, do)
    assert begun == [0]


@pytest.mark.parametrize(
    ("codes", "targets", "text"),
    [
        ([outcome.OK, outcome.UNREACHABLE, outcome.OK], 3, "Of 3: 2 ok, 1 unreachable."),
        ([outcome.DENIED, outcome.DENIED], 2, "Of 2: 2 denied."),
        ([outcome.OK, outcome.REFUSED], 5, "Of 5: 1 ok, 1 refused, 3 not begun."),
    ],
)
def test_the_summary_counts_by_class(codes: list[int], targets: int, text: str) -> None:
    assert summary.text(codes, targets) == text
