"""Every page in a real Chromium, of a made-up fleet: nobody is left out, whatever the screen, language and rights."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from werkzeug.exceptions import NotFound

from rxmweb.settings import Settings
from rxmweb.web.app import create_app
from tests.portal.made_up import FULL, LAB, LONG_HOST, STALE_HOST, MadeUp
from tests.portal.walk import AT, MACHINE, NO_PAGE, PATHS, WORDS, go
from tests.tools import soak

expect.set_options(timeout=30_000)

WIDTHS = (320, 390, 768, 1600)
LANGUAGES = ("en", "cs")
SCHEMES = ("light", "dark")


def test_every_page_is_among_those_that_are_walked(tmp_path: Path, made_up: MadeUp) -> None:
    urls = create_app(Settings(run_dir=str(tmp_path)), made_up.engine).url_map
    found = set[str]()
    for path in PATHS:
        if (word := path.partition(" ")[0]) in WORDS:
            found |= WORDS[word].endpoints
            continue
        try:
            endpoint, _values = urls.bind("localhost").match(path.partition("?")[0])
        except NotFound:
            continue
        found.add(str(endpoint))

    every = {rule.endpoint for rule in urls.iter_rules()}
    # The page of an answer is one, whatever is asked.
    assert found | NO_PAGE.keys() == every
    assert found & NO_PAGE.keys() == set()


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


# The words of buttons in tables that are higher than they are wide.
_TALL = """() => Array.from(document.querySelectorAll("td .verbs button"))
  .filter((one) => one.offsetHeight > one.offsetWidth).map((one) => one.textContent)"""


@pytest.mark.parametrize("path", PATHS)
def test_no_page_violates_accessibility_or_is_wider_than_the_screen(made_up: MadeUp, page: Page, path: str) -> None:
    wrong = []
    for one, width, language, scheme in _combinations():
        if one != path:
            continue
        page.context.add_cookies([{"name": "language", "value": language, "url": made_up.url}])
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        go(made_up, page, path)
        found = Axe().run(page)
        if found.violations_count:
            wrong.append(f"{width} {language} {scheme}: {found.generate_report()}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{width} {language} {scheme}: {wide} px wide")
        if tall := page.evaluate(_TALL):
            wrong.append(f"{width} {language} {scheme}: a letter a line: {tall}")
        if page.locator("html").get_attribute("lang") != language:
            wrong.append(f"{width} {language} {scheme}: in another language")
    page.context.add_cookies([{"name": "language", "value": "en", "url": made_up.url}])
    assert not wrong, "\n".join(wrong)


# A machine's name that is higher than it is wide, and a table that goes on beyond the screen.
_UNSEEN = """() => Array.from(document.querySelectorAll(".fleet tbody th, .results tbody th"))
  .filter((one) => one.offsetHeight > one.offsetWidth).map((one) => one.textContent).concat(
    Array.from(document.querySelectorAll(".scroll")).filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => `${one.scrollWidth} of ${one.clientWidth} px`))"""


@pytest.mark.parametrize("width", [1024, 1280, 1600])
@pytest.mark.parametrize(
    "path",
    [
        "CONFIRM migrate",
        "PART block-attach",
        f"/hosts/{LONG_HOST}/evacuation",
        "/actions/ACTION",
        "/actions",
        "/images",
    ],
)
def test_which_machines_are_meant_is_seen_at_once(made_up: MadeUp, page: Page, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})

    go(made_up, page, path)

    assert page.evaluate(_UNSEEN) == []


def test_a_host_with_many_machines_beside_it_is_named_where_they_begin(made_up: MadeUp, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})

    go(made_up, page, "/hosts?view=pairs")

    expect(page.get_by_role("link", name=FULL)).to_be_in_viewport()
    expect(page.get_by_role("link", name="box0", exact=True)).to_be_in_viewport()


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


# Each with a narrow and a wide screen where its order differs between them, the others with one of these.
STOPS = {
    **dict.fromkeys(("/", MACHINE, "/hosts", "/actions", "CONFIRM migrate"), (320, 1280)),
    **dict.fromkeys((f"{AT}/devices", f"/laboratories/{LAB}", "/create", "TRY launch"), (320,)),
    **dict.fromkeys(
        ("/profiles", "/images", "/launch", f"/hosts/{LONG_HOST}/evacuation", "PART block-attach"), (1280,)
    ),
}


@pytest.mark.parametrize(("path", "width"), [(path, width) for path, widths in STOPS.items() for width in widths])
def test_every_stop_of_the_tabulator_is_seen_and_in_the_order_of_the_page(
    made_up: MadeUp, page: Page, path: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    go(made_up, page, path)
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


def test_who_only_looks_at_a_console_is_not_kept_in_it(made_up: MadeUp, page: Page) -> None:
    go(made_up, page, f"{AT}/console")
    page.locator("#terminal textarea").focus()

    page.keyboard.press("Shift+Tab")
    expect(page.locator("#terminal textarea")).not_to_be_focused()
    page.locator("#terminal textarea").focus()
    page.keyboard.press("Tab")

    expect(page.locator("#terminal textarea")).not_to_be_focused()


# A4 without its margins, in pixels of 1/96 inch.
_PAPER = 718
_CUT = """() => Array.from(document.querySelectorAll("main td, main th, main dd, main h1"))
  .filter(one => one.offsetWidth && !one.matches(".unseen") && (one.getBoundingClientRect().right > innerWidth + 1
    || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"))
  .map(one => one.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("path", PATHS)
def test_paper_cuts_nothing_off(made_up: MadeUp, page: Page, path: str) -> None:
    go(made_up, page, path)
    page.set_viewport_size({"width": _PAPER, "height": 1000})
    page.emulate_media(media="print")

    assert page.evaluate("document.documentElement.scrollWidth") <= _PAPER
    assert page.evaluate(_CUT) == []
    page.emulate_media(media="screen")


@pytest.mark.parametrize("path", ["/", "/hosts"])
def test_paper_says_what_is_old_without_colours(made_up: MadeUp, page: Page, path: str) -> None:
    go(made_up, page, f"{path}?q={'host:' if path == '/' else ''}{STALE_HOST}")
    page.emulate_media(media="print")

    row = page.locator("tbody tr", has_text=STALE_HOST)
    expect(row.locator(".old-word")).to_be_visible()
    expect(row.locator(".old-word")).to_have_text("out of date")
    page.emulate_media(media="screen")
