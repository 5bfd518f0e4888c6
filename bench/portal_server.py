"""The portal as it is run, with 2,000 hosts and 20,000 domains.

What a browser waits for while the collector writes, what goes over the wire, and what open pages cost while nothing
changes.
"""

import asyncio
import gzip
import http.client
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, insert

from bench import portal as fleet_of
from bench import portal_page
from rxmweb import db
from rxmweb.db import fleet, report, rights, schema, sessions
from rxmweb.settings import load, portal_name
from rxmweb.tickets import Tickets
from tests.lab.kerberos.realm import Realm
from tests.lab.portal.portal import Portal
from tests.lab.portal.postgres import Postgres
from tests.lab.process import end

STORES = ("SQLite", "PostgreSQL")
_MACHINE = "00000001-0000-4000-8000-000000000000"
PATHS = (
    "/",
    "/?page=50",
    "/?sort=-memory",
    "/?q=owner:u7",
    "/?state=running",
    "/hosts",
    "/hosts?page=2",
    "/hosts?view=pairs",
    "/hosts/h1",
    f"/machines/{_MACHINE}?host=h1",
    "/actions",
    "/actions?who=u7",
    "/profiles",
    "/help",
    "/session",
    # These are for who has a ticket.
    "/create",
    "/launch",
    "/hosts/h1/evacuation",
    # A form: what asks back before a machine moves.
    f"/confirm verb=migrate&target=h1/{_MACHINE}",
)
# What people have asked for in the past, of which every third went wrong.
_ACTIONS = 20_000
# A round of 2,000 hosts is written in this time, as those answer one after another: hosts are asked once a minute.
_ROUND_SECONDS = 30.0
_OPEN_PAGES = 1000
_OF_A_SESSION = 12
_WATCHED_SECONDS = 20.0


def measure(store: str, quick: bool) -> list[list[str]]:
    """Return the rows for one kind of database: what, how much, and the aim."""
    with tempfile.TemporaryDirectory(prefix="xman-bench-portal") as name:
        realm = Realm(Path(name))
        server = Postgres() if store == "PostgreSQL" else None
        try:
            return _measure(realm, Path(name), server.new_database() if server else "", quick)
        finally:
            if server:
                server.stop()
            realm.stop()


def _measure(realm: Realm, directory: Path, database: str, quick: bool) -> list[list[str]]:
    portal = Portal(realm, directory / "portal", hosts=(), port=4373, database=database, interval=60)
    end(portal.worker)
    engine = db.open_store(portal.database)
    try:
        fleet.configure(engine, [f"h{number}" for number in range(fleet_of.HOSTS)], {})
        fleet_of.take(engine, fleet_of.lines(fleet_of.HOSTS))
        _past(engine)
        settings = load(str(portal.config))
        name, path = Tickets(settings).new()
        path.write_text("ticket")
        cookies = []
        for number in range(-(-_OPEN_PAGES // _OF_A_SESSION)):
            token, session = sessions.begin(engine, f"u{number}@R", portal_name(settings), name, "", 36000)
            rights.keep(engine, session.id, {}, own=frozenset())
            cookies.append(token)
        rows = [_polled(portal, cookies[0], 100 if quick else 500)]
        rows.append(_watched(portal, cookies, quick))
        rows.append(portal_page.measure(portal, cookies[0], engine, quick))
        with _collecting(portal.database):
            return [*_pages(portal, cookies[0], 10 if quick else 40), *rows]
    finally:
        engine.dispose()
        portal.stop()


def _past(engine: Engine) -> None:
    """Let hosts have said what room they have, and people have asked for much."""
    now = time.time()
    rooms = [
        {"on": f"h{number}", "new_memory": 64 << 30, "new_memory_free": number << 24, "new_cpus": 16, "new_load": 0.5}
        for number in range(fleet_of.HOSTS)
    ]
    fleet.note_rooms(engine, rooms, now)
    targets = [{"host": f"h{number % 2000}", "uuid": _MACHINE, "name": "vm"} for number in range(_ACTIONS)]
    asked = [
        {
            "id": f"{number:016x}",
            "principal": f"u{number % 300}@R",
            "portal": "elsewhere",
            "verb": "pause",
            "reason": "",
        }
        | {"words": '["pause", "--", "h:u"]', "targets": json.dumps([target]), "created": now - 3 * number}
        | {"state": "done" if number % 3 else "failed", "ended": now - 3 * number, "progress": ""}
        for number, target in enumerate(targets)
    ]
    ended = [
        {"action": one["id"], "position": 0, "ok": one["state"] == "done", "changed": True, "code": 0, "message": ""}
        | target
        for one, target in zip(asked, targets, strict=True)
    ]
    with engine.begin() as connection:
        connection.execute(insert(schema.actions), asked)
        connection.execute(insert(schema.results), ended)


def _pages(portal: Portal, cookie: str, each: int) -> list[list[str]]:
    rows, everything, dice = [], [], random.Random(1)
    token = json.loads(_answer(portal, cookie, "/session", Accept="application/json")[2])["csrf_token"]
    for path in PATHS:
        first, size = [], 0
        for _ in range(each):
            # Not in step with the collector: most of these find something new, and are made anew.
            time.sleep(dice.uniform(0.1, 0.5))
            address, _blank, form = path.partition(" ")
            seconds, size, _body = _answer(portal, cookie, address, f"{form}&csrf={token}" if form else "")
            first.append(1000 * seconds)
        everything += first
        rows.append([path, f"{_spread(first)}, {size / 1024:.0f} KiB", "100 and 250 ms, 60 KiB"])
    return [*rows, ["all of these", _spread(everything), "100 and 250 ms"]]


def _spread(milliseconds: list[float]) -> str:
    ordered = sorted(milliseconds)
    return f"{statistics.median(ordered):.0f} ms, 95th {ordered[int(0.95 * (len(ordered) - 1))]:.0f} ms"


def _answer(portal: Portal, cookie: str, path: str, form: str = "", **headers: str) -> tuple[float, int, bytes]:
    """Return the seconds to the first octet of an answer, how many octets it has on the wire, and those."""
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=60)
    sent = {"Cookie": f"rxmweb={cookie}", "Accept-Encoding": "gzip", "Accept": "text/html"}
    try:
        connection.connect()
        began = time.perf_counter()
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        if form:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST" if form else "GET", path, form or None, sent)
        answer = connection.getresponse()
        seconds = time.perf_counter() - began
        body = answer.read()
        if answer.status not in (200, 304):
            raise RuntimeError(f"{path}: {answer.status}")
        _answer.etag = answer.headers.get("ETag", "")  # type: ignore[attr-defined]
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return seconds, len(body), gzip.decompress(body) if packed else body
    finally:
        connection.close()


def _polled(portal: Portal, cookie: str, times: int) -> list[str]:
    """Return what a poll costs the server that finds nothing new."""
    _answer(portal, cookie, "/", HX_Request="true")
    etag = _answer.etag  # type: ignore[attr-defined]
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=60)
    headers = {"Cookie": f"rxmweb={cookie}", "HX-Request": "true", "If-None-Match": etag, "Accept": "text/html"}
    before, found = _busy(portal), []
    for _ in range(times):
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        found.append(answer.status)
    connection.close()
    spent = 1000 * (_busy(portal) - before) / times
    if set(found) != {304}:
        raise RuntimeError(f"an unchanged poll answered {sorted(set(found))}")
    return ["an unchanged poll, processor of the server", f"{spent:.2f} ms", "1 ms"]


def _watched(portal: Portal, cookies: list[str], quick: bool) -> list[str]:
    """Return what open pages cost while nothing changes."""
    seconds = _WATCHED_SECONDS / (2 if quick else 1)
    share = asyncio.run(_watch(portal, cookies, seconds))
    return [f"{_OPEN_PAGES} open pages, nothing changes, share of a core", f"{share:.3f}", "0.1"]


async def _watch(portal: Portal, cookies: list[str], seconds: float) -> float:
    writers = []
    for number in range(_OPEN_PAGES):
        reader, writer = await asyncio.open_connection("127.0.0.1", portal.port)
        writer.write(
            f"GET /live HTTP/1.1\r\nHost: x\r\nCookie: rxmweb={cookies[number // _OF_A_SESSION]}\r\n\r\n".encode()
        )
        writers.append(writer)
        head = await asyncio.wait_for(reader.readline(), 30)
        if b" 200 " not in head:
            raise RuntimeError(f"an open page was answered {head!r}")
    await asyncio.sleep(2)
    before, began = _busy(portal), time.monotonic()
    await asyncio.sleep(seconds)
    share = (_busy(portal) - before) / (time.monotonic() - began)
    for writer in writers:
        writer.close()
    return share


def _busy(portal: Portal) -> float:
    """Return the seconds of processor that the server has had, its children's with it."""
    pids = [portal.server.pid]
    children = Path(f"/proc/{portal.server.pid}/task/{portal.server.pid}/children").read_text().split()
    pids += [int(pid) for pid in children]
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _collecting(database: str) -> Iterator[None]:
    """Write rounds meanwhile, as the collector does, in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=_collect, args=(database,), daemon=True)
    process.start()
    try:
        time.sleep(2)
        yield
    finally:
        process.terminate()
        process.join()


def _collect(database: str) -> None:
    engine = db.open_store(database)
    said = fleet_of.lines(fleet_of.HOSTS)
    # What comes together in half a second.
    each = 34
    number = 0
    while True:
        number += 1
        for start in range(0, len(said), each):
            began = time.monotonic()
            # A few domains of each hundred have another state each time.
            batch = [
                line.replace('"memory":1073741824', f'"memory":{1073741824 + number}', 1)
                for line in said[start : start + each]
            ]
            fleet.take(engine, [report.read(line) for line in batch])
            time.sleep(max(0.0, _ROUND_SECONDS * each / len(said) - (time.monotonic() - began)))


def main() -> None:
    """Print the rows: `python -m bench.portal_server [quick]`."""
    quick = "quick" in sys.argv[1:]
    for store in STORES:
        for row in measure(store, quick):
            print(store, *row, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
