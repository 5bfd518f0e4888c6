"""DRIVERS.md and the recipes behind it are whole. That they are true, a run of each verb checks for each driver."""

import datetime

import pytest

from tests.lab.hosts import drivers
from tests.lab.hosts.each_verb import STEPS
from xman import outcome, verbs

HOW = "HACKING.md, 'A new verb', says how to add it"


def test_the_table_has_the_verbs_that_some_driver_refuses_and_no_others() -> None:
    refused = {verb for verb, _driver, _words in drivers.rows("Refusals")}

    listed = [cells[0] for cells in drivers.rows("Verbs")]

    assert len(listed) == len(set(listed))
    assert set(listed) == refused


def test_every_verb_is_tried() -> None:
    assert set(STEPS) == set(verbs.BY_NAME), f"in tests/lab/hosts/each_verb.py; {HOW}"


@pytest.mark.parametrize("driver", drivers.DRIVERS)
def test_every_refusal_has_its_words_and_nothing_else_has(driver: str) -> None:
    for verb, (what, words) in drivers.entries(driver).items():
        assert what in (drivers.WORKS, drivers.REFUSED), verb
        assert (what == drivers.REFUSED) == bool(words), verb


def test_no_refusal_is_of_what_is_not_there() -> None:
    for verb, driver, _words in drivers.rows("Refusals"):
        assert verb in verbs.BY_NAME
        assert driver in drivers.DRIVERS


def test_every_driver_has_the_day_of_its_run() -> None:
    days = drivers.days()

    assert set(days) == set(drivers.DRIVERS)
    for day in days.values():
        assert datetime.date.fromisoformat(day) >= datetime.date(2026, 11, 21)


@pytest.mark.parametrize(
    ("entry", "found", "agrees"),
    [
        (("works", ""), (outcome.OK, ""), True),
        (("works", ""), (outcome.UNSUPPORTED, "cannot"), False),
        (("refused", "cannot (do)"), (outcome.UNSUPPORTED, "It cannot (do) that."), True),
        (("refused", "cannot"), (outcome.UNSUPPORTED, "may not"), False),
        (("refused", "cannot"), (outcome.REFUSED, "cannot"), False),
        (("refused", ""), (outcome.UNSUPPORTED, "cannot"), False),
        (("refused", "cannot"), (outcome.OK, ""), False),
    ],
)
def test_what_agrees_with_an_entry(entry: drivers.Entry, found: tuple[int, str], agrees: bool) -> None:
    assert drivers.agrees(entry, found) is agrees
