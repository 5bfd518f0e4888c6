"""A portal whose clock is set while it runs: ages, sessions, tickets, actions and what is kept of the past."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import fleet, lease
from rxmweb.db.calendar import Calendar
from tests.conftest import PASSWORD
from tests.lab.clients.visitor import Visitor, over
from tests.lab.clock import Clock
from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import FQDN, PORTAL, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

# Kerberos takes five minutes.
JUMP = 240
TWENTY_MINUTES = 1200
YEAR = 366 * 86_400


class Site:
    """A portal with a clock of its own, and its one host, which goes by the machine's."""

    def __init__(self, portal: Portal, clock: Clock, visitor: Visitor) -> None:
        self.portal, self.clock, self.visitor = portal, clock, visitor

        self.engine = db.open_store(portal.database)

    def is_known_as_of(self, ahead: int) -> bool:
        """Whether its host's last report is of now, by a clock that is so far ahead."""
        with self.engine.connect() as connection:
            found = fleet.host(connection, FQDN)
        return found is not None and abs(found["received"] - time.time() - ahead) < JUMP / 2

    def listens(self, visitor: Visitor) -> socket.socket:
        """Open a page that hears of changes until its session ends."""
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        page = socket.create_connection(("127.0.0.1", self.portal.port), 30)
        page.sendall(f"GET /live HTTP/1.1\r\nHost: {PORTAL}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n".encode())
        return page


@pytest.fixture(scope="module")
def made(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("clocks")
    clock = Clock(realm, directory)
    daemon = Daemon(realm, directory / "host", admins=("alice@XMAN.TEST",))
    with contextlib.ExitStack() as ends:
        ends.callback(daemon.stop)
        portal = Portal(
            realm,
            directory / "portal",
            hosts=(FQDN,),
            port=daemon.port,
            interval=0.5,
            env=realm.kinit("alice", PASSWORD, "clocks-collector") | clock.env,
            tables="[history]\nsample_seconds = 0.5\n",
        )
        ends.callback(portal.stop)
        visitor = Visitor(portal, realm.kinit("alice", PASSWORD, "clocks-alice", "-f"))
        wait_for(lambda: bool(visitor.json("/")["domains"]), 30, "its machines")
        daemon.rxm(realm.kinit("alice", PASSWORD, "clocks-rxm"), "create", "-", stdin=for_test_driver("acted"))
        wait_for(lambda: len(visitor.json("/")["domains"]) == 2, 30, "its machines")
        made = Site(portal, clock, visitor)
        yield made
        made.engine.dispose()
        assert "Traceback" not in portal.said()


@pytest.fixture
def site(made: Site) -> Iterator[Site]:
    yield made
    made.clock.set(0)


@pytest.mark.parametrize("jump", [JUMP, -JUMP], ids=["ahead", "behind"])
def test_a_clock_that_is_set_costs_no_session_and_makes_no_host_old(site: Site, jump: int) -> None:
    cookies = dict(site.visitor.cookies)
    (machine,) = [row for row in site.visitor.json("/")["domains"] if row["name"] == "acted"]

    site.clock.set(jump)
    wait_for(lambda: site.is_known_as_of(jump), 30, "a report of the new time")
    verb = "unpause" if machine["state"] == "frozen" else "pause"
    fields = {"verb": verb, "target": f"{FQDN}/{machine['uuid']}", "confirm": "1"}
    asked = site.visitor.post("/actions", fields)
    done = over(site.visitor, asked)
    site.clock.set(0)
    wait_for(lambda: site.is_known_as_of(0), 30, "a report of the old time")

    assert done["state"] == "done", done
    assert site.visitor.cookies == cookies
    assert site.visitor.get("/").status == 200


def test_a_year_ahead_for_a_while_makes_nothing_forgotten(site: Site) -> None:
    (uuid,) = [row["uuid"] for row in site.visitor.json("/")["domains"] if row["name"] == "acted"]

    def samples(since: float = 0.0) -> list[float]:
        with site.engine.connect() as connection:
            return [row["at"] for row in fleet.past(connection, FQDN, uuid, since)]

    wait_for(lambda: bool(samples()), 30, "a sample")
    first = samples()[0]

    count = len(samples(time.time() + YEAR / 2))
    site.clock.set(YEAR)
    # What is too old is looked for between two of them.
    wait_for(lambda: len(samples(time.time() + YEAR / 2)) > count + 1, 30, "two samples of next year")
    site.clock.set(0)
    count = len(samples(time.time() - 1000))
    wait_for(lambda: len(samples(time.time() - 1000)) > count + 1, 30, "two samples of this year")

    assert first in samples()


def test_what_is_believed_of_the_day(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, run = 1_800_000_000.0, 50.0
    monkeypatch.setattr(time, "time", lambda: wall)
    monkeypatch.setattr(time, "monotonic", lambda: run)
    calendar = Calendar()
    assert calendar.today(engine) == wall

    wall, run = wall + YEAR, run + 10
    assert calendar.today(engine) == wall - YEAR + 10
    assert Calendar().today(engine) == wall - YEAR + 10 + 86_400
    wall -= 2 * YEAR
    assert calendar.today(engine) == wall
    assert lease.take(engine, "collector", "here", 10.0)


@pytest.mark.parametrize("jump", [JUMP, -JUMP], ids=["ahead", "behind"])
def test_a_session_that_is_begun_by_a_wrong_clock_ends_with_its_ticket(site: Site, realm: Realm, jump: int) -> None:
    site.clock.set(jump)
    began = time.time()
    visitor = Visitor(site.portal, realm.kinit("alice", PASSWORD, "clocks-wrong", "-f", "-l", "20m"))

    ends = visitor.json("/session")["expires"]

    # The KDC's clock is the machine's.
    assert began + TWENTY_MINUTES - 2 <= ends <= time.time() + TWENTY_MINUTES + 2


def test_a_jump_beyond_a_tickets_end_ends_what_hangs_on_it_and_nothing_else(site: Site, realm: Realm) -> None:
    visitor = Visitor(site.portal, realm.kinit("alice", PASSWORD, "clocks-short", "-f", "-l", "20m"))
    (machine,) = [row for row in visitor.json("/")["domains"] if row["name"] == "acted"]
    verb = "unpause" if machine["state"] == "frozen" else "pause"
    fields = {"verb": verb, "target": f"{FQDN}/{machine['uuid']}", "confirm": "1"}
    visitor.csrf = visitor.json("/session")["csrf_token"]
    before = len(site.visitor.json("/actions")["actions"])

    heard = b""
    with site.listens(visitor) as page:
        while b"event: beat" not in heard:
            heard += page.recv(65536) or pytest.fail(f"no page that hears: {heard!r}")
        site.clock.set(TWENTY_MINUTES + JUMP)
        while more := page.recv(65536):
            heard += more
    refused, elsewhere = visitor.post("/actions", fields), site.visitor.get("/")
    actions = site.visitor.json("/actions")["actions"]
    site.clock.set(0)
    wait_for(lambda: site.is_known_as_of(0), 30, "a report of the old time")

    assert b"event: ended" in heard
    assert (refused.status, elsewhere.status, len(actions)) == (401, 200, before), refused
    visitor.csrf = ""
    assert over(visitor, visitor.post("/actions", fields))["state"] == "done"
