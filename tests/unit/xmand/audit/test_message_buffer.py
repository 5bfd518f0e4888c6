"""xmand's message buffer."""

from types import SimpleNamespace

import pytest

from xmand.audit import message_buffer
from xmand.audit.message_buffer import Ring


def texts(lines: list[str]) -> list[str]:
    """Return `lines` without their times."""
    return [line.partition("] ")[2] for line in lines]


def test_lines_come_back_in_order() -> None:
    buffer = Ring()

    buffer.add("one")
    buffer.add("two")

    assert texts(buffer.lines()) == ["one", "two"]
    assert texts(buffer.lines()) == ["one", "two"]


def test_a_new_buffer_is_empty() -> None:
    assert Ring().lines() == []


def test_lines_begin_with_seconds_since_the_start_as_dmesgs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 101.5, 1_234_667.890123])
    monkeypatch.setattr(message_buffer, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    buffer = Ring()

    buffer.add("one")
    buffer.add("two")

    assert buffer.lines() == ["[    1.500000] one", "[1234567.890123] two"]


def test_clearing_forgets_what_was_shown() -> None:
    buffer = Ring()
    buffer.add("one")

    assert texts(buffer.lines(clear=True)) == ["one"]
    buffer.add("two")

    assert texts(buffer.lines()) == ["two"]


def test_the_oldest_line_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_buffer, "MOST_LINES", 3)
    buffer = Ring()

    for number in range(5):
        buffer.add(str(number))

    assert texts(buffer.lines()) == ["2", "3", "4"]


def test_long_lines_make_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_buffer, "MOST_OCTETS", 100)
    buffer = Ring()

    for letter in "abc":
        buffer.add(letter * 30)

    assert texts(buffer.lines()) == ["b" * 30, "c" * 30]


def test_clearing_makes_room_for_as_much_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_buffer, "MOST_OCTETS", 100)
    buffer = Ring()
    buffer.add("a" * 80)

    buffer.lines(clear=True)
    buffer.add("b" * 80)

    assert texts(buffer.lines()) == ["b" * 80]


def test_a_line_that_is_too_long_for_the_buffer_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_buffer, "MOST_OCTETS", 100)
    buffer = Ring()

    buffer.add("a" * 200)
    buffer.add("b")

    assert texts(buffer.lines()) == ["b"]


def test_one_addition_is_one_line() -> None:
    buffer = Ring()

    buffer.add("libvirt: error 1: first\n  second\r\nthird")

    assert texts(buffer.lines()) == ["libvirt: error 1: first second third"]


def test_the_limits_are_the_published_ones() -> None:
    assert (message_buffer.MOST_LINES, message_buffer.MOST_OCTETS) == (16_384, 1 << 20)
