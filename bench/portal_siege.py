"""`make bench-attack`, at the portal: what an honest visitor notices of half headers, and of a flood of its queue."""

import contextlib
import multiprocessing
import time
from pathlib import Path
from typing import Any

from bench import hostile
from bench.attack import for_seconds, one_after_the_other
from bench.meanwhile import PASSWORD, attackers, loop_seconds
from tests.lab.clients.visitor import Visitor
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for


def rows(realm: Realm, directory: Path, daemon: Daemon, seconds: float, nice: int) -> list[list[str]]:
    """Return the portal's rows: half headers, and a flood of its queue."""
    keytab = str(directory / "collector.keytab")
    realm.extract_keytab("show9", keytab)
    portal = Portal(realm, directory / "portal", hosts=(FQDN,), port=daemon.port, collector_keytab=keytab, interval=2.0)
    found = []
    try:
        honest = Visitor(portal, realm.kinit("admin0", PASSWORD, "portal-admin", "-f"))
        honest.json("/session")
        found.append(["the portal, an empty house", *_watched_pages(portal, honest, seconds)])
        with attackers(hostile.half_heads, [({}, portal.port)] * 3, nice):
            time.sleep(1.0)
            found.append(["the portal, 300 half headers", *_watched_pages(portal, honest, seconds)])
        eve = Visitor(portal, realm.kinit("eve0", PASSWORD, "portal-eve", "-f"))
        wait_for(lambda: any(row["uuid"] for row in eve.json("/")["domains"]), 30, "the machines")
        queued = multiprocessing.get_context("fork").Array("q", 2)
        # In a process of its own: what its program costs is nothing that an honest one has to wait for.
        with attackers(_crowd, [(eve, queued)], nice):
            figures = _watched_pages(portal, honest, seconds)
        found.append([f"the portal, a flood of its queue ({queued[1]} taken, {queued[0]} refused)", *figures])
    finally:
        portal.stop()
        daemon.stop()
    return found


def _crowd(eve: Visitor, queued: Any, stop: Any) -> None:
    """Ask for actions, one after the other; count what is refused, and what is taken: everybody may look here."""
    machine = next(row for row in eve.json("/")["domains"] if row["uuid"])
    target = f"{machine['host']}/{machine['uuid']}"
    while not stop.is_set():
        with contextlib.suppress(Exception):
            page = eve.post("/actions", {"verb": "pause", "target": target})
            queued[page.status < 400] += 1


def _watched_pages(portal: Portal, visitor: Visitor, seconds: float) -> tuple[str, str]:
    """Return what an honest visitor notices, and what the server comes to meanwhile."""
    before, began = loop_seconds(portal.server.pid), time.monotonic()
    figures = one_after_the_other(lambda: visitor.get("/").status == 200, for_seconds(seconds))
    (used, waited), took = loop_seconds(portal.server.pid), time.monotonic() - began
    loop, ready = (100 * (now - then) / took for now, then in zip((used, waited), before, strict=True))
    return str(figures), f"the server's loop {loop:.0f} % of a processor, {ready:.0f} % waiting for one"
