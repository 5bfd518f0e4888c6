"""The worker: collector, runner, and who listens where hosts report; a process of its own, so that web workers go."""

import logging
import signal
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from rxmweb import db
from rxmweb.db import sessions
from rxmweb.rxm_process import Rxm
from rxmweb.settings import Settings, portal_name
from rxmweb.tickets import Tickets
from rxmweb.worker.collector import Collector
from rxmweb.worker.listener import Listener
from rxmweb.worker.runner import Runner

# How often tickets of sessions that have ended are removed.
_SWEEP_SECONDS = 30.0


def work(settings: Settings) -> None:
    """Collect, and carry out actions, until SIGTERM or SIGINT. Raises XmanError and OSError where it cannot begin."""
    engine = db.open_store(settings.database, kept_open=True)
    rxm, tickets = Rxm(settings), Tickets(settings)
    rxm.prepare()
    tickets.prepare()
    collector = Collector(settings, engine, rxm)
    runner = Runner(settings, engine, rxm, tickets, collector.look_at)
    parts: list[Collector | Runner | Listener] = [collector, runner]
    if settings.collector.listen:
        parts.append(Listener(settings, engine))
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ending.set())
    threads = [threading.Thread(target=part.run, name=type(part).__name__) for part in parts]
    for thread in threads:
        thread.start()
    logging.getLogger(__name__).info("at work for %d hosts", len(settings.host_names()))
    swept = time.monotonic()
    while not ending.wait(1.0):
        if time.monotonic() - swept > _SWEEP_SECONDS:
            swept = time.monotonic()
            try:
                tickets.sweep(sessions.tickets(engine, portal_name(settings)))
            except SQLAlchemyError as error:
                db.complain(logging.getLogger(__name__), error)
    for part in parts:
        part.stop()
    for thread in threads:
        thread.join(15.0)
