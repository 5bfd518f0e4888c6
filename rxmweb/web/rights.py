"""What a person may do where: asked of every host once for a session, as the person, while nobody waits for it.

It decides what is offered, and nothing else: whether something is done each host decides by itself. Of a host that has
not answered everything is offered. What an owner may hangs on their machines: where there is another one, its host is
asked again.
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

# Where a person's new machines are on more hosts than that, all are asked.
_MOST_HOSTS = 64
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


@dataclass
class _Kept:
    """What is remembered of a session; `own` are its person's machines when all hosts had been asked, None before."""

    may: May
    own: rights.Machines | None
    looked: float


class Asker:
    """Asks, and remembers."""

    def __init__(self, engine: Engine, rxm: Rxm, tickets: Tickets) -> None:
        self._engine = engine
        self._rxm = rxm
        self._tickets = tickets
        self._threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="rights")
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def of(self, session: Session, *, owner: bool) -> May:
        """Return what a session's person may, as far as it is known; what is not is asked for.

        `owner`: whether they see their own machines only.
        """
        acts, now = self._tickets.of_session(session.ticket) is not None, time.monotonic()
        with self._lock:
            kept = self._kept.get(session.id)
        if kept is not None and kept.may.acts != acts:
            kept = None
        if kept is not None and ((kept.own is not None and not owner) or now - kept.looked < _FRESH_SECONDS):
            return kept.may
        with self._engine.connect() as connection:
            own = rights.machines(connection, session.principal) if owner else frozenset()
            if kept is not None and kept.own is not None and own <= kept.own:
                kept.looked = now
                return kept.may
            hosts, before = rights.of(connection, session.id)
        said = sum(map(len, hosts.values()))
        found = May(hosts, acts, f"{len(hosts)}.{said}{'a' if acts else ''}")
        with self._lock:
            self._kept[session.id] = _Kept(found, before, now)
            self._kept.move_to_end(session.id)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            if acts and (before is None or not own <= before):
                new = {one.partition("/")[0] for one in own - (before or frozenset())}
                self._begin(session, own, sorted(new) if before is not None and len(new) <= _MOST_HOSTS else [])
        return found

    def _begin(self, session: Session, own: rights.Machines, hosts: list[str]) -> None:
        """Have hosts asked, all of them where none is named, if there is a place for it."""
        if session.id not in self._asked and len(self._asked) < _MOST_WAITING:
            self._asked.add(session.id)
            self._threads.submit(self._ask, session, own, hosts)

    def _ask(self, session: Session, own: rights.Machines, hosts: list[str]) -> None:
        try:
            found = self._answers(session, hosts)
            rights.keep(self._engine, session.id, found, own=own, asked=hosts)
        except SQLAlchemyError as error:
            complain(logger, error)
        except OSError as error:
            logger.error("rxm cannot be started: %s", error.strerror)
        finally:
            with self._lock:
                self._asked.discard(session.id)

    def _answers(self, session: Session, hosts: list[str]) -> dict[str, frozenset[str]]:
        cache = self._tickets.of_session(session.ticket)
        if cache is None:
            return {}
        words = ["-t", f"{_SECONDS:.0f}", "ping"]
        command = self._rxm.command(["-H", ",".join(hosts), *words]) if hosts else self._rxm.everywhere_command(words)
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
