"""Every page in a real Chromium, of a made-up fleet: what is chosen stays, nothing is too wide, nobody is left out."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.lab.kerberos.realm import Realm
from tests.lab.process import end
from tests.portal.made_up import FULL, LAB, LONG_HOST, LONG_MACHINE, LONG_NAME, STALE_HOST, MadeUp
from tests.tools import soak

expect.set_options(timeout=30_000)

MACHINE = f"/machines/{LONG_MACHINE}?host={LONG_HOST}"
# Every page that one can look at; those that ask back are made by `confirmation`.
PATHS = (
    "/",
    f"/?q=host:{LONG_HOST}",
    "/?q=nothing+frm:x",
    MACHINE,
    f"{MACHINE}&range=hour",
    "/hosts",
    "/hosts?view=pairs",
    f"/hosts/{LONG_HOST}",
    f"/hosts/{STALE_HOST}",
    f"/hosts/{LONG_HOST}/evacuation",
    "/actions",
    "/actions/ACTION",
    f"/hosts/{LONG_HOST}/machines/{LONG_MACHINE}/console",
    f"/hosts/{LONG_HOST}/machines/{LONG_MACHINE}/screen",
    f"/hosts/{LONG_HOST}/machines/{LONG_MACHINE}/devices",
    f"/laboratories/{LAB}",
    "/profiles",
    "/create",
    "/images",
    "/launch",
    "/delegation",
    "/session",
    "/help",
    "/no-such-page",
    "CONFIRM migrate",
    "CONFIRM mem-set",
)
WIDTHS = (320, 390, 768, 1600)
LANGUAGES = ("en", "cs")
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def site(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeUp]:
    """One portal for this module."""
    made = MadeUp(realm, tmp_path_factory.mktemp("pages"))
    yield made
    made.stop()
    assert "Traceback" not in made.portal.said()


@pytest.fixture(scope="module")
def alice(site: MadeUp, playwright: Playwright) -> Iterator[BrowserContext]:
    """The browser of who sees and may all."""
    context = site.enter(playwright)
    yield context
    if context.browser is not None:
        context.browser.close()


@pytest.fixture
def page(site: MadeUp, alice: BrowserContext) -> Iterator[Page]:
    """A page in alice's browser, at the table."""
    opened = alice.new_page()
    opened.goto(f"{site.url}/")
    expect(opened.locator("html.script")).to_have_count(1)
    yield opened
    opened.close()


def go(site: MadeUp, page: Page, path: str) -> None:
    """Show one of `PATHS`."""
    word, _space, verb = path.partition(" ")
    page.goto(f"{site.url}{'/?q=host:' + LONG_HOST if verb else word.replace('ACTION', site.action)}")
    if verb:
        page.locator("input[name=target]").first.check()
        page.locator("#verb").select_option(verb)
        page.locator(".bulk button").first.click()
        page.wait_for_url("**/confirm")


def chosen(page: Page) -> int:
    """Return how many machines the page says are chosen."""
    return int(re.sub(r"\D", "", page.locator("#chosen").inner_text()) or 0)


def choose(page: Page, *names: str) -> None:
    """Choose machines of the one host that has many."""
    for name in names:
        page.get_by_label(f"Choose {name} on {FULL}", exact=True).check()


# ---- what is chosen, and the filter


WAYS = {
    "the next page and back": ("a[rel=next]", "a[rel=prev]"),
    "another sort": ("th.c-memory a",),
    "a state": (".chips li:nth-child(2) a",),
    "a group": (".tabs a:nth-child(2)",),
    "the other language": (".tongues a",),
    "no filter any more": (".chips li:first-child a", ".tabs a:first-child"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_choice_outlives(site: MadeUp, page: Page, way: str) -> None:
    choose(page, "box1", "box3")

    for selector in WAYS[way]:
        page.locator(selector).first.click()
        page.wait_for_load_state()

    expect(page.locator("#chosen")).to_have_text(re.compile("2"))
    if way == "the other language":
        page.goto(f"{site.url}/language/en")


def test_a_choice_outlives_filter_confirmation_its_mistakes_and_leaving_it(page: Page) -> None:
    page.get_by_label("Filter").fill("name:box*")
    page.get_by_role("button", name="Show").click()
    choose(page, "box1")
    page.locator("a[rel=next]").click()
    page.wait_for_url("**page=2*")
    box = page.locator("tbody input[name=target]").first
    value = box.get_attribute("value")
    box.check()
    page.get_by_label("Action").select_option("mem-set")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 machines")
    page.get_by_label("Memory").fill("much")
    page.locator("#confirm p.buttons button").click()
    expect(page.locator(".wrong")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 machines")
    page.get_by_role("button", name="čeština").click()
    expect(page.locator("html[lang=cs]")).to_have_count(1)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html[lang=en]")).to_have_count(1)
    page.get_by_role("link", name="Leave it").click()

    page.wait_for_url("**q=name%3Abox%2A&page=2")
    assert chosen(page) == 2
    expect(page.locator(f'input[value="{value}"]')).to_be_checked()


def test_a_choice_does_not_outlive_going_elsewhere(site: MadeUp, page: Page) -> None:
    choose(page, "box1")

    page.get_by_role("link", name="Help").first.click()
    page.get_by_role("link", name="Machines").first.click()

    page.wait_for_url(f"{site.url}/")
    assert chosen(page) == 0


def test_two_clicks_are_one_action(site: MadeUp, page: Page) -> None:
    choose(page, "box7")
    page.get_by_label("Action").select_option("reboot")
    page.get_by_role("button", name="Go on").click()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    page.locator("#confirm p.buttons button").dblclick()

    page.wait_for_url("**/actions/*")
    assert sent == [f"{site.url}/actions"]


# ---- brought up to date


def test_focus_selection_and_scroll_stay_when_the_table_changes(site: MadeUp, page: Page) -> None:
    choose(page, "box4")
    page.get_by_label(f"Choose box30 on {FULL}", exact=True).focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#summary'))")
    before = page.evaluate("scrollY")
    assert before > 0

    site.full(first="running")

    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name="box0", exact=True))
    expect(row).to_contain_text("running")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Choose box30 on {FULL}"
    assert page.evaluate("scrollY") == before
    assert "rows, page 1" in page.evaluate("getSelection().toString()")
    assert chosen(page) == 1
    site.full()


@pytest.mark.parametrize("path", ["/", MACHINE, "/hosts", f"/hosts/{LONG_HOST}", "/actions", "/actions/ACTION"])
def test_a_page_whose_server_is_gone_says_since_when_and_counts_on(
    site: MadeUp, alice: BrowserContext, path: str
) -> None:
    page = alice.new_page()
    page.clock.install()
    page.route("**/live", lambda route: route.abort())
    go(site, page, path)
    expect(page.locator("html.script")).to_have_count(1)
    expect(page.locator("#touch")).to_be_hidden()
    age = page.locator("main [data-at]").first
    age.evaluate("one => { one.dataset.at = Date.now() / 1000; }")
    page.context.set_offline(True)
    try:
        page.clock.fast_forward(180_000)

        expect(page.locator("#touch")).to_be_visible()
        expect(page.locator("#touch")).to_contain_text("Out of touch since")
        expect(age).to_have_text("3 min ago")
    finally:
        page.context.set_offline(False)
        page.close()


def test_a_server_that_is_back_is_heard_of_again(site: MadeUp, alice: BrowserContext) -> None:
    page = alice.new_page()
    page.clock.install()
    page.goto(f"{site.url}/")
    expect(page.locator("html.script")).to_have_count(1)
    end(site.portal.server)
    page.clock.fast_forward(60_000)
    expect(page.locator("#touch")).to_contain_text("Out of touch since")

    site.portal.restart_server()
    for _ in range(10):
        page.clock.fast_forward(10_000)

    expect(page.locator("#touch")).to_be_hidden()
    page.close()


def test_a_session_that_has_ended_is_said(site: MadeUp, playwright: Playwright) -> None:
    context = site.enter(playwright)
    page = context.new_page()
    page.goto(f"{site.url}/")
    expect(page.locator("html.script")).to_have_count(1)
    token = next(one["value"] for one in context.cookies() if one["name"] == "rxmweb")

    site.end_session(token)

    expect(page.locator("#touch")).to_contain_text("Your session has ended")
    expect(page.get_by_role("link", name="Sign on again")).to_be_visible()
    if context.browser is not None:
        context.browser.close()


# ---- for everybody


def _combinations() -> Iterator[tuple[str, int, str, str]]:
    """Give path, width, language and scheme: each pair of them in `make test`, all in a soak."""
    for number, path in enumerate(PATHS):
        for place, width in enumerate(WIDTHS):
            both = number + place
            yield path, width, LANGUAGES[both % 2], SCHEMES[(both + place // 2) % 2]
            if soak.SOAKING:
                yield path, width, LANGUAGES[both % 2], SCHEMES[(both + place // 2 + 1) % 2]
                yield path, width, LANGUAGES[(both + 1) % 2], SCHEMES[0]
                yield path, width, LANGUAGES[(both + 1) % 2], SCHEMES[1]


def test_every_combination_has_each_pair() -> None:
    found = list(_combinations())

    for one, two in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        kinds = [{row[at] for row in found} for at in (one, two)]
        assert {(row[one], row[two]) for row in found} == {(a, b) for a in kinds[0] for b in kinds[1]}


@pytest.mark.parametrize("path", PATHS)
def test_no_page_violates_accessibility_or_is_wider_than_the_screen(site: MadeUp, page: Page, path: str) -> None:
    wrong = []
    for one, width, language, scheme in _combinations():
        if one != path:
            continue
        page.goto(f"{site.url}/language/{language}")
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        go(site, page, path)
        found = Axe().run(page)
        if found.violations_count:
            wrong.append(f"{width} {language} {scheme}: {found.generate_report()}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{width} {language} {scheme}: {wide} px wide")
    page.goto(f"{site.url}/language/en")
    assert not wrong, "\n".join(wrong)


_STOP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) { return null; }
  const box = one.getBoundingClientRect();
  const x = Math.max(box.left, 0) + Math.min(box.width, 20) / 2;
  const y = Math.max(box.top, 0) + Math.min(box.height, 20) / 2;
  const seen = document.elementFromPoint(x, y);
  const shown = seen !== null && (one.contains(seen) || seen.contains(one) || seen.closest("label") !== null);
  const number = Array.from(document.querySelectorAll("*")).indexOf(one);
  return {what: one.outerHTML.slice(0, 120), shown, order: one.tabIndex, number};
}"""


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("path", ["/", MACHINE, "/hosts", "/actions", "CONFIRM migrate"])
def test_every_stop_of_the_tabulator_is_seen_and_in_the_order_of_the_page(
    site: MadeUp, page: Page, path: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    go(site, page, path)
    page.evaluate("document.activeElement.blur()")

    stops = []
    for _ in range(120):
        page.keyboard.press("Tab")
        stop = page.evaluate(_STOP)
        if stop is None:
            break
        stops.append(stop)

    assert len(stops) > 8
    assert [stop["what"] for stop in stops if not stop["shown"]] == []
    numbers = [stop["number"] for stop in stops]
    assert numbers == sorted(numbers)
    assert {stop["order"] for stop in stops} == {0}


# A4 without its margins, in pixels of 1/96 inch.
_PAPER = 718
_CUT = """() => Array.from(document.querySelectorAll("main td, main th, main dd, main h1"))
  .filter(one => one.offsetWidth && (one.getBoundingClientRect().right > innerWidth + 1
    || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"))
  .map(one => one.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("path", PATHS)
def test_paper_cuts_nothing_off(site: MadeUp, page: Page, path: str) -> None:
    go(site, page, path)
    page.set_viewport_size({"width": _PAPER, "height": 1000})
    page.emulate_media(media="print")

    assert page.evaluate("document.documentElement.scrollWidth") <= _PAPER
    assert page.evaluate(_CUT) == []
    page.emulate_media(media="screen")


@pytest.mark.parametrize("path", ["/", "/hosts"])
def test_paper_says_what_is_old_without_colours(site: MadeUp, page: Page, path: str) -> None:
    go(site, page, f"{path}?q={'host:' if path == '/' else ''}{STALE_HOST}")
    page.emulate_media(media="print")

    row = page.locator("tbody tr", has_text=STALE_HOST)
    expect(row.locator(".old-word")).to_be_visible()
    expect(row.locator(".old-word")).to_have_text("out of date")
    page.emulate_media(media="screen")


def test_a_name_of_64_letters_is_whole_in_its_title_and_on_its_page(site: MadeUp, page: Page) -> None:
    go(site, page, f"/?q=host:{LONG_HOST}")
    expect(page.get_by_role("rowheader", name=LONG_NAME)).to_have_attribute("title", LONG_NAME)

    page.get_by_role("link", name=LONG_NAME).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(LONG_NAME)


def test_chips_count_apart_what_does_not_answer(page: Page) -> None:
    by_word = {one.split()[-2]: int(one.split()[-1]) for one in page.locator(".chips li").all_inner_texts()[1:]}

    # The one that runs there ran when its host was last heard of; and a host that never was has a row too.
    assert by_word["date"] == 2
    assert by_word["running"] == 1
