"""Images that a migration made at another host and could not remove there: removed as soon as that can be.

After a crash of ours nobody else knows of them. In a thread of its own; the domain's lock is held meanwhile.
"""

import logging
import time
from collections.abc import Callable, Iterable

from xman.errors import NoSuchDomainError
from xmand.system.locks import DomainLocks
from xmand.system.settling import Settling
from xmand.virt import connection_pool
from xmand.virt.copying import Copies, Copy
from xmand.virt.domain import find
from xmand.virt.domain_jobs import leaving
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 5.0


class Leftovers(Settling[Copy]):
    """What a host has begun to copy and has not ended; `record` writes an audit line."""

    def __init__(self, copies: Copies, driver: Driver, locks: DomainLocks, record: Callable[..., None]) -> None:
        super().__init__("leftovers")
        self._copies = copies
        self._driver = driver
        self._locks = locks
        self._record = record

    def pending(self) -> Iterable[Copy]:
        """Return what was begun and has no end."""
        return self._copies.pending()

    def told(self, left: Copy) -> str:
        """Return what it is called."""
        return f"the images of '{left.name}' ({left.uuid}) at {left.host}"

    def settle(self, left: Copy) -> None:
        """Remove the images, unless its domain has left, or still does."""
        with connection_pool.session(), self._locks.hold(left.uuid, "leftovers", time.monotonic() + _PATIENCE_SECONDS):
            # Its migration may have ended while the lock was waited for.
            if self._copies.begun(left.uuid) != left:
                return
            try:
                domain = find(self._driver.connection(CHANGE), left.uuid)
                if leaving(domain):
                    return
            except NoSuchDomainError:  # it has left: they are its own now
                self._copies.forget(left.uuid)
                return
            said = self._copies.undo(left) or f"the images made at {left.host} are removed"
            logger.warning("'%s' stayed here: %s", left.name, said)
            self._record(ev="settle", dom=left.name, detail=said)
