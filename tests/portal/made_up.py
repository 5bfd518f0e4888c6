"""A portal whose fleet is made up, and browsers that are signed on to it: for what is about pages, not hosts."""

import time
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Playwright
from sqlalchemy import Engine

from rxmweb import db
from rxmweb.db import actions, fleet, laboratories, report, rights, seats, sessions
from rxmweb.db.actions import Request, Target
from rxmweb.db.report import Report
from rxmweb.settings import Settings, portal_name
from rxmweb.tickets import Tickets
from tests.lab.clients.browser import CHROMIUM
from tests.lab.kerberos.realm import Realm
from tests.lab.portal.portal import Portal
from tests.lab.process import end, need
from tests.portal.answers import portal_program
from tests.portal.reports import UUID, domain, job, line
from xman import outcome

ALICE, BOB = "alice@XMAN.TEST", "bob@XMAN.TEST"
# As long as a name may be.
LONG_NAME = f"a-machine-whose-name-has-{'very-' * 7}many"
# The longest first label that DNS has.
LONG_HOST = f"{'h' * 63}.example.org"
STALE_HOST, DEAD_HOST, SERVICED = "stale1.example.org", "dead1.example.org", "serviced1.example.org"
FULL = "full1.example.org"
MACHINES = 230
LONG_MACHINE = f"{UUID}01"
LAB = "economy"
_TERMINALS = f'"term[01-03].{LAB}.example.org" = {{ lab = "{LAB}", profile = "win" }}\n'
_REASON = "because-of-a-reason-that-is-one-word-of-more-letters-than-a-telephone-is-wide-or-even-two-of-them"


class MadeUp:
    """One portal: its worker has ended, its tables are filled from here, and what hosts are asked is answered."""

    def __init__(self, realm: Realm, directory: Path) -> None:
        self.portal = Portal(
            realm,
            directory,
            hosts=(),
            port=4373,
            interval=600,
            readers=(ALICE,),
            tables=f"[terminals]\n{_TERMINALS}",
            program=portal_program(directory / "bin", (STALE_HOST, DEAD_HOST)),
        )
        end(self.portal.worker)
        self.url = f"http://127.0.0.1:{self.portal.port}"
        self.engine: Engine = db.open_store(self.portal.database)
        self.settings = Settings(
            run_dir=str(self.portal.run_dir), readers=(ALICE,), listen=f"127.0.0.1:{self.portal.port}"
        )
        self._tickets = Tickets(self.settings)
        self._fill(time.time())

    def stop(self) -> None:
        """End it."""
        self.engine.dispose()
        self.portal.stop()

    def full(self, *, first: str = "", every: str = "free") -> None:
        """Have the host with many machines report, in that state, the first of them in another one."""
        machines = [_machine(number, first if first and number == 0 else every) for number in range(MACHINES)]
        fleet.take(self.engine, [report.read(line(FULL, *machines))], time.time())

    def enter(
        self, playwright: Playwright, *, principal: str = ALICE, ticket: bool = True, script: bool = True, **how: object
    ) -> BrowserContext:
        """Return somebody's browser, signed on; whoever calls closes its `browser`."""
        need(CHROMIUM)
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = started.new_context(java_script_enabled=script, **how)  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        self.sign_on(context, principal, ticket=ticket)
        return context

    def sign_on(self, context: BrowserContext, principal: str = ALICE, *, ticket: bool = True) -> None:
        """Give a browser another session of somebody's."""
        name = ""
        if ticket:
            name, path = self._tickets.new()
            path.write_text("ticket")
        token, session = sessions.begin(self.engine, principal, portal_name(self.settings), name, "", 36000)
        with self.engine.connect() as connection:
            own = rights.machines(connection, principal)
        rights.keep(self.engine, session.id, {}, own=own)
        context.add_cookies([{"name": "rxmweb", "value": token, "url": self.url}])

    def sit_down(self, context: BrowserContext) -> None:
        """Let a browser be that of the terminal which has a machine."""
        with self.engine.connect() as connection:
            seat = seats.of(connection, f"term01.{LAB}.example.org")
        assert seat is not None
        fetched = seats.fetch(self.engine, seat, time.time(), 3600)
        assert fetched is not None
        context.add_cookies([{"name": "rxmweb-terminal", "value": fetched[0], "url": self.url}])

    def end_session(self, token: str) -> None:
        """End somebody's session, as signing off elsewhere does."""
        sessions.end(self.engine, token)

    def _fill(self, now: float) -> None:
        names = [FULL, LONG_HOST, STALE_HOST, DEAD_HOST, SERVICED]
        fleet.configure(self.engine, names, {"Brno": names[:3], "Plzeň": names[3:]})
        owner = "somebody-with-a-name-that-has-forty-letters@SOMEWHERE-ELSE.EXAMPLE.ORG"
        busy = domain(LONG_NAME, 1, "running", jobs=[job(4711, owner), job(4712, BOB, preemptible=True)])
        old = domain("old1", 2, "running", jobs=[job(4713, BOB)])
        on = {"reason": _REASON, "by": ALICE, "since": "2026-11-21T07:00:00Z"}
        good = [report.read(line(LONG_HOST, busy, domain("vm2", 3, "frozen", reason="suspended")))]
        good.append(report.read(line(SERVICED, domain("vm4", 4, "preempted"), *_laboratory(), maintenance=on)))
        fleet.take(self.engine, good, now)
        fleet.take(self.engine, [report.read(line(STALE_HOST, old))], now - 3000)
        laboratories.note_sizes(self.engine, [(SERVICED, {_laboratory()[0]["uuid"]: 40 << 30})])
        for number, problem in ((1, ""), (2, "none-free")):
            name = f"term0{number}.{LAB}.example.org"
            seats.begin(self.engine, name, f"host/{name}@XMAN.TEST", now, proved=number == 1)
            had = {"host": SERVICED, "uuid": _laboratory()[1]["uuid"], "machine": "win1", "since": now}
            state = seats.FAILED if problem else seats.READY
            seats.note(self.engine, name, state=state, problem=problem, **({} if problem else had))
        fleet.take(self.engine, [Report(STALE_HOST, outcome.UNREACHABLE, f"no answer: {_REASON}")], now)
        fleet.take(self.engine, [Report(DEAD_HOST, outcome.UNREACHABLE, "no answer in time.")], now)
        self.full()
        room = {"on": LONG_HOST, "new_memory": 64 << 30, "new_memory_free": 40 << 30, "new_cpus": 16, "new_load": 3.5}
        fleet.note_rooms(self.engine, [room], now)
        for minute in range(0, 1440, 10):
            used = {"uuid": LONG_MACHINE, "cpu_seconds": minute * 90.0, "memory_rss": (1 + minute % 7) << 28}
            fleet.add_samples(self.engine, [report.sample(used) | {"host": LONG_HOST}], now - 86400 + minute * 60)
        target = Target(LONG_HOST, LONG_MACHINE, LONG_NAME)
        for principal, verb in ((ALICE, "pause"), (BOB, "migrate"), (owner, "mem-set")):
            words = {"migrate": (LONG_HOST,), "mem-set": ("2048",)}.get(verb, ())
            wanted = Request(principal, verb, [target], (), words, _REASON)
            self.action = actions.add(self.engine, wanted, "elsewhere")


def _laboratory() -> list[dict[str, Any]]:
    """Return a profile that is being changed, and clients of it: one that a terminal has, one that is off."""
    profile = domain("win", 21, "occupied", profile=True, labs=[LAB, "stats"], administrator=ALICE)
    client = {"from": profile["uuid"], "discard": True}
    had = domain("win1", 22, "free", given=f"term01.{LAB}.example.org", **client)
    return [profile, had, domain("win2", 23, "down-bootable", **client)]


def _machine(number: int, state: str) -> dict[str, object]:
    return domain(f"box{number}", 0, state) | {"uuid": f"10000000-0000-4000-8000-{number:012d}"}
