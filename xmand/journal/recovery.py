"""After a crash: each change that was begun and has no end is judged, before the first change of its domain.

First the domains concerned are locked, which every change waits for; then each is judged, in a worker, as long as
libvirt takes, and its lock released. Where libvirt or the journal does not answer, changes are refused, and each that
comes tries again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace

from xman import outcome
from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, XmanError
from xmand.answer import Answer
from xmand.audit import Audit
from xmand.journal import Journal, JournalError
from xmand.journal.entries import Change, Entry
from xmand.journal.promised import KEY
from xmand.journal.verdicts import Judge, Verdict, cannot_tell, judge
from xmand.system.locks import DomainLocks
from xmand.system.workers import NotFinishedError, NotStartedError, Workers
from xmand.virt import connection_pool, volume_copies
from xmand.virt.domain import Domain, find
from xmand.virt.domain_jobs import busy
from xmand.virt.driver import CHANGE, Driver
from xmand.virt.volume_copies import Place

logger = logging.getLogger(__name__)

# How long the first step may keep a change waiting: it makes a few small calls.
_LOCK_SECONDS = 15.0
# libvirtd goes on with what it was told when xmand died; what takes longer than this is not known.
_BUSY_SECONDS = 60.0
_POLL_SECONDS = 0.2


class _Group:
    """The open changes of one domain, and its lock."""

    def __init__(self, domain: Domain | None) -> None:
        self.domain = domain
        self.entries: list[Entry] = []
        self.lock = contextlib.ExitStack()


class Recovery:
    """Settles what an earlier run left open; `judges` has for each verb how that is done."""

    def __init__(
        self, journal: Journal, driver: Driver, locks: DomainLocks, audit: Audit, judges: Mapping[str, Judge]
    ) -> None:
        self._judges = judges
        self._journal = journal
        self._driver = driver
        self._locks = locks
        self._audit = audit
        self._workers = Workers(2, "recovery")
        # What is not over, and goes on: by principal and request id.
        self.promised: dict[tuple[bytes, str], Entry] = {}
        self._locking: asyncio.Task[list[_Group]] | None = None
        self._judging: asyncio.Task[None] | None = None

    async def settled(self) -> None:
        """Return once the domains with open changes are locked; to be called before each change.

        Raises RefusedError where the journal cannot be read, HypervisorError where libvirt does not answer.
        """
        if self._judging is not None:
            return
        if self._locking is None or self._locking.done():
            self._locking = asyncio.create_task(self._lock_all())
        await asyncio.shield(self._locking)

    async def finished(self) -> None:
        """Return once everything is judged."""
        await self.settled()
        if self._judging is not None:
            await asyncio.shield(self._judging)

    async def _lock_all(self) -> list[_Group]:
        try:
            groups = await self._workers.run(self._lock_domains, _LOCK_SECONDS)
        except HypervisorError as error:
            raise _unsettled(str(error).rstrip(".")) from error
        except RefusedError as error:
            # Ours alone: what was asked for before was not refused.
            raise _unsettled(str(error).rstrip(".")) from error
        except JournalError as error:
            raise RefusedError(f"{outcome.NOT_LOOKED_UP}, so nothing is changed: {error}.") from error
        except (NotStartedError, NotFinishedError) as error:
            if isinstance(error, NotFinishedError):
                error.future.add_done_callback(lambda late: _release(late.result()) if not late.exception() else None)
            raise _unsettled("libvirt does not respond") from None
        self._judging = asyncio.create_task(self._judge_all(groups))
        return groups

    def _lock_domains(self) -> list[_Group]:
        """Find and lock the domains of all open changes."""
        with connection_pool.session():
            return self._found_and_locked()

    def _found_and_locked(self) -> list[_Group]:
        groups: dict[str, _Group] = {}
        # xmand itself may be at work on one, to write down when it was started.
        until = time.monotonic() + _LOCK_SECONDS / 2
        pending = self._journal.pending()
        promises = [entry for entry in pending if KEY in entry.change.asked]
        try:
            for entry in pending:
                if entry in promises:
                    continue
                domain = self._find(entry)
                # As the verbs lock: a domain by its UUID, one that is not there (yet) by its name.
                key = domain.uuid if domain is not None else entry.change.domain
                if key not in groups:
                    groups[key] = _Group(domain)
                    groups[key].lock.enter_context(self._locks.hold(key, "recovery", until))
                groups[key].entries.append(entry)
        except BaseException:
            _release(list(groups.values()))
            raise
        self.promised = {(entry.change.principal.encode(), entry.change.rid): entry for entry in promises}
        return list(groups.values())

    def _find(self, entry: Entry) -> Domain | None:
        connection = self._driver.connection(CHANGE)
        word = entry.uuid or entry.change.domain
        with contextlib.suppress(NoSuchDomainError):
            return find(connection, word) if word else None
        return None

    async def _judge_all(self, groups: list[_Group]) -> None:
        await asyncio.gather(*(self._judge_group(group) for group in groups))

    async def _judge_group(self, group: _Group) -> None:
        with contextlib.suppress(NotStartedError, NotFinishedError):  # without a deadline neither is raised
            await self._workers.run(lambda: self._judge(group), None)

    def _judge(self, group: _Group) -> None:
        with connection_pool.session(), group.lock:
            for entry in group.entries:
                verdict = self._verdict(entry, group.domain)
                self._journal.end(entry.id, verdict.answer, recovered=True, again=verdict.again)
                tell(self._audit, entry.change, verdict.answer)

    def _with_what_is_left(self, change: Change) -> Change:
        """Return the change with those of its volumes that are there, and those that nobody can look for."""
        if "makes" not in change.asked:
            return change
        left, unseen = volume_copies.left(self._driver.connection(CHANGE), _places(change))
        found = {"makes": [asdict(place) for place in left], "unseen": [asdict(place) for place in unseen]}
        return replace(change, asked=change.asked | found)

    def _verdict(self, entry: Entry, domain: Domain | None) -> Verdict:
        try:
            deadline = time.monotonic() + _BUSY_SECONDS
            while domain is not None and busy(domain):
                if time.monotonic() > deadline:
                    message = f"xmand ended during the {entry.change.verb}, and libvirt is still working on it."
                    return Verdict(Answer(outcome.UNKNOWN, message=message))
                time.sleep(_POLL_SECONDS)
            # What was found before it was waited for may be gone by now.
            change = self._with_what_is_left(entry.change)
            return judge(self._judges.get(entry.change.verb, cannot_tell), change, entry.uuid, self._find(entry))
        except XmanError as error:
            return Verdict(Answer(outcome.UNKNOWN, message=f"xmand ended during the {entry.change.verb}: {error}"))
        except Exception:
            logger.exception("what became of %s (%s) cannot be judged", entry.change.verb, entry.change.rid)
            return Verdict(Answer(outcome.UNKNOWN, message=f"xmand ended during the {entry.change.verb}."))


def _places(change: Change) -> list[Place]:
    return [Place(str(each["pool"]), str(each["name"])) for each in change.asked["makes"]]


def _unsettled(why: str) -> HypervisorError:
    return HypervisorError(
        f"{why}, and what became of changes from before xmand's start is not known"
        f" ({outcome.NOT_LOOKED_UP}); nothing was done."
    )


def _release(groups: list[_Group]) -> None:
    for group in groups:
        group.lock.close()


def tell(audit: Audit, change: Change, how: Answer) -> None:
    """Write down how a change ended that nobody waits for any more."""
    audit.record(
        ev="end",
        rid=change.rid,
        princ=change.principal,
        peer=change.peer,
        verb=change.verb,
        dom=change.domain,
        reason=change.reason,
        res=outcome.class_name(how.code),
        code=how.code,
        recovered=1,
        detail=how.detail,
    )
