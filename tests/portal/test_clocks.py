"""A portal whose clock is set while it runs: ages, sessions, tickets, actions and what is kept of the past."""

import contextlib
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
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import wait_for

# Kerberos takes five minutes.
JUMP = 240
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
