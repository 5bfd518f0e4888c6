"""What was promised to be done later, and is in the journal: `shutdown --force-after` goes on after a restart."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from xman import outcome
from xman.errors import HypervisorError, NoSuchDomainError, XmanError
from xman.result import Result
from xmand.answer import Answer
from xmand.events.table import EndingError, Entry, Table
from xmand.events.waiting import UntilOff
from xmand.journal.entries import Entry as Written
from xmand.journal.promised import KEY, boot
from xmand.system.locks import DomainLocks
from xmand.system.workers import NotFinishedError, Whose, Workers
from xmand.virt import connection_pool
from xmand.virt.domain import find
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

# A libvirt that is away is asked again so often, and another change of the domain waited for so long.
_AGAIN_SECONDS = 5.0
_LOCK_SECONDS = 120.0


class Promises:
    """Keeps promises from before xmand's start."""

    def __init__(self, driver: Driver, locks: DomainLocks, table: Table, listed: Callable[[str], bool]) -> None:
        self._driver = driver
        # Whether a principal is on the list.
        self._listed = listed
        self._locks = locks
        self._table = table
        self._workers = Workers(2, "promise")

    async def keep(self, written: Written) -> Answer | None:
        """Wait, and do what was promised; None where xmand itself ends before that."""
        promised = written.change.asked[KEY]
        if promised["boot"] != boot():
            done = Result({"off": True, "forced": False}, changed=True, domain=promised["name"])
            return Answer(outcome.OK, done=done)
        goal = UntilOff(promised["name"], promised["uuid"], promised["before"])
        # No jump of the clock makes it longer than it was.
        left = max(0.0, min(promised["seconds"], promised["until"] - time.time()))
        whose = written.change.principal
        entry = self._table.enter(Whose(whose, self._listed(whose)), promised=promised["uuid"])
        try:
            self._table.watch(entry, goal)
            return Answer(outcome.OK, done=await self._off(entry, left, promised))
        except EndingError:
            return None
        except XmanError as error:
            return Answer(error.outcome, message=str(error))
        finally:
            entry.leave()

    async def _off(self, entry: Entry, seconds: float, promised: dict[str, Any]) -> Result:
        waiting = asyncio.wrap_future(entry.ended)
        done, _pending = await asyncio.wait({waiting}, timeout=seconds)
        while not done:
            try:
                return await self._workers.run(lambda: self._force(promised), _LOCK_SECONDS)
            except (HypervisorError, NotFinishedError) as error:
                logger.warning("'%s' is to be destroyed, and cannot be yet: %s", promised["name"], error)
            done, _pending = await asyncio.wait({waiting}, timeout=_AGAIN_SECONDS)
        return waiting.result()

    def _force(self, promised: dict[str, Any]) -> Result:
        """Destroy the run that was to end, if it is that one still."""
        name, uuid = promised["name"], promised["uuid"]
        forced = False
        with connection_pool.session(), self._locks.hold(uuid, "shutdown", time.monotonic() + _LOCK_SECONDS):
            try:
                domain = find(self._driver.connection(CHANGE), uuid)
                if domain.active() and domain.identifier() == promised["before"]:
                    domain.destroy()
                    forced = True
            except NoSuchDomainError:
                pass
        note = (
            f"Domain '{name}' did not shut down in time and was destroyed." if forced else f"Domain {name} terminated"
        )
        return Result({"off": True, "forced": forced}, changed=True, domain=name, notes=(note,))
