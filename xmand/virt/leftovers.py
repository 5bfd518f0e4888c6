"""Images that a migration made at another host and could not remove there: removed as soon as that can be.

After a crash of ours nobody else knows of them. In a thread of its own; the domain's lock is held meanwhile.
"""

import logging
import threading
import time
from collections.abc import Callable

from xman.errors import NoSuchDomainError, XmanError
from xmand.system.locks import DomainLocks
from xmand.virt import connection_pool
from xmand.virt.copying import Copies, Copy
from xmand.virt.domain import find
from xmand.virt.domain_jobs import leaving
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

# The other host, or libvirt, may be there by then.
_AGAIN_SECONDS = 30.0
_PATIENCE_SECONDS = 5.0


class Leftovers:
    """What a host has begun to copy and has not ended; `record` writes an audit line."""

    def __init__(self, copies: Copies, driver: Driver, locks: DomainLocks, record: Callable[..., None]) -> None:
        self._copies = copies
        self._driver = driver
        self._locks = locks
        self._record = record
        self._told: set[str] = set()
        # Never set: a wait by a clock that nobody can set.
        self._never = threading.Event()

    def start(self) -> None:
        """Begin, and look at once."""
        threading.Thread(target=self._run, name="leftovers", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a fault of ours must not end the thread
                logger.exception("what was copied cannot be looked at")
            self._never.wait(_AGAIN_SECONDS)

    def look(self) -> None:
        """Settle each that can be settled now."""
        for copy in self._copies.pending():
            try:
                self._settle(copy)
            except XmanError as error:
                said = f"the images of '{copy.name}' at {copy.host}: {error}"
                # Once, and not every half minute: somebody has to mend it.
                logger.log(logging.DEBUG if said in self._told else logging.WARNING, "%s", said)
                self._told.add(said)

    def _settle(self, copy: Copy) -> None:
        with connection_pool.session(), self._locks.hold(copy.uuid, "leftovers", time.monotonic() + _PATIENCE_SECONDS):
            # Its migration may have ended while the lock was waited for.
            if self._copies.begun(copy.uuid) != copy:
                return
            try:
                domain = find(self._driver.connection(CHANGE), copy.uuid)
                if leaving(domain):
                    return
            except NoSuchDomainError:  # it has left: they are its own now
                self._copies.forget(copy.uuid)
                return
            said = self._copies.undo(copy) or f"the images made at {copy.host} are removed"
            logger.warning("'%s' stayed here: %s", copy.name, said)
            self._record(ev="settle", dom=copy.name, detail=said)
