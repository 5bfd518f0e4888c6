"""States in colour."""

import re
import sys

import pytest

from rxm.output import colour
from xman.render import domains
from xman.states import STATES

GUEST = {"id": 1, "memory": 512 << 20, "vcpus": 2, "cpu_seconds": 1.5}


def bare(text: str) -> str:
    """Return a text without its colours."""
    return re.sub(r"\x1b\[\d+m", "", text)


def test_a_list_looks_the_same_but_for_the_colours() -> None:
    rows = [GUEST | {"name": f"vm-{state}", "state": state} for state in ("running", "paused", "crashed")]
    table = domains.table(rows, False)

    painted = colour.paint(table)

    assert bare(painted) == table
    assert "\x1b[32mr-----\x1b[0m" in painted
    assert "\x1b[33m--p---\x1b[0m" in painted
    assert "\x1b[31m----c-\x1b[0m" in painted


def test_a_name_that_looks_like_a_state_is_left_alone() -> None:
    assert colour.paint("running   1 512 1 r----- 1.0\n").startswith("running   1 512 1 \x1b[32mr-----")


def test_a_domain_that_is_off_and_the_header_have_none() -> None:
    table = domains.table([GUEST | {"id": None, "name": "off", "state": "shutoff"}])

    assert colour.paint(table) == table


def test_every_batch_state_of_a_domain_that_is_up_has_one() -> None:
    for state in STATES:
        if not state.startswith("down"):
            assert "\x1b[" in colour.paint(f"vm1  {state}  512\n"), state


@pytest.mark.parametrize(
    ("terminal", "no_color", "term", "wanted"),
    [(True, "", "xterm", True), (False, "", "xterm", False), (True, "1", "xterm", False), (True, "", "dumb", False)],
)
def test_only_for_people_who_want_them(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, term: str, wanted: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)

    assert colour.wanted() is wanted
