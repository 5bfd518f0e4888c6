"""Consoles in a real Chromium: what a container prints is seen, and what is typed there arrives."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_console import Box, description
from tests.hypervisor.test_lxc import Containers, containers, why_no_containers
from tests.lab.clients.browser import browser, why_not
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

__all__ = ["containers"]

pytestmark = pytest.mark.skipif(bool(why_no_containers()), reason=why_no_containers())
expect.set_options(timeout=30_000)
HOST = "hv1.xman.test"
# What a page says to its console while all is as it should be: who comes is to sign on, and a portal restarts.
USUAL = ("401 (U", "WebSocket", "ERR_CONNECTION", "502", "EventSource")


@pytest.fixture(scope="module")
def portal(lab: Lab, containers: Containers) -> Iterator[Portal]:
    """A portal on the first host, which shows its containers; two may look at a time."""
    made = Portal(
        lab.realm,
        lab.first.directory / "portal",
        hosts=(HOST,),
        port=containers.daemon.port,
        settings="viewers = 2",
        name=HOST,
        listen="127.0.0.11",
        prefix=tuple(containers.daemon.prefix),
        env=dict(lab.alice),
    )
    yield made
    made.stop()
    assert "Traceback" not in made.said()


@pytest.fixture(scope="module")
def context(lab: Lab, portal: Portal) -> Iterator[BrowserContext]:
    """Alice's browser, which delegates."""
    if reason := why_not(lab.realm):
        pytest.skip(reason)
    alice = lab.realm.kinit("alice", PASSWORD, "browser-alice", "-f")
    prefix = tuple(portal._prefix)
    with (
        sync_playwright() as started,
        browser(started, lab.realm, portal.directory / "alice", alice, prefix=prefix) as opened,
    ):
        yield opened


@pytest.fixture
def box(lab: Lab, containers: Containers, own_name: str) -> Iterator[Box]:
    """A running container with a login."""
    made = Box(lab, containers, own_name)
    answer = made.rxm("create", "-", stdin=description(own_name))
    assert answer.status == 0, answer
    yield made
    made.close()


@pytest.fixture
def page(portal: Portal, context: BrowserContext, box: Box) -> Iterator[Page]:
    """The console of the box in alice's browser; the page may have nothing to complain of."""
    page = context.pages[0]
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page.on("console", listen)
    for _ in range(5):
        answer = page.goto(portal.url)
        if answer is not None and answer.status != 401:
            break
    row = page.locator("tbody tr", has_text=box.name)
    expect(row).to_be_visible()
    row.get_by_role("link", name=box.name).first.click()
    page.get_by_role("link", name="Console").click()
    yield page
    page.remove_listener("console", listen)
    assert [line for line in said if not any(usual in line for usual in USUAL)] == []


def rows(page: Page) -> str:
    """Return the terminal's text."""
    return page.locator(".xterm-rows").inner_text().replace("\N{NO-BREAK SPACE}", " ")


def shows(page: Page, text: str) -> None:
    """Wait until the terminal shows it."""
    wait_for(lambda: text in rows(page), 30, f"{text!r} on the page")


def typing(page: Page) -> None:
    """Ask for the keyboard, and get it."""
    page.get_by_role("button", name="Type").click()
    expect(page.get_by_role("button", name="Type")).to_have_attribute("aria-pressed", "true")


def test_one_looks_first_and_types_on_a_second_click(page: Page, box: Box) -> None:
    shows(page, "login:")
    page.locator("#terminal").click()
    page.keyboard.type("mallory\n")
    typing(page)
    page.keyboard.type("alice\n")

    shows(page, "Welcome, alice.")
    assert "mallory" not in rows(page)


def test_it_is_seen_and_not_only_there(page: Page) -> None:
    """Under a policy that forbids its style elements xterm.js has the text, and shows none of it."""
    shows(page, "login:")

    colours = page.locator(".xterm-rows span").first.evaluate("(one) => window.getComputedStyle(one).color")
    height = page.locator(".xterm-rows > div").first.evaluate("(one) => one.getBoundingClientRect().height")

    assert re.fullmatch(r"rgb\((\d+), \d+, \d+\)", colours)
    assert colours != "rgb(0, 0, 0)"
    assert height > 8


def test_a_restart_of_the_portal_is_survived(page: Page, portal: Portal) -> None:
    typing(page)
    page.keyboard.type("alice\n")
    shows(page, "Welcome, alice.")

    portal.restart_server()

    expect(page.get_by_role("button", name="Type")).to_have_attribute("aria-pressed", "true")
    page.locator("#terminal").click()
    page.keyboard.type("bob\n")
    shows(page, "Welcome, bob.")


def test_its_end_is_told_in_words(page: Page, box: Box) -> None:
    shows(page, "login:")

    assert box.rxm("destroy", box.name).status == 0

    expect(page.get_by_role("status")).to_have_text(f"{box.name} ended.")
    expect(page.get_by_role("button", name="Connect again")).to_be_visible()
