"""`make screenshots`: the pictures of the portal in docs/, of a fleet that is made up, in a real browser."""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright
from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import fleet, report
from rxmweb.db.report import Report
from tests.lab.clients.browser import browser, why_not
from tests.lab.kerberos.realm import Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import ROOT, end
from xman import outcome, states

_FOLDER = ROOT / "docs"
_HOSTS = [f"skirit{number}.example.org" for number in range(60, 80)]
_DOMAINS = 4
_SILENT, _UNREACHED, _SERVICED, _DESKTOP = _HOSTS[2], _HOSTS[5], _HOSTS[7], _HOSTS[1]
_PEOPLE = ("alice", "bob", "xnovak12", "dana")
_TRIES = 5


def made_up(engine: Engine, now: float) -> None:
    """Fill the tables with a fleet: the same one each time, but for the hour."""
    dice = random.Random(2007)  # a picture
    fleet.configure(engine, _HOSTS, {"Brno": _HOSTS[:12], "Plzeň": _HOSTS[12:]})
    lines = [_line(dice, host, now) for host in _HOSTS if host != _UNREACHED]
    fleet.take(engine, [report.read(line) for line in lines if _SILENT not in line], now)
    fleet.take(engine, [report.read(line) for line in lines if _SILENT in line], now - 720)
    why = "nothing listens on port 4373: is xmand running?"
    fleet.take(engine, [Report(_SILENT, outcome.UNREACHABLE, why)], now)
    fleet.take(engine, [Report(_UNREACHED, outcome.UNREACHABLE, "no answer in time.")], now)
    for minute in range(0, 1440, 5):
        if not 500 < minute < 560:
            used = {
                "uuid": _uuid(0, 0),
                "cpu_seconds": minute * 60 * 3.2 + dice.random() * 400,
                "memory_rss": int((4 + dice.random()) * 2**30),
            }
            counted = {"rx_octets": minute**2 * 20_000, "tx_octets": minute * 90_000_000}
            sample = report.sample(used | {"interfaces": [counted]}) | {"host": _HOSTS[0]}
            fleet.add_samples(engine, [sample], now - 86400 + minute * 60)


def _uuid(host: int, number: int) -> str:
    return f"{host:08x}-0000-4000-8000-{number:012x}"


def _line(dice: random.Random, host: str, now: float) -> str:
    place = _HOSTS.index(host)
    domains = [_domain(dice, place, number, now) for number in range(_DOMAINS)]
    result: dict[str, object] = {"host_id": host, "domains": domains}
    if host == _DESKTOP:
        facts = {"name": "desktop", "state": "running", "id": 7, "cpu_seconds": 4711.0}
        kept = ("uuid", "memory", "max_memory", "vcpus", "max_vcpus")
        other = domains.pop()
        result["others"] = [{key: other[key] for key in kept} | facts]
    if host == _SERVICED:
        result["maintenance"] = {"reason": "new disks", "by": "dana@EXAMPLE.ORG", "since": _at(now - 5400)}
    about = {"xman": 1, "verb": "state", "ok": True, "changed": False, "ms": 3}
    return json.dumps(about | {"host": host, "at": _at(now), "result": result})


def _domain(dice: random.Random, place: int, number: int, now: float) -> dict[str, object]:
    state = states.RUNNING if place == number == 0 else dice.choice(states.STATES)
    jobs = []
    if state in (states.RUNNING, states.RUNNING_PREEMPTIBLE, states.PREEMPTED):
        soft = state != states.RUNNING
        jobs = [
            {
                "id": str(dice.randrange(4000, 5000)),
                "owner": f"{dice.choice(_PEOPLE)}@EXAMPLE.ORG",
                "cpus": 4,
                "preemptible": soft,
                "start": _at(now - dice.randrange(600, 90_000)),
                "preempted": 0,
            }
            for _ in range(dice.choice((1, 1, 2)))
        ]
    parked = state in (states.FREE, states.OCCUPIED, states.OCCUPIED_WOULD_PREEMPT, states.PREEMPTED)
    return {
        "name": f"{_HOSTS[place].partition('.')[0]}-{number + 1}",
        "uuid": _uuid(place, number),
        "state": state,
        "jobs": jobs,
        "priority": "priority" if number == 1 else "normal",
        "since": _at(now - dice.randrange(100, 200_000)),
        "started": _at(now - 300_000),
        "memory": (160 << 20) if parked else 8 << 30,
        "max_memory": 8 << 30,
        "vcpus": 1 if parked else 8,
        "max_vcpus": 8,
        "labels": {"course": "os1"} if number == 0 else {},
    }


def _at(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _take(context: BrowserContext, url: str, name: str) -> None:
    page = context.pages[0]
    for _ in range(_TRIES):
        answer = page.goto(url)
        if answer is not None and answer.status != 401:
            break
    if name.startswith("confirm"):
        for number in (0, 1):
            page.locator("input[name=target]").nth(number).check()
        page.locator("#verb").select_option("shutdown")
        page.locator(".bulk button").first.click()
    page.screenshot(path=_FOLDER / f"{name}.png")
    print(f"docs/{name}.png")


def main() -> None:
    """Take them all."""
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="xman-pictures-") as name, sync_playwright() as playwright:
        directory = Path(name)
        realm = Realm(directory)
        try:
            if reason := why_not(realm):
                sys.exit(f"screenshots: {reason}")
            realm.add_principal("alice", "alice")
            alice = realm.kinit("alice", "alice", "alice", "-f")
            # The worker would take away hosts that are not configured.
            portal = Portal(realm, directory / "portal", hosts=(), port=4373, interval=60)
            try:
                end(portal.worker)
                engine = db.open_store(portal.database)
                made_up(engine, time.time())
                machine = f"/hosts/{_HOSTS[0]}/machines/{_uuid(0, 0)}"
                with browser(playwright, realm, directory / "en", alice, height=720) as opened:
                    _take(opened, f"{portal.url}/", "table")
                    _take(opened, f"{portal.url}{machine}", "machine")
                    _take(opened, f"{portal.url}/?state=running", "confirmation")
                with browser(
                    playwright, realm, directory / "cs", alice, height=720, language="cs", scheme="dark"
                ) as opened:
                    _take(opened, f"{portal.url}/", "czech-dark")
                engine.dispose()
            finally:
                portal.stop()
        finally:
            realm.stop()


if __name__ == "__main__":
    main()
