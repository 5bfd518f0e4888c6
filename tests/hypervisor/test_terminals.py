"""A terminal of a laboratory in a real Chromium: it gets a machine's screen, and whoever comes next a fresh start."""

import contextlib
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_laboratory import Room
from tests.hypervisor.test_profiles import written
from tests.hypervisor.test_screen import SCREEN
from tests.lab.clients.browser import browser, why_not
from tests.lab.hosts.hypervisor import Guest
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

expect.set_options(timeout=60_000)
TERMINAL = "kiosk.lab"


class Desk(Room):
    """A host with a profile that has a screen, and one client of it."""

    clients_made = 1

    def description(self) -> str:
        """Return the profile's."""
        return Guest(self.name, self.host.directory, memory_mib=32, screen=SCREEN).empty_description()

    def given(self) -> str:
        """Return which terminal has had the client's run."""
        (found,) = self.done("list", "--long", self.clients[0])["result"]["domains"]
        return str(found.get("given", ""))


def begun_anew(desk: Desk, client: str) -> bool:
    """Whether nothing is written in a client's disk, which may just be replaced."""
    with contextlib.suppress(subprocess.CalledProcessError):
        return not written(desk.overlay(client))
    return False


@pytest.fixture
def desk(lab: Lab, own_name: str) -> Iterator[Desk]:
    """The laboratory."""
    made = Desk(lab, lab.first, lab.xmand, own_name)
    yield made
    made.end()


@pytest.fixture
def portal(lab: Lab, desk: Desk) -> Iterator[Portal]:
    """A portal that acts for terminals by alice's tickets, as her own."""
    made = Portal(
        lab.realm,
        lab.first.directory / f"portal-{desk.name}",
        hosts=(lab.first.name,),
        port=lab.xmand.port,
        name=lab.first.name,
        listen=lab.first.address,
        prefix=tuple(lab.first.prefix),
        env=dict(lab.alice),
        tables=f'[terminals]\n"{TERMINAL}" = {{ lab = "economy", profile = "{desk.name}" }}\n',
    )
    yield made
    made.stop()
    assert "Traceback" not in made.said()


@pytest.fixture
def context(lab: Lab, portal: Portal) -> Iterator[BrowserContext]:
    """The terminal's browser, with what its keytab gives."""
    if reason := why_not(lab.realm):
        pytest.skip(reason)
    lab.realm.add_principal(f"host/{TERMINAL}", PASSWORD)
    own = lab.realm.kinit(f"host/{TERMINAL}", PASSWORD, "kiosk")
    folder = portal.directory / "kiosk"
    with (
        sync_playwright() as started,
        browser(started, lab.realm, folder, own, delegate=False, prefix=tuple(portal._prefix)) as opened,
    ):
        yield opened


def test_a_kiosk_shows_its_machine_and_the_next_person_begins_anew(
    desk: Desk, portal: Portal, context: BrowserContext
) -> None:
    page, client = context.pages[0], desk.clients[0]

    page.goto(f"{portal.url}/terminal")

    # It may have asked without its ticket at first; it asks again by itself.
    expect(page.locator("#picture canvas")).to_be_visible()
    assert page.url == f"{portal.url}/terminal/screen"
    expect(page.locator("#state")).to_be_hidden()
    assert desk.given() == TERMINAL
    desk.guest_writes(client, 1)
    assert written(desk.overlay(client))
    page.reload()
    expect(page.locator("#picture canvas")).to_be_visible()
    assert written(desk.overlay(client)), "the same person has the same machine"

    context.clear_cookies()
    page.goto(f"{portal.url}/terminal")

    wait_for(lambda: begun_anew(desk, client), 60, "a fresh start")
    expect(page.locator("#picture canvas")).to_be_visible()
    assert desk.given() == TERMINAL
