"""The pages of laboratories and of profiles, on made-up hosts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect
from sqlalchemy import Engine

from rxmweb.db import fleet, laboratories, report
from rxmweb.web import offers
from tests.portal.made_up import BOB, LAB, SERVICED, MadeUp
from tests.portal.reports import UUID, domain, failure, line

expect.set_options(timeout=30_000)
PROFILE = f"{UUID[:24]}{21:012d}"


@pytest.fixture(scope="module")
def alice(made_up: MadeUp, playwright: Playwright) -> Iterator[BrowserContext]:
    """The browser of who sees and may all."""
    context = made_up.enter(playwright)
    yield context
    if context.browser is not None:
        context.browser.close()


@pytest.fixture
def page(alice: BrowserContext) -> Iterator[Page]:
    """A page in alice's browser."""
    opened = alice.new_page()
    yield opened
    opened.close()


def told(made_up: MadeUp, context: BrowserContext, path: str) -> Any:
    """Return what a program is told at an address."""
    answer = context.request.get(f"{made_up.url}{path}", headers={"Accept": "application/json"})
    assert answer.status == 200, answer.text()
    return json.loads(answer.text())


def report_of(made_up: MadeUp, *changed: dict[str, Any]) -> None:
    """Have the laboratory's host report, some of its machines otherwise than before."""
    profile = domain("win", 21, "running", profile=True, labs=[LAB, "stats"], administrator="alice@XMAN.TEST")
    client = {"from": PROFILE, "discard": True}
    rows = [profile, domain("win1", 22, "free", given=f"term01.{LAB}.example.org", **client)]
    rows.append(domain("win2", 23, "down-bootable", **client))
    by_name = {row["name"]: row for row in rows} | {row["name"]: row for row in changed}
    fleet.take(made_up.engine, [report.read(line(SERVICED, *by_name.values()))])


def test_a_laboratory_has_a_row_for_each_terminal_and_machine(made_up: MadeUp, alice: BrowserContext) -> None:
    report_of(made_up)

    found = told(made_up, alice, f"/laboratories/{LAB}")

    rows = [
        (row["terminal"].partition(".")[0], row["state"], row["machine"] and row["machine"]["name"])
        for row in found["terminals"]
    ]
    assert rows == [("term01", "ready", "win1"), ("term02", "failed", None), ("term03", None, None)]
    assert [row["name"] for row in found["machines"]] == ["win2"]
    assert found["laboratories"] == [LAB, "stats"]


def test_a_machine_that_was_started_anew_is_its_terminals_no_more(made_up: MadeUp, alice: BrowserContext) -> None:
    report_of(made_up, domain("win1", 22, "down-bootable", **{"from": PROFILE}, discard=True))

    found = told(made_up, alice, f"/laboratories/{LAB}")

    assert found["terminals"][0]["machine"] is None
    assert [row["name"] for row in found["machines"]] == ["win1", "win2"]


def test_all_that_run_are_restarted_together_once_that_is_confirmed(made_up: MadeUp, page: Page) -> None:
    report_of(made_up)
    page.goto(f"{made_up.url}/laboratories/{LAB}")

    page.get_by_role("button", name="Restart all (1)").click()

    expect(page.locator("h1")).to_have_text("Reboot: 1 machine")
    expect(page.locator("tbody th")).to_have_text("win1")
    page.get_by_role("link", name="Leave it").click()
    expect(page.locator("h1")).to_have_text(f"Laboratory {LAB}")
    page.get_by_role("button", name="Start all that are off (1)").click()
    expect(page.locator("tbody th")).to_have_text("win2")
    expect(page.get_by_text("Shut its clients down first")).to_have_count(0)


def test_the_page_hears_of_a_change(made_up: MadeUp, page: Page) -> None:
    report_of(made_up)
    page.goto(f"{made_up.url}/laboratories/{LAB}")
    row = page.locator("tr", has_text="win2")
    expect(row.locator(".s-down-bootable")).to_have_count(1)

    report_of(made_up, domain("win2", 23, "free", **{"from": PROFILE}, discard=True))

    expect(row.locator(".s-free")).to_have_count(1)


def test_a_profile_says_for_whom_it_is_and_who_changes_it(made_up: MadeUp, alice: BrowserContext, page: Page) -> None:
    report_of(made_up)

    (found,) = told(made_up, alice, "/profiles")["profiles"]

    assert (found["name"], found["labs"], found["capacity"]) == ("win", [LAB, "stats"], 40 << 30)
    assert (found["running"], found["off"], found["administrator"]) == (1, 1, "alice@XMAN.TEST")
    page.goto(f"{made_up.url}/profiles")
    row = page.locator("tbody tr")
    expect(row).to_contain_text("alice")
    expect(row.get_by_role("button")).to_have_text(["End the change …"])


def test_a_profile_that_is_off_is_changed_cloned_and_gets_clients(made_up: MadeUp, page: Page) -> None:
    report_of(made_up, domain("win", 21, "down-bootable", profile=True, labs=[LAB]))
    page.goto(f"{made_up.url}/profiles")

    buttons = page.locator("tbody tr").get_by_role("button")

    expect(buttons).to_have_text(["Change it …", "New client …", "Clone …"])
    buttons.nth(1).click()
    page.get_by_label("Name of the client").fill("win9")
    expect(page.locator("h1")).to_have_text("New client: 1 machine")


def test_who_sees_own_machines_only_sees_neither(made_up: MadeUp, playwright: Playwright) -> None:
    context = made_up.enter(playwright, principal=BOB)
    try:
        for path in (f"/laboratories/{LAB}", "/laboratories", "/profiles"):
            assert context.request.get(f"{made_up.url}{path}", max_redirects=0).status == 404
        assert "/profiles" not in context.request.get(f"{made_up.url}/").text()
    finally:
        assert context.browser is not None
        context.browser.close()


def test_a_laboratory_that_nobody_has_is_not_there(made_up: MadeUp, alice: BrowserContext) -> None:
    assert alice.request.get(f"{made_up.url}/laboratories/none").status == 404


def test_sizes_are_kept_of_hosts_that_said_them(engine: Engine) -> None:
    fleet.configure(engine, ["h1", "h2"], {})
    for host in ("h1", "h2"):
        fleet.take(engine, [report.read(line(host, domain("win", 21, profile=True)))])
    read = report.read_sizes(line("h1", verb="profiles", profiles=[_profile()], labs=[]))
    assert read is not None

    laboratories.note_sizes(engine, [read])
    laboratories.note_sizes(engine, [("h2", {PROFILE: 1}), ("gone", {PROFILE: 1})])

    assert report.read_sizes(failure("h1", 2, "no such verb")) is None
    with engine.connect() as connection:
        found = {row["host"]: row["capacity"] for row in laboratories.profiles(connection)}
        assert laboratories.any_profile(connection)
    assert found == {"h1": 7 << 30, "h2": 1}


def _profile() -> dict[str, Any]:
    return {"profile": "win", "uuid": PROFILE, "labs": [], "capacity": 7 << 30, "state": "shutoff"} | {
        "running": 0,
        "off": 0,
        "clients": [],
    }


def test_only_where_a_profile_is_meant_its_clients_are_asked_about() -> None:
    start = offers.BY_VERB["start"]

    asked = [field.name for field in offers.fields(start, profile=True)]

    assert [field.name for field in offers.fields(start, profile=False)] == []
    assert set(asked) <= {"evict"}
