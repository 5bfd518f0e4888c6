"""`make screenshots`: the pictures of the portal in docs/, of a fleet that is made up, in a real browser."""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, WebSocketRoute, sync_playwright
from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import fleet, laboratories, report, seats
from rxmweb.db.report import Report
from tests.lab.clients.browser import browser, why_not
from tests.lab.kerberos.realm import Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import ROOT, end
from tests.portal.answers import ANSWERS, portal_program
from xman import outcome, states

_FOLDER = ROOT / "docs"
_HOSTS = [f"skirit{number}.example.org" for number in range(60, 80)]
_DOMAINS = 4
_SILENT, _UNREACHED, _SERVICED, _DESKTOP = _HOSTS[2], _HOSTS[5], _HOSTS[7], _HOSTS[1]
_PEOPLE = ("alice", "bob", "xnovak12", "dana")
_TRIES = 5
_LAB, _LAB_HOST = "economy", _HOSTS[9]
_TERMINALS = f'[terminals]\n"term[01-04].{_LAB}.example.org" = {{ lab = "{_LAB}", profile = "windows" }}\n'
_BEFORE = {"created": "2026-11-21T07:00:00Z", "state": "running", "kind": "internal", "current": False}
_IMAGE = {"pool": "images", "format": "qcow2", "capacity": 4 << 30, "allocation": 1 << 30}
# What hosts answer when a page asks them.
_ANSWERS = ANSWERS | {
    "block-list": ANSWERS["block-list"]
    | {
        "disks": [
            {"target": "vda", "device": "disk", "read_only": False, "source": "/srv/vm/skirit60-1.qcow2"}
            | {"bus": "virtio", "format": "qcow2"},
            {
                "target": "sda",
                "device": "cdrom",
                "read_only": True,
                "source": "/srv/iso/debian-13.1.0.iso",
                "bus": "sata",
            }
            | {"format": "raw"},
        ]
    },
    "snapshot-list": ANSWERS["snapshot-list"]
    | {
        "snapshots": [
            _BEFORE | {"snapshot": "installed", "description": "Debian 13, nothing else"},
            _BEFORE | {"snapshot": "before-upgrade", "current": True, "description": "all packages of October"},
        ]
    },
    "images": ANSWERS["images"]
    | {
        "images": [
            _IMAGE | {"image": "debian-13.qcow2", "title": "Debian 13, with cloud-init", "least_memory": 512 << 20},
            _IMAGE | {"image": "rocky-10.qcow2", "title": "Rocky Linux 10", "capacity": 10 << 30},
        ]
    },
}
_BOOT = (
    "[    2.114870] EXT4-fs (vda1): mounted filesystem r/w with ordered data mode.\r\n"
    "[  \x1b[32mOK\x1b[0m  ] Reached target \x1b[1mmulti-user.target\x1b[0m - Multi-User System.\r\n\r\n"
    "Debian GNU/Linux 13 skirit60-1 ttyS0\r\n\r\nskirit60-1 login: "
)


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

    _rooms(engine, dice, now)
    _laboratory(engine, now)


def _rooms(engine: Engine, dice: random.Random, now: float) -> None:
    """Let hosts say what room they have."""
    for minute in range(1440, -1, -30):
        said = [
            {"on": host, "new_memory": 256 << 30, "new_memory_free": dice.randrange(8, 200) << 30, "new_cpus": 64}
            | {"new_load": dice.randrange(10, 600) / 10}
            for host in _HOSTS
            if host not in (_SILENT, _UNREACHED)
        ]
        fleet.note_rooms(engine, said, now - 60 * minute)


def _laboratory(engine: Engine, now: float) -> None:
    """Let a host have a profile and its clients, and three of four terminals a machine."""
    place = _HOSTS.index(_LAB_HOST)
    profile = _domain(random.Random(1), place, 10, now) | {"name": "windows", "state": "down-bootable", "jobs": []}
    profile |= {"profile": True, "labs": [_LAB]}
    clients = [
        _domain(random.Random(1), place, 11 + number, now)
        | {"name": f"windows-{number + 1}", "state": "free" if number < 3 else "down-bootable", "jobs": []}
        | {"from": profile["uuid"], "discard": True, "memory": 4 << 30, "labels": {}}
        | ({"given": f"term0{number + 1}.{_LAB}.example.org"} if number < 3 else {})
        for number in range(5)
    ]
    result = {"host_id": _LAB_HOST, "domains": [profile, *clients]}
    about = {"xman": 1, "verb": "state", "ok": True, "changed": False, "ms": 3}
    line = json.dumps(about | {"host": _LAB_HOST, "at": _at(now), "result": result})
    fleet.take(engine, [report.read(line)], now)
    laboratories.note_sizes(engine, [(_LAB_HOST, {str(profile["uuid"]): 40 << 30})])
    for number, client in enumerate(clients[:3]):
        name = f"term0{number + 1}.{_LAB}.example.org"
        seats.begin(engine, name, f"host/{name}@XMAN.TEST", now, proved=True)
        had = {"host": _LAB_HOST, "uuid": client["uuid"], "machine": client["name"], "since": now - 3000 * (number + 1)}
        seats.note(engine, name, state=seats.READY, **had)


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


def _prints(socket: WebSocketRoute) -> None:
    """Stand for a machine's console."""
    socket.send(json.dumps({"open": True}))
    socket.send(_BOOT.encode())


def _take(context: BrowserContext, url: str, name: str) -> None:
    page = context.pages[0]
    page.route_web_socket("**/streams/console/**", _prints)
    for _ in range(_TRIES):
        answer = page.goto(url)
        if answer is not None and answer.status != 401:
            break
    if name.startswith("confirm"):
        for number in (0, 1):
            page.locator("input[name=target]").nth(number).check()
        page.locator("#verb").select_option("shutdown")
        page.locator(".bulk button").first.click()
    if name == "console":
        page.get_by_text("login:").first.wait_for()
    if name == "snapshots":
        page.locator("#of-snapshots").wait_for()
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
            portal = Portal(
                realm,
                directory / "portal",
                hosts=(),
                port=4373,
                interval=60,
                tables=_TERMINALS,
                program=portal_program(directory / "bin", (_SILENT, _UNREACHED), _ANSWERS),
            )
            try:
                end(portal.worker)
                engine = db.open_store(portal.database)
                made_up(engine, time.time())
                machine = f"/hosts/{_HOSTS[0]}/machines/{_uuid(0, 0)}"
                with browser(playwright, realm, directory / "en", alice, height=720) as opened:
                    _take(opened, f"{portal.url}/", "table")
                    _take(opened, f"{portal.url}{machine}", "machine")
                    _take(opened, f"{portal.url}/?state=running", "confirmation")
                    _take(opened, f"{portal.url}/hosts?sort=-free", "hosts")
                    _take(opened, f"{portal.url}/hosts/{_SERVICED}/evacuation", "evacuation")
                    _take(opened, f"{portal.url}{machine}/devices", "snapshots")
                    _take(opened, f"{portal.url}{machine}/console", "console")
                    _take(opened, f"{portal.url}/images", "images")
                with browser(
                    playwright, realm, directory / "cs", alice, height=720, language="cs", scheme="dark"
                ) as opened:
                    _take(opened, f"{portal.url}/", "czech-dark")
                    _take(opened, f"{portal.url}/laboratories/{_LAB}", "laboratory")
                engine.dispose()
            finally:
                portal.stop()
        finally:
            realm.stop()


if __name__ == "__main__":
    main()
