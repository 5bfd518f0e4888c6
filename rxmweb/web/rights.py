"""What a person may do where: asked of every host once for a session, as the person, while nobody waits for it.

It decides what is offered, and nothing else: whether something is done each host decides by itself. Of a host that has
not answered everything is offered.
"""

import logging
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb import rxm_process
from rxmweb.db import complain, rights
from rxmweb.db.sessions import Session
from rxmweb.rxm_process import Rxm
from rxmweb.tickets import Tickets
from xman import received

logger = logging.getLogger(__name__)

# How many people's hosts are asked at a time, and how many wait; who comes then is offered everything.
_AT_A_TIME, _MOST_WAITING = 2, 32
_SECONDS = 20.0
_PATIENCE_SECONDS = 25.0
# Sessions that are remembered in this process, and for how long what is not whole yet.
_MOST_KEPT = 1000
_FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class May:
    """What one person may. `acts`: there is a ticket to act with."""

    hosts: rights.Rights
    acts: bool
    version: str = ""

    def verbs(self, host: str) -> frozenset[str] | None:
        """Return what the host lets the person do; None where it has not said."""
        return self.hosts.get(host) if self.acts else frozenset()

    def use(self, verb: str, host: str) -> bool:
        """Return whether a verb is to be offered for a host."""
        verbs = self.verbs(host)
        return verbs is None or verb in verbs

    def somewhere(self, verb: str) -> bool:
        """Return whether a verb is to be offered at all: no host has said anything yet, or one allows it."""
        return self.acts and (not self.hosts or any(verb in verbs for verbs in self.hosts.values()))

    def anywhere(self, verb: str, hosts: list[str]) -> bool:
        """Return whether a verb is to be offered for at least one of the hosts."""
        return any(self.use(verb, host) for host in hosts)


class Asker:
    """Asks, and remembers."""

    def __init__(self, engine: Engine, rxm: Rxm, tickets: Tickets) -> None:
        self._engine = engine
        self._rxm = rxm
        self._tickets = tickets
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="rights")
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._kept: OrderedDict[str, tuple[May, bool, float]] = OrderedDict()

    def of(self, session: Session) -> May:
        """Return what a session's person may, as far as it is known; what is not is asked for."""
        acts = self._tickets.of_session(session.ticket) is not None
        with self._lock:
            kept = self._kept.get(session.id)
            if kept is not None and kept[0].acts == acts and (kept[1] or time.monotonic() - kept[2] < _FRESH_SECONDS):
                return kept[0]
        with self._engine.connect() as connection:
            hosts, whole = rights.of(connection, session.id)
        found = May(hosts, acts, f"{len(hosts)}{'a' if acts else ''}")
        with self._lock:
            self._kept[session.id] = (found, whole, time.monotonic())
            self._kept.move_to_end(session.id)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            if acts and not whole and session.id not in self._asked and len(self._asked) < _MOST_WAITING:
                self._asked.add(session.id)
                self._threads.submit(self._ask, session)
        return found

    def _ask(self, session: Session) -> None:
        try:
            found = self._answers(session)
            rights.keep(self._engine, session.id, found, all_asked=True)
        except SQLAlchemyError as error:
            complain(logger, error)
        except OSError as error:
            logger.error("rxm cannot be started: %s", error.strerror)
        finally:
            with self._lock:
                self._asked.discard(session.id)

    def _answers(self, session: Session) -> dict[str, frozenset[str]]:
        cache = self._tickets.of_session(session.ticket)
        if cache is None:
            return {}
        command = self._rxm.everywhere_command(["-t", f"{_SECONDS:.0f}", "ping"])
        try:
            out, _err = rxm_process.run(command, self._rxm.as_person(cache), b"", _PATIENCE_SECONDS)
        except TimeoutError:
            return {}
        found = {}
        for line in out.splitlines():
            try:
                answer = received.read(line, "ping")
            except received.WrongResultError as error:
                logger.warning("a line of rxm ping cannot be read: %s", error)
                continue
            if answer["ok"]:
                found[str(answer["host"])] = frozenset(str(verb) for verb in answer["result"]["verbs"])
            elif answer.get("class") == "denied":
                found[str(answer["host"])] = frozenset()
        return found
