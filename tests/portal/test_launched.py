"""Machines that were launched, and guests that have come from another host: what the portal says, and offers."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rxmweb.web import offers, openapi
from tests.portal.reports import UUID, domain
from tests.portal.test_parts import row
from tests.portal.test_views import ALICE, BOB, Site, asked
from xman import states, times

MACHINE = f"{UUID}01"
LAUNCHED = {"instance": "i-0123456789abcdef0", "image": "debian.qcow2", "owner": BOB}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Hosts that have reported, and of which none is asked."""
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


def ahead(seconds: float) -> str:
    """Return a time so far ahead."""
    return times.utc(time.time() + seconds)


def buttons(text: str) -> set[str]:
    """Return the verbs of a page's buttons."""
    return set(re.findall(r'<button name="verb" value="([^"]+)"', text))


def test_whose_it_is_from_which_image_and_when_it_ends(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "running", until=ahead(2 * 3600 + 90), **LAUNCHED))
    alice, _session = site.session(ALICE)

    machine, table = alice.get(f"/machines/{MACHINE}").text, alice.get("/").text

    for said in ("i-0123456789abcdef0", "from the image debian.qcow2", BOB, "ends in 2 hr"):
        assert said in machine
    assert re.search(r'data-until="[0-9.]+"[^>]*>ends in 2 hr</time>', table)
    assert "terminate" in buttons(machine)
    czech = alice.get(f"/machines/{MACHINE}", headers={"Accept-Language": "cs"}).text
    assert "skončí za 2 h" in czech


@pytest.mark.parametrize("seconds", [30, -3600])
def test_what_is_to_end_at_once_says_so(site: Site, seconds: float) -> None:
    site.report("h1", domain("vm1", 1, "running", until=ahead(seconds), **LAUNCHED))
    alice, _session = site.session(ALICE)

    assert "about to end</time>" in alice.get("/").text


def test_who_launched_it_sees_it_and_nobody_elses(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "down", **LAUNCHED), domain("vm2", 2, "running"))
    bob, _session = site.session(BOB)

    assert [one["name"] for one in asked(bob, "/")["domains"]] == ["vm1"]
    assert "terminate" in buttons(bob.get(f"/machines/{MACHINE}").text)
    assert bob.get(f"/machines/{UUID}02").status_code == 404


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        ({"instance": "i-1"}, True),
        ({}, False),
        ({"instance": "i-1", "jobs": [{"id": "1", "owner": BOB}]}, False),
        ({"instance": "i-1", "unconfirmed": "h2"}, False),
    ],
)
def test_only_what_was_launched_and_is_idle_is_terminated(facts: dict[str, Any], offered: bool) -> None:
    for state in (states.DOWN, states.RUNNING, states.FROZEN):
        assert ("terminate" in {offer.verb for offer in offers.of_machine(row(state, **facts))}) is offered


def test_what_has_come_and_is_not_confirmed_says_so_and_can_only_be_destroyed(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "frozen", saved=False, unconfirmed="h2"))
    alice, _session = site.session(ALICE)

    machine, table = alice.get(f"/machines/{MACHINE}").text, alice.get("/").text

    assert "It has arrived from h2" in machine
    assert buttons(machine) == {"destroy"}
    assert 'name="labels"' not in machine
    assert "arrived from h2, not confirmed" in table
    assert offers.of_parts(row("frozen", reason="paused", unconfirmed="h2")) == []


def test_they_are_as_the_interface_for_programs_says(site: Site) -> None:
    site.report("h1", domain("vm1", 1, "frozen", saved=False, unconfirmed="h2", until=ahead(3600), **LAUNCHED))
    alice, _session = site.session(ALICE)

    found = asked(alice, f"/machines/{MACHINE}")

    jsonschema.validate(found, openapi.answer("/machines/{uuid}"))
    told = {key: found["domain"][key] for key in (*LAUNCHED, "unconfirmed")}
    assert told == LAUNCHED | {"unconfirmed": "h2"}
