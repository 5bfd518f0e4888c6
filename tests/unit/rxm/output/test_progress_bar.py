"""The line that says how far a command is, and the bar that rxm makes of it."""

import contextlib
import os
from collections.abc import Iterator

import pytest

from rxm.output import progress_bar
from tests.lab.clients.terminal import overwritten
from xman import progress
from xman.progress import Progress
from xman.values import MIB


class Line:
    """What a bar writes, as a terminal shows it."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._written = b""
        self.bar = progress_bar.Bar(self._writer)

    def read(self) -> str:
        """Return the line as it stands."""
        with contextlib.suppress(BlockingIOError):
            self._written += os.read(self._reader, 65_536)
        return overwritten(self._written.decode())

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._reader)
        os.close(self._writer)


def figures(found: Progress | None) -> tuple[str, int, int, int]:
    """Return what a line says."""
    assert found is not None
    return found.name, found.done, found.left, found.rate


def test_the_line_is_words_for_a_person() -> None:
    assert str(Progress("vm1", 12 * MIB, 180 * MIB, MIB // 2)) == "vm1: 12.0 MiB done, 180.0 MiB left, 0.5 MiB/s"


@pytest.mark.parametrize("name", ["vm1", "a b", "x: 1.0 MiB done, 1.0 MiB left, 1.0 MiB/s"])
def test_what_is_written_is_read(name: str) -> None:
    assert figures(progress.parse(str(Progress(name, 3 * MIB, MIB // 2, 0)))) == (name, 3 * MIB, MIB // 2, 0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "vm1: 12.0 MiB done, 180.0 MiB left",
        "vm1: 12 MiB done, 180 MiB left, 3 MiB/s",
        "vm1: 12.0 MiB done, 180.0 MiB left, 0.5 MiB/s.",
        "vm1: -2.0 MiB done, 180.0 MiB left, 0.5 MiB/s",
        ": 12.0 MiB done, 180.0 MiB left, 0.5 MiB/s",
        "vm1: 12.0 MiB done, 180.0 MiB left, 0.5 MiB/s\nvm1",
        "vm1: 9999999999999.0 MiB done, 180.0 MiB left, 0.5 MiB/s",
        "vm1: \N{ARABIC-INDIC DIGIT ONE}.0 MiB done, 180.0 MiB left, 0.5 MiB/s",
        "It was paused.",
    ],
)
def test_anything_else_is_not_read(line: str) -> None:
    assert progress.parse(line) is None


# --- the bar ----------------------------------------------------------------------------------------------------------


def test_the_bar() -> None:
    line = progress_bar.text([Progress("vm1", 60 * MIB, 180 * MIB, 31 * MIB)], 80)

    assert line == "vm1 [##########------------------------------] 25%  180.0 MiB left  31.0 MiB/s"


def test_large_figures_are_gib() -> None:
    assert "  1.50 GiB left" in progress_bar.text([Progress("vm1", 0, 1536 * MIB, 0)], 80)


def test_several_are_summed_up() -> None:
    line = progress_bar.text([Progress("vm1", MIB, MIB, MIB), Progress("vm2", MIB, MIB, MIB)], 80)

    assert line == "2 domains [###################-------------------] 50%  2.0 MiB left  2.0 MiB/s"


@pytest.mark.parametrize("width", [10, 30, 45, 60, 80, 300])
@pytest.mark.parametrize("done", [0, MIB, 500 * MIB])
def test_it_never_fills_the_last_column(width: int, done: int) -> None:
    assert len(progress_bar.text([Progress("v" * 100, done, 0, 3 * MIB)], width)) < width


def test_before_anything_has_moved() -> None:
    assert " 0%" in progress_bar.text([Progress("vm1", 0, 0, 0)], 80)


@pytest.fixture
def line() -> Iterator[Line]:
    """A terminal's line, and the bar on it."""
    made = Line()
    yield made
    made.close()


def test_a_shorter_line_leaves_nothing_of_a_longer_one(line: Line) -> None:
    line.bar.show("a", Progress("a-long-name", MIB, 2000 * MIB, 1000 * MIB))
    line.bar.show("a", Progress("vm1", MIB, MIB, MIB))

    assert line.read() == progress_bar.text([Progress("vm1", MIB, MIB, MIB)], 80)


def test_nothing_is_left_behind(line: Line) -> None:
    line.bar.show("a", Progress("vm1", MIB, MIB, MIB))
    line.bar.end("a")

    assert line.read() == ""


def test_what_has_ended_counts_no_more(line: Line) -> None:
    line.bar.show("a", Progress("vm1", MIB, MIB, MIB))
    line.bar.show("b", Progress("vm2", MIB, MIB, MIB))
    line.bar.end("a")
    line.bar.show("b", Progress("vm2", MIB, MIB, MIB))

    assert line.read().startswith("vm2 [")


# --- many hosts -------------------------------------------------------------------------------------------------------


def test_the_bar_counts_hosts() -> None:
    assert progress_bar.counted(250, 1000, 80) == f"[{'#' * 10}{'-' * 30}]  250 of 1000 hosts"


@pytest.mark.parametrize("width", [10, 20, 28, 29, 30, 45, 80, 300])
def test_the_count_never_fills_the_last_column(width: int) -> None:
    assert len(progress_bar.counted(999, 1000, width)) < width


def test_a_host_that_is_named_twice_has_ended_twice(line: Line) -> None:
    line.bar.expect(["h1", "h2", "h1"])
    line.bar.ended("h1")
    assert line.read() == progress_bar.counted(0, 2, 80)

    line.bar.ended("h1")
    assert line.read() == progress_bar.counted(1, 2, 80)


def test_one_host_is_not_counted(line: Line) -> None:
    line.bar.expect(["h1", "h1"])
    line.bar.ended("h1")

    assert line.read() == ""


def test_what_commands_tell_goes_before_the_count(line: Line) -> None:
    line.bar.expect(["h1", "h2"])
    line.bar.show("a", Progress("vm1", MIB, MIB, MIB))
    line.bar.ended("h1")

    assert line.read() == progress_bar.text([Progress("vm1", MIB, MIB, MIB)], 80)


def test_the_count_comes_back_when_they_have_ended(line: Line) -> None:
    line.bar.show("a", Progress("vm1", MIB, MIB, MIB))
    line.bar.expect(["h1", "h2"])
    line.bar.end("a")
    line.bar.ended("h1")

    assert line.read() == progress_bar.counted(1, 2, 80)
