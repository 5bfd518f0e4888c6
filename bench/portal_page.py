"""The portal's table in a browser: how long one that looks at it waits where a hundred rows have changed."""

import statistics
import time

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine

from bench import portal as fleet_of
from rxmweb.db import fleet, report
from tests.lab.clients.browser import CHROMIUM
from tests.lab.portal.portal import Portal

# Of the hosts whose machines stand on the first page, and a few more; each 20th is dead.
_HOSTS = 15
_PATIENCE_MS = 30_000
# From the answer until the browser has shown it: what it does meanwhile, a click waits for.
_WATCH = """() => {
  window.swapped = {shown: "", took: 0};
  let began = 0;
  document.addEventListener("htmx:beforeSwap", () => { began = performance.now(); });
  document.addEventListener("htmx:afterSettle", () => {
    const shown = document.querySelector("tbody td.n").innerText;
    requestAnimationFrame(() => setTimeout(() => { window.swapped = {shown, took: performance.now() - began}; }, 0));
  });
}"""


def measure(portal: Portal, cookie: str, engine: Engine, quick: bool) -> list[str]:
    """Return the row: what, how much, and the aim."""
    found = []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = started.new_context()
        context.add_cookies([{"name": "rxmweb", "value": cookie, "url": f"http://127.0.0.1:{portal.port}"}])
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(f"http://127.0.0.1:{portal.port}/?q=host:h[1-{_HOSTS}]")
        page.evaluate(_WATCH)
        for number in range(3 if quick else 10):
            found.append(_one(page, engine, number))
        started.close()
    return [
        "100 rows that have changed, in a browser, to the next picture",
        f"{statistics.median(found):.0f} ms, at most {max(found):.0f} ms",
        "200 ms",
    ]


def _one(page: Page, engine: Engine, number: int) -> float:
    """Have all rows of the page change, and return the milliseconds from the answer to what is shown."""
    gibibytes = number + 3
    lines = fleet_of.lines(_HOSTS + 1)[1:]
    said = [line.replace('"memory":1073741824', f'"memory":{gibibytes << 30}') for line in lines]
    fleet.take(engine, [report.read(line) for line in said], time.time())
    page.wait_for_function("text => window.swapped.shown.startsWith(text)", arg=str(gibibytes))
    milliseconds: float = page.evaluate("window.swapped.took")
    return milliseconds
