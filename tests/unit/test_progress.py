"""The line that says how far a command is, and the bar that rxm makes of it."""

import pytest

from rxm import bar
from xman import progress
from xman.progress import Progress
from xman.values import MIB


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
    line = bar.text([Progress("vm1", 60 * MIB, 180 * MIB, 31 * MIB)], 80)

    assert line == "vm1 [##########------------------------------] 25%  180.0 MiB left  31.0 MiB/s"


def test_large_figures_are_gib() -> None:
    assert "  1.50 GiB left" in bar.text([Progress("vm1", 0, 1536 * MIB, 0)], 80)


def test_several_are_summed_up() -> None:
    line = bar.text([Progress("vm1", MIB, MIB, MIB), Progress("vm2", MIB, MIB, MIB)], 80)

    assert line == "2 domains [###################-------------------] 50%  2.0 MiB left  2.0 MiB/s"


@pytest.mark.parametrize("width", [10, 30, 45, 60, 80, 300])
@pytest.mark.parametrize("done", [0, MIB, 500 * MIB])
def test_it_never_fills_the_last_column(width: int, done: int) -> None:
    assert len(bar.text([Progress("v" * 100, done, 0, 3 * MIB)], width)) < width


def test_before_anything_has_moved() -> None:
    assert " 0%" in bar.text([Progress("vm1", 0, 0, 0)], 80)
