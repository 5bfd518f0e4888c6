"""Finding a machine for a terminal, in the background: what takes a host's time holds no page, and no terminal, up.

A terminal has no ticket to act with, so that this is done as the portal itself, with the collector's keytab. Whether
somebody else has a machine each host decides, under its lock (`assign --this-run`); what is chosen by is what hosts
said last.
"""

import ipaddress
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import rxm_process
from rxmweb.db import complain, report, seats
from rxmweb.db.changes import STALE_INTERVALS
from rxmweb.db.schema import domains, hosts
from rxmweb.db.seats import Seat
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings
from rxmweb.terminals import Terminal, of_lab
from rxmweb.web import choosing
from rxmweb.web.choosing import Machine
from xman import outcome

logger = logging.getLogger(__name__)

# Terminals that are served at a time by this process; the others wait, and hold nothing.
_AT_A_TIME = 4
# What one command may take.
_SECONDS = 20.0
_PATIENCE_SECONDS = 25.0
_MOST_TRIES = 8
# Why there is none (`words.terminal_problem`).
NONE_FREE, PROVE, OUT_OF_REACH = "none-free", "prove", "out-of-reach"


class Giver:
    """Finds machines. Any thread may ask."""

    def __init__(self, settings: Settings, engine: Engine, rxm: Rxm) -> None:
        self._settings = settings
        self._engine = engine
        self._rxm = rxm
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="terminal")
        self._lock = threading.Lock()
        self._looking: set[str] = set()

    def want(self, terminal: Terminal, whence: str, *, proved: bool) -> None:
        """Find a machine for a terminal, unless somebody is at that already. Raises SQLAlchemyError."""
        if seats.begin(self._engine, terminal.name, whence, time.time(), proved=proved):
            self._threads.submit(self._safely, terminal.name, lambda: self._give(terminal, proved=proved))

    def look(self, seat: Seat) -> None:
        """Find out where a terminal's machine can be reached, unless that is under way."""
        with self._lock:
            if seat.terminal in self._looking:
                return
            self._looking.add(seat.terminal)
        self._threads.submit(self._look, seat)

    def _safely(self, name: str, do: Any) -> None:
        try:
            do()
        except SQLAlchemyError as error:
            complain(logger, error)
        except Exception:
            logger.exception("no machine for the terminal %s", name)
            seats.note(self._engine, name, state=seats.FAILED, problem=OUT_OF_REACH, working=time.time())

    def _give(self, terminal: Terminal, *, proved: bool) -> None:
        try:
            tried = choosing.steps(terminal, self._machines(terminal), proved=proved, busy=self._busy(terminal))
        except choosing.UnprovedError:
            self._failed(terminal, PROVE)
            return
        problem = NONE_FREE
        for machine, how in tried[:_MOST_TRIES]:
            # Noted before, so that others look elsewhere meanwhile.
            seats.note(self._engine, terminal.name, host=machine.host, uuid=machine.uuid, since=time.time())
            failed = self._prepare(terminal, machine, how)
            if not failed:
                now = time.time()
                done = {"host": machine.host, "uuid": machine.uuid, "machine": machine.name, "since": now, "seen": now}
                seats.note(self._engine, terminal.name, state=seats.READY, **done)
                logger.info("terminal %s has %s on %s", terminal.name, machine.name, machine.host)
                return
            logger.info("terminal %s does not get %s on %s: %s", terminal.name, machine.name, machine.host, failed)
            problem = OUT_OF_REACH
        self._failed(terminal, problem)

    def _failed(self, terminal: Terminal, problem: str) -> None:
        logger.warning("no machine for the terminal %s: %s", terminal.name, problem)
        values = {"state": seats.FAILED, "problem": problem, "working": time.time(), "host": None, "uuid": None}
        seats.note(self._engine, terminal.name, **values)

    def _prepare(self, terminal: Terminal, machine: Machine, how: str) -> str:
        """Do what has to be done before a machine is the terminal's; return why that failed, empty where it did not."""
        steps: list[list[str]] = []
        if how == choosing.ANEW:
            steps.append(["destroy"])
        if how in (choosing.ANEW, choosing.START, choosing.KEPT_START):
            steps.append(["start"])
        if how in (choosing.ANEW, choosing.START, choosing.CLAIM):
            steps.append(["assign", "--this-run"])
        for step in steps:
            assigned = [terminal.name] if len(step) > 1 else []
            answer = self._ask(machine.host, [*step, "--", machine.uuid, *assigned])
            if not answer["ok"]:
                return report.text(answer.get("message"))
            # A run that was this terminal's before is not a new one, whatever was asked for.
            if assigned and not answer.get("changed"):
                return "it was not started anew"
        if terminal.sticky and not machine.terminal:
            answer = self._ask(machine.host, ["assign", "--", machine.uuid, terminal.name])
            if not answer["ok"]:
                return report.text(answer.get("message"))
        return ""

    def _look(self, seat: Seat) -> None:
        try:
            found = self._where(seat)
            if found:
                seats.note(self._engine, seat.terminal, **found)
        except SQLAlchemyError as error:
            complain(logger, error)
        finally:
            with self._lock:
                self._looking.discard(seat.terminal)

    def _where(self, seat: Seat) -> dict[str, str]:
        """Return the guest's own address, and where its screen listens on the network, as far as there is any."""
        host, uuid, found = seat.host or "", seat.uuid or "", {}
        measured = _domain(self._ask(host, ["stats", "--", uuid]))
        addresses = [str(each["address"]) for each in measured.get("addresses", ())]
        if address := next((each for each in addresses if _reachable(each)), ""):
            found["address"] = address
        listed = _domain(self._ask(host, ["list", "--long", "--", uuid]))
        if screens := [str(each) for each in listed.get("open_screens", ()) if ":" in str(each)]:
            found["screen"] = screens[0]
        return found

    def _ask(self, host: str, words: Sequence[str]) -> dict[str, Any]:
        """Return the host's object (DESIGN, "Results"), or one that says why there is none."""
        command = self._rxm.own_command(["-t", f"{_SECONDS:.0f}", "-H", host, *words])
        try:
            out, err = rxm_process.run(command, self._rxm.as_collector(), b"", _PATIENCE_SECONDS)
        except TimeoutError:
            return {"ok": False, "code": outcome.UNREACHABLE, "message": "it gave no answer in time"}
        except OSError as error:
            return {"ok": False, "code": outcome.INTERNAL, "message": f"rxm: {error.strerror}"}
        for line in out.splitlines():
            try:
                return report.envelope_of(line, words[0])
            except report.NotAReportError:
                continue
        said = err.decode("utf-8", "replace").strip() or "rxm said nothing"
        return {"ok": False, "code": outcome.INTERNAL, "message": said}

    def _busy(self, terminal: Terminal) -> frozenset[tuple[str, str]]:
        """Return what others are given just now, of which their hosts' reports may not know yet."""
        latest = time.time() - 3 * self._settings.interval_seconds - seats.WORK_SECONDS
        with self._engine.connect() as connection:
            found = [each for each in seats.every(connection) if each.terminal != terminal.name]
        return frozenset((each.host or "", each.uuid or "") for each in found if (each.since or 0.0) > latest)

    def _machines(self, terminal: Terminal) -> list[Machine]:
        """Return the machines of hosts that answer which may be this terminal's."""
        fresh = time.time() - STALE_INTERVALS * self._settings.interval_seconds
        known = select(domains).join(hosts, hosts.c.name == domains.c.host).where(hosts.c.received >= fresh)
        named = domains.c.profile.is_(True) & (domains.c.name == terminal.profile)
        with self._engine.connect() as connection:
            rows = connection.execute(select(domains.c.host, domains.c.uuid, domains.c.labs).where(named)).all()
            profiles = frozenset((row.host, row.uuid) for row in rows if of_lab(row.labs, terminal.lab))
            wanted = (domains.c.terminal == terminal.name) | domains.c.origin.in_([uuid for _host, uuid in profiles])
            ordered = known.where(wanted).order_by(hosts.c.position, domains.c.sort_name, domains.c.name)
            found = connection.execute(ordered).mappings().all()
        return [choosing.machine(dict(row), profiles) for row in found]


def _domain(answer: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = answer["result"].get("domains", []) if answer["ok"] else []
    return found[0] if found else {}


def _reachable(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified)
