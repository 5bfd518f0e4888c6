"""The portal's pages in a real Chromium, of a made-up fleet: what is chosen stays, and what changes is shown."""

import re
import time

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from rxmweb.db import actions
from rxmweb.db.actions import Request, Target
from tests.lab.process import end
from tests.portal.made_up import ALICE, FULL, LONG_HOST, LONG_MACHINE, LONG_NAME, MadeUp
from tests.portal.walk import MACHINE, go

expect.set_options(timeout=30_000)


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
def test_a_choice_outlives(made_up: MadeUp, page: Page, way: str) -> None:
    choose(page, "box1", "box3")

    for selector in WAYS[way]:
        page.locator(selector).first.click()
        page.wait_for_load_state()

    expect(page.locator("#chosen")).to_have_text(re.compile("2"))
    if way == "the other language":
        page.goto(f"{made_up.url}/language/en")


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


def test_a_choice_does_not_outlive_going_elsewhere(made_up: MadeUp, page: Page) -> None:
    choose(page, "box1")

    page.get_by_role("link", name="Help").first.click()
    page.get_by_role("link", name="Machines").first.click()

    page.wait_for_url(f"{made_up.url}/")
    assert chosen(page) == 0


def test_two_clicks_are_one_action(made_up: MadeUp, page: Page) -> None:
    choose(page, "box7")
    page.get_by_label("Action").select_option("reboot")
    page.get_by_role("button", name="Go on").click()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    page.locator("#confirm p.buttons button").dblclick()

    page.wait_for_url("**/actions/*")
    assert sent == [f"{made_up.url}/actions"]


# ---- brought up to date


def test_focus_selection_and_scroll_stay_when_the_table_changes(made_up: MadeUp, page: Page) -> None:
    choose(page, "box4")
    page.get_by_label(f"Choose box30 on {FULL}", exact=True).focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#summary'))")
    before = page.evaluate("scrollY")
    assert before > 0

    made_up.full(first="running")

    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name="box0", exact=True))
    expect(row).to_contain_text("running")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == f"Choose box30 on {FULL}"
    assert page.evaluate("scrollY") == before
    assert "rows, page 1" in page.evaluate("getSelection().toString()")
    assert chosen(page) == 1
    made_up.full()


def test_a_hundred_rows_that_change_are_the_same_rows_and_one_that_is_used_stays(made_up: MadeUp, page: Page) -> None:
    page.get_by_label("Filter").fill(f"host:{FULL}")
    page.get_by_role("button", name="Show").click()
    # What is shown until then has ten of them.
    expect(page.locator("tbody tr", has_text=FULL)).to_have_count(100)
    page.evaluate("document.querySelectorAll('tbody tr').forEach(row => { row.known = row.id; })")
    box = page.locator("tbody input[name=target]").nth(50)
    box.check()
    box.focus()

    made_up.full(every="occupied")

    expect(page.locator("tbody .s-occupied")).to_have_count(100)
    rows = "Array.from(document.querySelectorAll('tbody tr'))"
    assert page.evaluate(f"{rows}.filter(row => row.known === row.id).length") == 100
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    made_up.full()


def _asked(made_up: MadeUp) -> str:
    target = Target(LONG_HOST, LONG_MACHINE, LONG_NAME)
    return actions.add(made_up.engine, Request(ALICE, "pause", [target]), "elsewhere")


@pytest.mark.parametrize("path", ["/", "/hosts", MACHINE])
def test_the_header_counts_what_is_at_work_while_a_page_is_open(made_up: MadeUp, page: Page, path: str) -> None:
    count = page.locator("#at-work .count").first
    before = int(count.inner_text().split()[1])
    go(made_up, page, path)
    expect(count).to_contain_text(f"↻ {before}")

    identifier = _asked(made_up)
    expect(count).to_contain_text(f"↻ {before + 1}")

    actions.cancel(made_up.engine, identifier)
    expect(count).to_contain_text(f"↻ {before} ")


def test_how_an_action_stands_is_told_and_not_asked_for_by_the_clock(made_up: MadeUp, browsing: BrowserContext) -> None:
    """The page's clock stands still, by which it would ask: what it shows it has been told."""
    page = browsing.new_page()
    identifier = _asked(made_up)
    page.clock.install()
    page.goto(f"{made_up.url}/actions/{identifier}")
    expect(page.locator("html.script")).to_have_count(1)
    page.clock.pause_at(time.time() + 3600)
    expect(page.locator(".standing")).to_contain_text("queued")

    assert [one["id"] for one in actions.claim(made_up.engine, "elsewhere", 100) if one["id"] == identifier]
    expect(page.locator(".standing")).to_contain_text("running")
    actions.finish(made_up.engine, identifier, "lost")

    expect(page.locator(".standing")).to_contain_text("unknown")
    page.close()


def test_a_host_is_asked_when_its_machine_is_looked_at_and_not_by_the_clock(
    made_up: MadeUp, browsing: BrowserContext
) -> None:
    page = browsing.new_page()
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith(("/devices", "/viewers")) else None)
    go(made_up, page, MACHINE)
    expect(page.locator("#of-disks")).to_be_visible()
    expect(page.locator("#looking ~ p").first).to_contain_text("novak")
    assert len(asked) == 2

    page.clock.fast_forward(300_000)
    with page.expect_response("**/viewers"), page.expect_response("**/devices"):
        # Somebody comes back to it.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    assert len(asked) == 4
    page.close()


def test_an_action_by_keyboard_alone(made_up: MadeUp, page: Page) -> None:
    """From the table to the action: nothing is clicked, and focus is moved by Tab alone."""

    def tab_to(what: str) -> None:
        for _ in range(150):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", what):
                return
        raise AssertionError(f"Tab does not lead to {what}")

    page.goto(f"{made_up.url}/?q=host:{FULL}+name:box9")
    tab_to("tbody input[name=target]")
    page.keyboard.press("Space")
    tab_to("#verb")
    page.keyboard.type("Pause")
    tab_to(".bulk button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm")
    tab_to("#reason")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")

    page.wait_for_url("**/actions/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pause")
    expect(page.locator("main")).to_contain_text("by keyboard")


@pytest.mark.parametrize("path", ["/", MACHINE, "/hosts", f"/hosts/{LONG_HOST}", "/actions", "/actions/ACTION"])
def test_a_page_whose_server_is_gone_says_since_when_and_counts_on(
    made_up: MadeUp, browsing: BrowserContext, path: str
) -> None:
    page = browsing.new_page()
    page.clock.install()
    page.route("**/live", lambda route: route.abort())
    go(made_up, page, path)
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


def test_a_server_that_is_back_is_heard_of_again(made_up: MadeUp, browsing: BrowserContext) -> None:
    page = browsing.new_page()
    page.clock.install()
    page.goto(f"{made_up.url}/")
    expect(page.locator("html.script")).to_have_count(1)
    end(made_up.portal.server)
    page.clock.fast_forward(60_000)
    expect(page.locator("#touch")).to_contain_text("Out of touch since")

    made_up.portal.restart_server()
    for _ in range(10):
        page.clock.fast_forward(10_000)

    expect(page.locator("#touch")).to_be_hidden()
    page.close()


def test_a_session_that_has_ended_is_said(made_up: MadeUp, playwright: Playwright) -> None:
    context = made_up.enter(playwright)
    page = context.new_page()
    page.goto(f"{made_up.url}/")
    expect(page.locator("html.script")).to_have_count(1)
    token = next(one["value"] for one in context.cookies() if one["name"] == "rxmweb")

    made_up.end_session(token)

    expect(page.locator("#touch")).to_contain_text("Your session has ended")
    expect(page.get_by_role("link", name="Sign on again")).to_be_visible()
    if context.browser is not None:
        context.browser.close()


def test_a_name_of_64_letters_is_whole_in_its_title_and_on_its_page(made_up: MadeUp, page: Page) -> None:
    go(made_up, page, f"/?q=host:{LONG_HOST}")
    expect(page.get_by_role("rowheader", name=LONG_NAME)).to_have_attribute("title", LONG_NAME)

    page.get_by_role("link", name=LONG_NAME).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text(LONG_NAME)


def test_chips_count_apart_what_does_not_answer(page: Page) -> None:
    by_word = {one.split()[-2]: int(one.split()[-1]) for one in page.locator(".chips li").all_inner_texts()[1:]}

    # The one that runs there ran when its host was last heard of; and a host that never was has a row too.
    assert by_word["date"] == 2
    assert by_word["running"] == 1
