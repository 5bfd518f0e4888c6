"""The portal in a real Chromium: sign-on with delegation, live updating, and nobody left out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Playwright, expect

from tests.conftest import PASSWORD
from tests.lab.clients.browser import browser, why_not
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, SECOND_HOST, UNKEYED, Realm
from tests.lab.portal.portal import Portal

# A page on a machine with much to do is late, and no less right.
expect.set_options(timeout=30_000)

# What a page says to its console while it works as it should: a browser without a session is asked to sign on.
_USUAL = "401 (UNAUTHORIZED)"
_TRIES = 5


class Site:
    """Two hosts and their portal; alice is an administrator of the first one only."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        self.realm = realm
        self.directory = directory
        keytab = directory / "collector.keytab"
        realm.add_service("watcher", str(keytab))
        quick = "[batch]\nboot_seconds = 0.01\n"
        admins = ("alice@XMAN.TEST", "watcher@XMAN.TEST")
        self.first = Daemon(realm, directory / "first", admins=admins, listen="127.0.0.1:0", tables=quick)
        self.second = Daemon(
            realm,
            directory / "second",
            admins=("watcher@XMAN.TEST",),
            listen=f"127.0.0.2:{self.first.port}",
            host=SECOND_HOST,
            tables=quick,
        )
        self.alice = realm.kinit("alice", PASSWORD, "browser-alice", "-f")
        for name in ("vm1", "vm2"):
            made = self.first.rxm(self.alice, "create", "-", stdin=for_test_driver(name))
            assert made.status == 0, made
        self.portal = Portal(
            realm,
            directory / "portal",
            hosts=(FQDN, SECOND_HOST, UNKEYED),
            port=self.first.port,
            collector_keytab=str(keytab),
            tables=f'[groups]\nBrno = "{FQDN}"\n[history]\nsample_seconds = 1.0\n',
        )

    def stop(self) -> None:
        """End it all."""
        self.portal.stop()
        self.first.stop()
        self.second.stop()

    def open(self, context: BrowserContext, path: str = "/") -> Page:
        """Return the browser's page, at `path`, signed on.

        A Chromium that has just started may answer the first request for Negotiate before it has loaded Kerberos.
        """
        page = context.pages[0]
        for _ in range(_TRIES):
            answer = page.goto(f"{self.portal.url}{path}")
            if answer is not None and answer.status != 401:
                break
        return page


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for this module, where there can be a browser."""
    if reason := why_not(realm):
        pytest.skip(reason)
    made = Site(realm, tmp_path_factory.mktemp("browser"))
    yield made
    made.stop()
    assert "Traceback" not in made.portal.said()


@pytest.fixture(scope="module")
def context(playwright: Playwright, site: Site) -> Iterator[BrowserContext]:
    """Alice's browser, which delegates."""
    with browser(playwright, site.realm, site.directory / "alice", site.alice) as opened:
        site.open(opened)
        yield opened


@pytest.fixture
def page(site: Site, context: BrowserContext) -> Iterator[Page]:
    """The table in alice's browser; no page may have anything to complain of."""
    page = site.open(context)
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    page.on("console", listen)
    expect(page.locator("tr", has_text="vm1")).to_be_visible()
    yield page
    page.remove_listener("console", listen)
    assert [line for line in said if _USUAL not in line] == []


def row(page: Page, name: str) -> str:
    """Return the text of the row of `name`."""
    return page.locator("tbody tr", has=page.get_by_role("rowheader", name=name, exact=True)).first.inner_text()


def test_sign_on_delegates_the_ticket(page: Page) -> None:
    expect(page.locator(".who")).to_have_text("alice@XMAN.TEST")
    expect(page.locator(".banner:visible")).to_have_count(0)


def test_filter_sort_and_tabs_stand_in_the_address(page: Page) -> None:
    page.get_by_label("Filter").fill("name:vm*")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Name").click()
    page.get_by_role("link", name="Brno").click()

    assert page.url.endswith("/?q=name%3Avm%2A&group=Brno&sort=-name")
    assert page.locator("tbody tr").first.inner_text().strip().startswith("vm2")


def test_bulk_with_one_failing_target_and_live_rows(site: Site, page: Page) -> None:
    page.get_by_label(f"Choose vm2 on {FQDN}").check()
    page.get_by_label(f"Choose test on {SECOND_HOST}").check()
    expect(page.locator("#chosen")).to_have_text("chosen: 2")
    page.get_by_label("Action").select_option("pause")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Why").fill("a look inside")
    page.get_by_role("button", name="Pause").click()

    expect(page.locator(".standing")).to_contain_text("failed")
    expect(page.locator("tr.good")).to_contain_text("vm2")
    expect(page.locator("tr.bad")).to_contain_text("denied")
    expect(page.locator("#part")).not_to_have_attribute("hx-get", "")
    page = site.open(page.context)
    expect(page.locator("tbody tr", has_text="vm2")).to_contain_text("frozen")


def test_the_table_is_brought_up_to_date_and_keeps_what_was_chosen(site: Site, page: Page) -> None:
    page.get_by_label(f"Choose vm1 on {FQDN}").check()
    assert "frozen" not in row(page, "vm1")

    assert site.first.rxm(site.alice, "pause", "vm1").status == 0

    expect(page.locator("tbody tr", has_text="vm1")).to_contain_text("frozen", timeout=15_000)
    expect(page.get_by_label(f"Choose vm1 on {FQDN}")).to_be_checked()
    assert site.first.rxm(site.alice, "unpause", "vm1").status == 0


def test_a_machine_by_keyboard(page: Page) -> None:
    page.get_by_role("link", name="vm1", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("vm1")
    page.get_by_role("link", name="Description (XML)").click()

    expect(page.locator("pre")).to_contain_text("<name>vm1</name>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_violates_accessibility(site: Site, context: BrowserContext, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    machine = page.get_by_role("link", name="vm1", exact=True).get_attribute("href")
    host = f"/hosts/{FQDN}"
    # The test driver's own machine, which has a disk and a card.
    devices = f"{host}/machines/6695eb01-f6a4-8304-79aa-97f2502e193f/devices"
    for path in (
        "/",
        str(machine),
        devices,
        "/hosts",
        host,
        "/actions",
        "/create",
        "/delegation",
        "/session",
        "/?q=nothing",
    ):
        site.open(context, path)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    site.open(context, "/")
    page.get_by_label(f"Choose vm1 on {FQDN}").check()
    page.get_by_label("Action").select_option("migrate")
    page.get_by_role("button", name="Go on").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="light")


def test_a_snapshot_is_made_gone_back_to_and_deleted_while_another_page_looks_on(
    site: Site, context: BrowserContext, page: Page
) -> None:
    machine = page.get_by_role("link", name="vm1", exact=True).get_attribute("href")
    watching = context.new_page()
    watching.goto(f"{site.portal.url}{machine}")
    expect(watching.get_by_role("heading", name="Snapshots")).to_be_visible()
    kept = watching.locator("#of-snapshots tbody th")
    expect(kept).to_have_count(0)

    site.open(context, str(machine))
    for verb in ("Take a snapshot", "Go back to a snapshot", "Delete a snapshot"):
        site.open(context, str(machine))
        page.get_by_role("button", name=verb).click()
        if verb == "Take a snapshot":
            page.get_by_label("Snapshot (").fill("before")
        page.get_by_role("button", name=verb).click()
        expect(page.locator(".standing")).to_contain_text("done")
        expect(kept).to_have_count(0 if verb == "Delete a snapshot" else 1)
        if verb == "Take a snapshot":
            watching.set_viewport_size({"width": 320, "height": 800})
            assert watching.evaluate("document.documentElement.scrollWidth") <= 320
            found = Axe().run(watching)
            assert found.violations_count == 0, found.generate_report()
    watching.close()


def test_a_machine_is_one_line_however_much_there_is_of_it(site: Site, page: Page) -> None:
    assert site.first.rxm(site.alice, "unpause", "vm2").status == 0
    for number in ("4805", "4806", "4807"):
        words = ("job-start", "vm1", "--id", number, "--owner", "somebody-with-a-long-name@SOMEWHERE.ELSE")
        assert site.first.rxm(site.alice, *words).status == 0
    try:
        jobs = page.locator("tbody tr", has_text="vm1").locator("td.cut").first
        expect(jobs).to_contain_text("4806 somebody-with-a-long-name@… and 1 more", timeout=15_000)

        heights = page.locator("table.fleet tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
        assert len(heights) > 2
        assert max(heights) < 30
        expect(jobs).to_have_attribute("title", re.compile("4807 somebody-with-a-long-name@SOMEWHERE.ELSE"))
        assert page.locator(".scroll").evaluate("box => box.scrollWidth <= box.clientWidth")
    finally:
        for number in ("4805", "4806", "4807"):
            assert site.first.rxm(site.alice, "job-stop", "vm1", "--id", number).status == 0


def test_a_phone_scrolls_the_table_and_not_the_page(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 860})


def test_without_script_and_in_czech(playwright: Playwright, site: Site) -> None:
    directory = site.directory / "plain"
    with browser(playwright, site.realm, directory, site.alice, script=False, language="cs") as opened:
        page = site.open(opened)
        expect(page.get_by_role("heading", level=1)).to_have_text("Stroje")
        page.get_by_label(f"Vybrat vm1 na {FQDN}").check()
        page.get_by_label("Akce").select_option("pause")
        page.get_by_role("button", name="Dále").click()
        page.get_by_role("button", name="Pozastavit").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Pozastavit")
        for _ in range(50):
            if page.locator(".a-done").count():
                break
            page.get_by_role("link", name="Načíst znovu").click()
        expect(page.locator(".standing")).to_contain_text("hotovo")
    assert site.first.rxm(site.alice, "unpause", "vm1").status == 0


def test_a_browser_that_does_not_delegate_is_told_what_to_do(playwright: Playwright, site: Site) -> None:
    with browser(playwright, site.realm, site.directory / "looker", site.alice, delegate=False) as opened:
        page = site.open(opened)
        expect(page.locator(".banner:visible")).to_contain_text("did not delegate")
        page.get_by_role("link", name="What to do").click()

        expect(page.locator("main")).to_contain_text("AuthNegotiateDelegateAllowlist")


def test_two_people_at_once_of_whom_one_is_denied(
    playwright: Playwright, site: Site, context: BrowserContext, page: Page
) -> None:
    mallory = site.realm.kinit("mallory", PASSWORD, "browser-mallory", "-f")
    with browser(playwright, site.realm, site.directory / "mallory", mallory) as opened:
        pages = {"alice": page, "mallory": site.open(opened)}
        for one in pages.values():
            one.get_by_label(f"Choose vm1 on {FQDN}").check()
            one.get_by_label("Action").select_option("pause")
            one.get_by_role("button", name="Go on").click()
        for one in pages.values():
            one.get_by_role("button", name="Pause").click()

        expect(pages["alice"].locator(".standing")).to_contain_text("done")
        expect(pages["mallory"].locator(".standing")).to_contain_text("failed")
        expect(pages["mallory"].locator("tr.bad")).to_contain_text("denied")
        expect(pages["mallory"].locator("tr.bad")).to_contain_text(
            "mallory@XMAN.TEST is not authorized to use pause here"
        )
    assert site.first.rxm(site.alice, "unpause", "vm1").status == 0


def test_a_stale_row_is_grey_says_why_and_can_be_acted_on(site: Site, page: Page) -> None:
    """The last one: the second host does not come back."""
    site.second.stop()
    stale = page.locator("tr.stale", has_text=SECOND_HOST)
    expect(stale).to_contain_text("unreachable", timeout=20_000)

    page.get_by_label(f"Choose test on {SECOND_HOST}").check()
    page.get_by_label("Action").select_option("pause")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".stale-note")).to_contain_text("is old")
    page.get_by_role("button", name="Pause").click()

    expect(page.locator("tr.bad")).to_contain_text("unreachable")
