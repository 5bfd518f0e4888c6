"""What clients of profiles have written is gone when they are off, whoever stopped them, and however.

In a thread of its own: when a client is seen to stop; and all that are off at xmand's start, and when libvirt is back,
since nobody saw how they ended then.
"""

import logging
import queue
import threading
import time

from xman.errors import MetadataError, NoSuchDomainError, XmanError
from xmand.events import Events
from xmand.profiles import clients, starting
from xmand.system.locks import DomainLocks
from xmand.system.settling import Complaints
from xmand.virt import connection_pool, metadata
from xmand.virt.binding import api
from xmand.virt.domain import find, find_all
from xmand.virt.driver import CHANGE, QEMU, Driver
from xmand.virt.events import BACK, STOPPED, Event

logger = logging.getLogger(__name__)

# What could not be done then is tried again so often.
_AGAIN_SECONDS = 30.0
# Longer than a start, or an end, holds a client.
_LOCK_SECONDS = 20.0
_ALL = ""
# What goes on elsewhere, or from a file, with the disks that it had.
_GOES_ON = ("migrated", "saved")


class Discarding:
    """Those of this host."""

    def __init__(self, driver: Driver, locks: DomainLocks, events: Events) -> None:
        self._driver = driver
        self._locks = locks
        self._due: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._left: set[str] = set()
        self._complaints = Complaints()
        events.listen(self._heard)

    def start(self) -> None:
        """Work in a thread until the process ends, and look at once."""
        self._due.put(_ALL)
        threading.Thread(target=self._work, name="discarding", daemon=True).start()

    def _heard(self, event: Event) -> None:
        if event.name == BACK:
            self._due.put(_ALL)
        elif event.name == STOPPED and event.detail not in _GOES_ON:
            self._due.put(event.uuid)

    def _work(self) -> None:
        while True:
            try:
                due = {self._due.get(timeout=_AGAIN_SECONDS if self._left else None)}
            except queue.Empty:
                due, self._left = self._left, set()
            with connection_pool.session():
                self.look(due)

    def look(self, due: set[str]) -> None:
        """Do what is due: clients, and profiles whose clients have to follow, by UUID; or all of the host."""
        try:
            for uuid in self._every() if _ALL in due else due:
                self._one(uuid)
        except (XmanError, api.libvirtError) as error:
            self._left |= due
            logger.debug("clients of profiles cannot be looked at: %s", error)
        except Exception:  # a fault of ours must not end the thread
            logger.exception("clients of profiles cannot be looked at")
        self._complaints.keep(self._left)

    def _every(self) -> list[str]:
        connection = self._driver.connection(CHANGE)
        return [domain.uuid for domain in find_all(connection)] if connection.getType() == QEMU else []

    def _one(self, uuid: str) -> None:
        try:
            connection = self._driver.connection(CHANGE)
            domain = find(connection, uuid)
            found = metadata.read(domain)
            if found.profile and not domain.active():
                # Its disks may be larger by now.
                for client in clients.of(connection, uuid):
                    self._renew(client.uuid)
            elif found.origin is not None:
                self._renew(uuid)
        except (NoSuchDomainError, MetadataError):
            pass

    def _renew(self, uuid: str) -> None:
        try:
            until = time.monotonic() + _LOCK_SECONDS
            with self._locks.hold(uuid, "discard", until):
                connection = self._driver.connection(CHANGE)
                client = find(connection, uuid)
                starting.renew(connection, self._locks, client)
        except NoSuchDomainError:
            pass
        except XmanError as error:
            self._left.add(uuid)
            self._complaints.say(uuid, f"what the client {uuid} has written is still there: {error}")
