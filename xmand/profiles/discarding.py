"""What clients of profiles have written is gone when they are off, whoever stopped them, and however.

In a thread of its own: when a client is seen to stop; and all that are off at xmand's start, and when libvirt is back,
since nobody saw how they ended then.
"""

import contextlib
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
        # What could not be done, and when it is tried again (time.monotonic()), however much else is due until then.
        self._again: dict[str, float] = {}
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
            due = set()
            with contextlib.suppress(queue.Empty):
                due.add(self._due.get(timeout=self._pause()))
            try:
                with connection_pool.session():
                    self.look(due)
            except Exception:  # a fault of ours must not end the thread
                logger.exception("clients of profiles cannot be looked at")

    def _pause(self) -> float | None:
        """Return in how many seconds something is to be tried again, None where nothing is."""
        return max(0.0, min(self._again.values()) - time.monotonic()) if self._again else None

    def look(self, due: set[str]) -> None:
        """Do what is due, and what is to be tried again by now: clients, and profiles whose clients have to follow.

        By UUID; or all of the host.
        """
        now = time.monotonic()
        due = due | {uuid for uuid, when in self._again.items() if when <= now}
        for uuid in due:
            self._again.pop(uuid, None)
        try:
            due = set(self._every()) if _ALL in due else due
        except (XmanError, api.libvirtError) as error:  # libvirt is away
            self._later(_ALL, error)
            due = set()
        for uuid in due:
            try:
                self._one(uuid)
            except (XmanError, api.libvirtError) as error:
                self._later(uuid, error)
        self._complaints.keep(self._again)

    def _later(self, uuid: str, error: Exception) -> None:
        self._again[uuid] = time.monotonic() + _AGAIN_SECONDS
        logger.debug("clients of profiles cannot be looked at: %s", error)

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
            self._later(uuid, error)
            self._complaints.say(uuid, f"what the client {uuid} has written is still there: {error}")
