"""The portal's table while some look at consoles; and, run by itself in the lab's namespaces, who looks and who asks.

`python -m bench.viewers` reads {"name", "port", "rounds", "xmand", "boxes": {state: {container: UUID}}} from standard
input and writes, for each state of what is looked at, and for `none`, the milliseconds that the table took.
"""

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rxm
from tests.lab.clients.visitor import Visitor
from tests.lab.clients.websocket import WebSocket

if TYPE_CHECKING:
    from bench.lab import Lab

_PAGES = 12
_APART_SECONDS = 0.02


def measure(lab: "Lab", boxes: dict[str, list[str]], port: int, rounds: int) -> dict[str, float]:
    """Return the median of the table's milliseconds for each state of `boxes`, and for `none`."""
    from bench import portal as fleet_of
    from bench.lab import HOST, PASSWORD
    from rxmweb import db
    from rxmweb.db import fleet, report
    from tests.lab.hosts import containers
    from tests.lab.kerberos.realm import without_wrapper
    from tests.lab.portal.portal import Portal
    from tests.lab.process import ROOT, end
    from tests.portal.reports import domain, line

    uuids = {
        state: {name: lab.host.virsh("domuuid", name, uri=containers.URI).stdout.strip() for name in names}
        for state, names in boxes.items()
    }
    portal = Portal(
        lab.realm,
        lab.directory / "portal",
        hosts=(),
        port=port,
        settings="threads = 8\nviewers = 4",
        interval=600.0,
        name=HOST,
        prefix=lab.host.prefix,
        env=lab.env("bench"),
    )
    try:
        end(portal.worker)
        engine = db.open_store(portal.database)
        fleet.configure(engine, [HOST, *(f"h{number}" for number in range(fleet_of.HOSTS))], {})
        fleet_of.take(engine, fleet_of.lines(fleet_of.HOSTS))
        shown = [domain(name, 0, uuid=uuid) for of in uuids.values() for name, uuid in of.items()]
        fleet.take(engine, [report.read(line(HOST, *shown))])
        engine.dispose()
        given = {"name": HOST, "port": portal.port, "rounds": rounds, "xmand": port, "boxes": uuids}
        done = subprocess.run(
            [*lab.host.prefix, "env", "-C", str(ROOT), sys.executable, "-m", "bench.viewers"],
            # One that can be forwarded: the portal asks hosts by it.
            env=without_wrapper(lab.realm.kinit("alice", PASSWORD, "bench-portal", "-f")),
            input=json.dumps(given),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found: dict[str, list[float]] = json.loads(done.stdout)
    finally:
        portal.stop()
    return {state: statistics.median(times) for state, times in found.items()}


class _Site:
    """The portal, as a visitor knows it."""

    certificate = ""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port


class _Looking:
    """One at a console, who reads all that comes."""

    def __init__(self, site: _Site, visitor: Visitor, token: str, uuid: str) -> None:
        host = f"{site.name}:{site.port}"
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        self._socket = WebSocket(
            ("127.0.0.1", site.port),
            host,
            f"/streams/console/{site.name}/{uuid}",
            origin=f"http://{host}",
            cookie=cookie,
            protocols=("xman.1", f"csrf.{token}"),
        )
        said = self._socket.said() if self._socket.status == 101 else {}
        if said != {"open": True}:
            raise RuntimeError(f"a console is not open: {self._socket.status} {said}")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, Exception):
            while self._socket.said():
                pass

    def close(self) -> None:
        self._socket.close()
        self._reader.join(10)


def _pages(site: _Site, visitor: Visitor, numbers: Iterator[int]) -> list[float]:
    """Return the milliseconds of pages that nobody has seen before: rows are kept for a minute."""
    found = []
    for number in itertools.islice(numbers, _PAGES):
        path = f"/?page={number % 200 + 1}&sort={'-memory' if number // 200 % 2 else 'name'}"
        began = time.perf_counter()
        if visitor.get(path).status != 200:
            raise RuntimeError(path)
        found.append(1e3 * (time.perf_counter() - began))
        time.sleep(_APART_SECONDS)
    return found


def main() -> None:
    """Do what standard input says."""
    given = json.load(sys.stdin)
    site = _Site(given["name"], given["port"])
    # As a browser of somebody's who has a ticket for the portal, which he lets it have.
    conf = Path(os.environ["KRB5_CONFIG"])
    own = conf.with_name("krb5-bench-portal.conf")
    own.write_text(conf.read_text().replace("dns_canonicalize_hostname = true", "dns_canonicalize_hostname = false"))
    os.environ["KRB5_CONFIG"] = str(own)
    visitor = Visitor(site, dict(os.environ))
    token = visitor.json("/session")["csrf_token"]
    numbers = itertools.count()
    _pages(site, visitor, numbers)  # fills what fills at the first ones
    times: dict[str, list[float]] = {"none": []} | {state: [] for state in given["boxes"]}
    with rxm.connect(given["name"], given["xmand"]) as host:
        for state, boxes in given["boxes"].items():
            for box in boxes:
                host.call("console", f"--send={state}\\n", box)
            for number in range(given["rounds"]):
                for now in ("none", state) if number % 2 else (state, "none"):
                    with contextlib.ExitStack() as ends:
                        for uuid in boxes.values() if now == state else ():
                            ends.enter_context(contextlib.closing(_Looking(site, visitor, token, uuid)))
                        times[now] += _pages(site, visitor, numbers)
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
