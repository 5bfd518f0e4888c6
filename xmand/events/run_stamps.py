"""Marks in domains' metadata that events call for: when a run began, and that nobody's pause holds any more.

In a thread of its own: neither libvirt's, which must not block, nor a verb's, since others start domains as well.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from xman.errors import NoSuchDomainError, XmanError
from xman.metadata import Metadata
from xmand.events import Events
from xmand.system.clocks import RUNS
from xmand.system.locks import DomainLocks
from xmand.virt import connection_pool, metadata, runs
from xmand.virt.binding import api
from xmand.virt.domain import PAUSED, Domain, find
from xmand.virt.driver import CHANGE, Driver
from xmand.virt.events import BACK, STARTED, Event

logger = logging.getLogger(__name__)

# How a run begins. What is restored or arrives from another host goes on with the run that it had, and brings its mark.
_BEGINNINGS = ("booted",)
# Longer than any verb holds a domain but a migration, which says at once that it does.
_LOCK_SECONDS = 120.0


class Stamper:
    """Stamps what starts from now on and, at its own start, what runs already and is known to have begun when."""

    def __init__(self, driver: Driver, locks: DomainLocks, events: Events) -> None:
        self._driver = driver
        self._locks = locks
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        events.listen(self._events.put)

    def start(self) -> None:
        """Work in a thread, until the process ends."""
        threading.Thread(target=self._work, name="stamps", daemon=True).start()

    def _work(self) -> None:
        with connection_pool.session():
            self.catch_up()
        while True:
            event = self._events.get()
            with connection_pool.session():
                self.handle(event)

    def catch_up(self) -> None:
        """Stamp what runs without a stamp, where the hypervisor can tell since when."""
        try:
            raws = self._driver.connection(CHANGE).listAllDomains(api.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        except (XmanError, api.libvirtError) as error:
            logger.info("running domains cannot be stamped: %s", error)
            return
        for raw in raws:
            began = runs.process_start(raw)
            if began is not None:
                self._mark(str(raw.UUIDString()), lambda _domain, found, at=began: _of_new_run(found, at))  # type: ignore[misc]

    def handle(self, event: Event) -> None:
        """Do what an event calls for."""
        if event.name == BACK:
            self.catch_up()
        elif event.name == STARTED and event.detail in _BEGINNINGS:
            RUNS.begin(event.uuid, int(event.at))
            self._mark(event.uuid, lambda domain, found: _begun(domain, found, int(event.at)))
        elif event.name == "resumed":
            self._mark(event.uuid, _not_paused)

    def _mark(self, uuid: str, change: Callable[[Domain, Metadata], Metadata]) -> None:
        try:
            domain = find(self._driver.connection(CHANGE), uuid)
            with self._locks.hold(domain.uuid, "stamp", time.monotonic() + _LOCK_SECONDS):
                found = metadata.read(domain)
                wanted = change(domain, found)
                if domain.active() and wanted != found:
                    metadata.update(domain, lambda _found: wanted)
        except NoSuchDomainError:  # over already
            pass
        except (XmanError, api.libvirtError) as error:
            logger.warning("domain %s was not stamped: %s", uuid, error)
        except Exception:  # a fault of ours costs one stamp, not all that follow
            logger.exception("domain %s was not stamped", uuid)


def _begun(domain: Domain, found: Metadata, at: int) -> Metadata:
    # libvirt's test driver says of what it restores that it was booted; what is booted there has no mark yet.
    restored = found.started is not None and domain.raw.connect().getType() == "TEST"
    if restored:
        return found
    return _of_new_run(replace(found, started=None) if found.started != at else found, at)


def _of_new_run(found: Metadata, at: int) -> Metadata:
    """Stamp what has no stamp; in whole seconds, so that it may not be that of an earlier run, whose jobs are over."""
    if found.started is not None:
        return found
    while any(job.start == at for job in found.jobs):
        at += 1
    return replace(found, started=at)


def _not_paused(domain: Domain, found: Metadata) -> Metadata:
    # Where somebody has paused it again meanwhile, that pause is the newer one.
    return found if domain.state()[0] == PAUSED else replace(found, paused_by="")
