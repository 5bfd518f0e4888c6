"""The portal in Chromium over two real hosts: a live migration, seen while it is under way."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import PASSWORD
from tests.hypervisor.conftest import Lab
from tests.lab.clients.browser import browser, why_not
from tests.lab.portal.portal import Portal

# A page on a machine with much to do is late, and no less right.
expect.set_options(timeout=30_000)

SECOND = "hv2.xman.test"
_TRIES = 5


def migrate(page: Page, url: str, name: str) -> None:
    """Ask for a migration to the second host, from the machine's page."""
    for _ in range(_TRIES):
        answer = page.goto(f"{url}/?q=name:{name}")
        if answer is not None and answer.status != 401:
            break
    page.get_by_role("link", name=name, exact=True).click(timeout=30_000)
    page.get_by_role("button", name="Migrate").click()
    page.get_by_label("Destination host").fill(SECOND)
    page.get_by_role("button", name="Migrate").click()


def test_migrate_with_progress_and_abort(lab: Lab, tmp_path: Path) -> None:
    if reason := why_not(lab.realm):
        pytest.skip(reason)
    guest = lab.boot("batch-seen")  # of those that the hosts' `state` is about
    alice = lab.realm.kinit("alice", PASSWORD, "portal", "-f")
    portal = Portal(
        lab.realm,
        tmp_path / "portal",
        hosts=(lab.first.name, SECOND),
        port=lab.xmand.port,
        name=lab.first.name,
        env={"KRB5CCNAME": lab.alice["KRB5CCNAME"]},
        prefix=lab.first.prefix,
        listen=lab.first.address,
    )
    assert lab.first.virsh("migrate-setspeed", guest.name, "1").status == 0
    try:
        with (
            sync_playwright() as playwright,
            browser(playwright, lab.realm, tmp_path / "alice", alice, prefix=lab.first.prefix) as opened,
        ):
            page = opened.pages[0]
            migrate(page, portal.url, guest.name)

            expect(page.locator(".standing")).to_contain_text("running")
            expect(page.locator("progress")).to_be_visible(timeout=60_000)
            expect(page.locator(".progress")).to_contain_text("MiB left")
            under_way = page.url
            page.get_by_role("button", name="Abort the migration").click()
            expect(page.locator(".standing")).to_contain_text("done", timeout=30_000)
            page.goto(under_way)
            expect(page.locator(".standing")).to_contain_text("failed", timeout=30_000)
            expect(page.get_by_role("button", name="Abort the migration")).to_have_count(0)

            migrate(page, portal.url, guest.name)
            lab.first.virsh("migrate-setspeed", guest.name, "1000")
            expect(page.locator(".standing")).to_contain_text("done", timeout=90_000)

            page.goto(f"{portal.url}/?q=name:{guest.name}")
            expect(page.locator("tbody tr")).to_contain_text(SECOND, timeout=30_000)
    finally:
        portal.stop()
        lab.rxm_second("destroy", guest.name)
        lab.rxm_second("delete", guest.name)
    assert "Traceback" not in portal.said()
