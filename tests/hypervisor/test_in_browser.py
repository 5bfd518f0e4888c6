"""Consoles and screens in a real Chromium: what a machine shows is seen, and what is typed there arrives."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.hypervisor.boxes import Box, box
from tests.hypervisor.conftest import Lab
from tests.hypervisor.test_lxc import containers
from tests.hypervisor.test_screen import SCREEN
from tests.lab.clients.browser import browser, why_not
from tests.lab.hosts.hypervisor import Guest
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

__all__ = ["box", "containers"]

expect.set_options(timeout=30_000)
HOST = "hv1.xman.test"
BOXES, GUESTS = "containers", "guests"
# Keys, by the kernel's numbers.
A, B, M = 30, 48, 50
# What a page says to its console while all is as it should be: who comes is to sign on, and a portal restarts.
AWAY = ("WebSocket", "ERR_CONNECTION", "502", "EventSource", "htmx:afterRequest", "htmx:sendError")
USUAL = ("401 (U", "secure context", "404 (", "Canvas2D", *AWAY)


@pytest.fixture(scope="module", params=[BOXES])
def portal(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Portal]:
    """A portal on the first host, which shows its containers, or its virtual machines."""
    daemon = request.getfixturevalue("containers").daemon if request.param == BOXES else lab.xmand
    made = Portal(
        lab.realm,
        lab.first.directory / f"portal-{request.param}",
        hosts=(HOST,),
        port=daemon.port,
        name=HOST,
        listen="127.0.0.11",
        prefix=tuple(daemon.prefix),
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
def page(portal: Portal, context: BrowserContext, box: Box) -> Iterator[Page]:
    """The console of the box in alice's browser."""
    with content(context.pages[0]) as page:
        show(page, portal, box.name, "Console")
        yield page


@contextlib.contextmanager
def content(page: Page) -> Iterator[Page]:
    """Give a page that may have nothing to complain of."""
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page.on("console", listen)
    yield page
    page.remove_listener("console", listen)
    page.goto("about:blank")  # which asks for nothing that is gone by the next test
    unusual = [line for line in said if not any(usual in line for usual in USUAL)]
    assert not unusual, unusual


def show(page: Page, portal: Portal, name: str, what: str) -> None:
    """Go to a machine's console or screen."""
    for _ in range(5):
        answer = page.goto(portal.url)
        if answer is not None and answer.status != 401:
            break
    row = page.locator("tbody tr", has_text=name)
    expect(row).to_be_visible()
    row.get_by_role("link", name=name).first.click()
    page.get_by_role("link", name=what, exact=True).click()


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


def restarted(page: Page, portal: Portal) -> None:
    """Restart the portal under a page, and wait until what was lost is there again, with the keyboard."""
    with portal.server_away():
        expect(page.get_by_role("status")).to_have_text("The connection was lost; trying again …")
    expect(page.get_by_role("status")).to_have_text(re.compile("What you type goes to the machine"))
    expect(page.get_by_role("button", name="Type")).to_have_attribute("aria-pressed", "true")


def test_one_looks_first_and_types_on_a_second_click(page: Page, box: Box) -> None:
    shows(page, "login:")
    page.locator("#terminal").click()
    page.keyboard.type("mallory\n")
    typing(page)
    page.keyboard.type("alice\n")

    shows(page, "Welcome, alice.")
    assert "mallory" not in rows(page)
    expect(page.locator("#present")).to_contain_text("In use by ⌨ alice (types, console")


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

    restarted(page, portal)

    page.locator("#terminal").click()
    page.keyboard.type("bob\n")
    shows(page, "Welcome, bob.")


def test_its_end_is_told_in_words(page: Page, box: Box) -> None:
    shows(page, "login:")

    assert box.rxm("destroy", box.name).status == 0

    expect(page.get_by_role("status")).to_have_text(f"{box.name} ended.")
    expect(page.get_by_role("button", name="Connect again")).to_be_visible()


@pytest.fixture
def guest(lab: Lab, own_name: str) -> Iterator[Guest]:
    """A virtual machine with a screen, to which nothing listens."""
    made = Guest(own_name, lab.first.directory, screen=SCREEN)
    answer = lab.rxm("create", "-", stdin=made.description())
    assert answer.status == 0, answer
    yield made
    lab.rxm("-q", "destroy", own_name)
    lab.rxm("-q", "delete", own_name)


LIT = """() => {
  const canvas = document.querySelector("#picture canvas");
  if (!canvas || !canvas.width) { return 0; }
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return data.filter((value, place) => place % 4 !== 3 && value > 64).length;
}"""


def presses(page: Page, guest: Guest, key: str, number: int) -> None:
    """Press a key once there is a picture to press it at, and wait until the guest has heard it."""
    wait_for(lambda: page.evaluate(LIT) > 100, 60, "a picture")
    page.locator("#picture canvas").click()
    page.keyboard.type(key)
    wait_for(lambda: number in guest.pressed(), 60, f"{key} in the guest, which has heard {guest.pressed()}")


@pytest.mark.parametrize("portal", [GUESTS], indirect=True)
def test_a_screen_is_seen_and_typed_at(lab: Lab, portal: Portal, context: BrowserContext, guest: Guest) -> None:
    with content(context.pages[0]) as page:
        show(page, portal, guest.name, "Screen")
        page.go_back()
        expect(page.locator("img.thumb")).to_be_visible()
        wait_for(lambda: page.locator("img.thumb").evaluate("(one) => one.naturalWidth > 100"), 30, "the small picture")
        page.get_by_role("link", name="Screen", exact=True).click()
        wait_for(lambda: page.evaluate(LIT) > 100, 60, "a picture")
        guest.wait_until_up()
        page.locator("#picture canvas").click()
        page.keyboard.type("m")
        typing(page)
        expect(page.get_by_role("button", name="Ctrl-Alt-Del")).to_be_enabled()

        def told(how: str) -> bool:
            return any('verb="vnc"' in line and how in line for line in lab.xmand.syslog.lines())

        wait_for(lambda: told("input=no"), 30, "the word of who only looked")
        presses(page, guest, "a", A)
        restarted(page, portal)
        presses(page, guest, "b", B)
        assert M not in guest.pressed()
        page.goto(portal.url)
        wait_for(lambda: told("input=yes"), 30, "the word of who typed")
