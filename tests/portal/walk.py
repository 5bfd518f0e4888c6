"""Every page of the portal that one can look at, and how a browser comes to it."""

from collections.abc import Callable
from typing import NamedTuple

from playwright.sync_api import Page, expect

from tests.portal.made_up import LAB, LONG_HOST, LONG_MACHINE, STALE_HOST, MadeUp

MACHINE = f"/machines/{LONG_MACHINE}?host={LONG_HOST}"
AT = f"/hosts/{LONG_HOST}/machines/{LONG_MACHINE}"
# Every page that one can look at, of a path; those that a form leads to, of a word (`WORDS`) and what is chosen there.
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
    f"/hosts/{LONG_HOST}/ask/info",
    f"/hosts/{LONG_HOST}/ask/log",
    f"{AT}/events",
    f"{AT}/console",
    f"{AT}/screen",
    f"{AT}/devices",
    f"/laboratories/{LAB}",
    "/profiles",
    "/create",
    "/images",
    "/launch",
    "/delegation",
    "/session",
    "/help",
    "/no-such-page",
    "/sign-on",
    "/terminal?again=yes",
    "/terminal/screen",
    "CONFIRM migrate",
    "CONFIRM mem-set",
    "PART block-attach",
    "TRY create",
    "TRY launch",
    "SIGN off",
)


def _confirm(made_up: MadeUp, page: Page, verb: str) -> None:
    page.goto(f"{made_up.url}/?q=host:{LONG_HOST}")
    page.locator("input[name=target]").first.check()
    page.locator("#verb").select_option(verb)
    page.locator(".bulk button").first.click()
    page.wait_for_url("**/confirm")


def _part(made_up: MadeUp, page: Page, verb: str) -> None:
    page.goto(f"{made_up.url}{AT}/devices")
    page.locator(f"button[value={verb}]").first.click()
    page.wait_for_url("**/confirm")


def _try(made_up: MadeUp, page: Page, verb: str) -> None:
    page.goto(f"{made_up.url}/{verb}?host={LONG_HOST}&image=debian.qcow2")
    for name, value in {"name": "vm9", "memory": "2G", "vcpus": "2"}.items():
        page.locator(f"input[name={name}]").first.fill(value)
    page.locator("button.main").first.click()
    expect(page.locator("input[name=really]")).to_have_count(1)


def _sign(made_up: MadeUp, page: Page, _off: str) -> None:
    """Of a session that is there to be ended."""
    kept = page.context.cookies()
    made_up.sign_on(page.context)
    page.goto(f"{made_up.url}/session")
    page.locator("form[action='/sign-off'] button").click()
    page.wait_for_url("**/sign-off")
    page.context.add_cookies([{**one} for one in kept])  # type: ignore[typeddict-item]  # as they were told


class Word(NamedTuple):
    """How a page is come to that no address alone leads to."""

    go: Callable[[MadeUp, Page, str], None]
    # Which views make such pages.
    endpoints: frozenset[str]


WORDS = {
    "CONFIRM": Word(_confirm, frozenset({"actions.confirm"})),
    "PART": Word(_part, frozenset({"devices.confirm"})),
    "TRY": Word(_try, frozenset({"create.dry_run", "launch.dry_run"})),
    "SIGN": Word(_sign, frozenset({"session.sign_off"})),
}
# What the portal serves besides, and why it is no page of its own.
NO_PAGE = {
    "static": "files",
    "status.healthz": "text for a program",
    "status.metrics": "text for a program",
    "guide.description": "JSON for a program",
    "hosts.conditions": "JSON for a program",
    "viewer.picture": "a picture",
    "viewer.viewers": "a line of the machine's page",
    "laboratories.first": "leads to the first laboratory",
    "session.language": "leads back",
    "session.sign_on_by_password": "the page of sign-on again, over HTTPS: tests/portal/test_password.py",
    "actions.add": "leads to the action",
    "actions.cancel": "leads to the action",
    "actions.abort_migration": "leads to the action",
    "hosts.decide": "leads to the hosts",
    "hosts.evacuate": "leads to the action",
    "hosts.maintenance": "leads to the action",
    "table.keep_filter": "leads to the table",
    # Both addresses have the same page.
    "machine.machine_on_host": "the machine's page, or leads to it",
}


def go(made_up: MadeUp, page: Page, path: str) -> None:
    """Show one of `PATHS`."""
    word, _space, what = path.partition(" ")
    if what:
        WORDS[word].go(made_up, page, what)
    else:
        page.goto(f"{made_up.url}{path.replace('ACTION', made_up.action)}")
