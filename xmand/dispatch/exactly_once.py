"""Each change once: written down before it acts, its answer after; who asks again gets that answer.

A change goes on when its caller is gone: it runs in a task of its own, and connections only wait for it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

from xman import outcome
from xman.errors import RefusedError, UnknownOutcomeError, XmanError
from xmand.answer import Answer
from xmand.audit import Audit
from xmand.dispatch.executor import Later
from xmand.journal import Journal, JournalError
from xmand.journal.entries import Begun, Change, ConflictError, Entry
from xmand.journal.recovery import Recovery, tell
from xmand.request import Request
from xmand.system.workers import NotFinishedError, NotStartedError, Workers
from xmand.verbs.call import Record
from xmand.virt.volume_copies import Place

logger = logging.getLogger(__name__)

# A disk that takes longer than this is as good as broken.
_JOURNAL_SECONDS = 10.0

# What is as true where the change may have happened before; the others say that nothing did.
_TRUE_IN_DOUBT = {outcome.OK, outcome.INTERNAL, outcome.UNKNOWN, outcome.TIMEOUT}

Progress = Callable[[str], None]
# Waits for what was promised before our start, and does it; None where we end before that.
Keep = Callable[[Entry], Awaitable[Answer | None]]
# Carries the change out: it gets what tells the journal, and whom to tell how far it is.
Act = Callable[[Record, Progress], Awaitable[tuple[Answer, Later | None]]]


class _Running:
    """A change that somebody waits for: `answered` for the one who asked, `ended` for those who ask again."""

    def __init__(self, digest: str, loop: asyncio.AbstractEventLoop) -> None:
        self.digest = digest
        self.answered: asyncio.Future[Answer] = loop.create_future()
        self.ended: asyncio.Future[Answer] = loop.create_future()
        self._listeners: list[Progress] = []

    @contextlib.contextmanager
    def told(self, listener: Progress) -> Iterator[None]:
        """Tell `listener` how far it is, as long as this lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def progress(self, text: str) -> None:
        """Tell all that listen; on the event loop."""
        for listener in self._listeners:
            listener(text)


class _InJournal(Record):
    """What a verb tells the journal of its change."""

    def __init__(self, journal: Journal, begun: Begun, request: Request) -> None:
        self._journal = journal
        self._id = begun.id
        self._request = request

    def found(self, uuid: str) -> None:
        self._request.uuid = uuid

    def intends(self, name: str, uuid: str, *, replaces: bool = False, makes: Sequence[Place] = ()) -> None:
        try:
            self._journal.intend(self._id, name, uuid, replaces=replaces, makes=[asdict(place) for place in makes])
        except JournalError as error:
            raise _unavailable(error) from error
        self._request.domain, self._request.uuid = name, uuid

    def promises(self, facts: dict[str, Any]) -> None:
        try:
            self._journal.promise(self._id, facts)
        except JournalError as error:
            raise _unavailable(error) from error


class Once:
    """The changes of this daemon."""

    def __init__(self, journal: Journal, recovery: Recovery, audit: Audit, keep: Keep) -> None:
        self._journal = journal
        self._keep = keep
        self._recovery = recovery
        self._audit = audit
        # One thread: SQLite writes one at a time anyway, and a hung disk should not cost more than that.
        self._writer = Workers(1, "journal")
        self._running: dict[tuple[bytes, str], _Running] = {}
        # The event loop itself keeps no reference to a task.
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, request: Request, act: Act, progress: Progress, patience: float | None) -> Answer:
        """Carry a change out, or wait up to `patience` seconds for the same one that runs already; never raises."""
        key = (request.peer.principal, request.rid)
        running = self._running.get(key)
        if running is not None:
            return await self._attach(running, request, progress, patience)
        running = self._running[key] = _Running(request.digest(), asyncio.get_running_loop())
        task = asyncio.create_task(self._change(key, running, request, act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with running.told(progress):
            return await asyncio.shield(running.answered)

    async def write_down(self, request: Request) -> int:
        """Write down that a command begins which is kept, and never repeated; return its number.

        Raises RefusedError where that cannot be done.
        """
        return (await self._begin(request)).id

    async def ended(self, number: int, how: Answer, request: Request) -> None:
        """Write down how it ended."""
        await self._end(number, how, request)

    def resume(self) -> None:
        """Go on with what an earlier run promised; who asks again gets its end."""
        while self._recovery.promised:
            key, entry = self._recovery.promised.popitem()
            running = self._running[key] = _Running(entry.change.digest, asyncio.get_running_loop())
            task = asyncio.create_task(self._resumed(key, running, entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _resumed(self, key: tuple[bytes, str], running: _Running, entry: Entry) -> None:
        how = await self._keep(entry)
        if how is None:  # we end, and it goes on once more
            return
        with contextlib.suppress(NotStartedError, NotFinishedError):
            await self._writer.run(
                lambda: self._journal.end(entry.id, how, entry.uuid, recovered=True), _JOURNAL_SECONDS
            )
        tell(self._audit, entry.change, how)
        running.answered.set_result(how)
        self._ended(key, running, how)

    @property
    def running(self) -> int:
        """How many changes run."""
        return len(self._tasks)

    async def drain(self) -> None:
        """Wait for the changes that run."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _attach(self, running: _Running, request: Request, progress: Progress, patience: float | None) -> Answer:
        if running.digest != request.digest():
            return self._refuse(request, _conflict())
        try:
            with running.told(progress):
                how = await asyncio.wait_for(asyncio.shield(running.ended), patience)
        except TimeoutError:
            how = Answer(outcome.UNKNOWN, request.ms(), f"The {request.verb.name} is still under way.")
        self._audit.end(request, how, ev="again")
        return how

    async def _change(self, key: tuple[bytes, str], running: _Running, request: Request, act: Act) -> None:
        later: Later | None = None
        try:
            how, later = await self._carry_out(running, request, act)
        except XmanError as error:
            how = self._refuse(request, error)
        except Exception:
            logger.exception("%s of %r by %r failed", request.verb.name, request.domain, request.peer.principal)
            how = Answer(outcome.INTERNAL, message="see the traceback")
        running.answered.set_result(how)
        if later is None:
            running.ended.set_result(how)
            del self._running[key]
        else:
            asyncio.wrap_future(later).add_done_callback(lambda future: self._ended(key, running, future.result()))

    async def _carry_out(self, running: _Running, request: Request, act: Act) -> tuple[Answer, Later | None]:
        """Do it, or find that it was done. Raises RefusedError, and HypervisorError where it cannot be told."""
        await self._recovery.settled()
        begun = await self._begin(request)
        if begun.pending:
            # What is left from before the start is about to be judged.
            await self._recovery.finished()
            begun = await self._begin(request)
        promised = self._recovery.promised.pop((request.peer.principal, request.rid), None) if begun.pending else None
        if promised is not None:
            how_it_ends = await self._keep(promised)
            if how_it_ends is None:
                return _under_way(request), Future()
            await self._end(begun.id, how_it_ends, request)
            self._audit.end(request, how_it_ends, ev="again")
            return how_it_ends, None
        if begun.answer is not None:
            self._audit.end(request, begun.answer, ev="again")
            return begun.answer, None
        if begun.pending:
            raise UnknownOutcomeError(f"It is not yet known how the {request.verb.name} ended; check with rxm list.")
        self._audit.begin(request)
        how, later = await act(_InJournal(self._journal, begun, request), running.progress)
        if begun.doubt is not None:
            how, later = _doubted(begun.doubt, how), later and _late_and_doubted(begun.doubt, later)
        if later is None:
            await self._end(begun.id, how, request)
        else:
            # In the worker's own thread, which may block: the event loop may have ended by then.
            later.add_done_callback(lambda future: self._journal.end(begun.id, future.result(), request.uuid))
            later.add_done_callback(lambda future: self._audit.end(request, future.result(), ev="late"))
        self._audit.end(request, how)
        return how, later

    def _ended(self, key: tuple[bytes, str], running: _Running, how: Answer) -> None:
        running.ended.set_result(how)
        del self._running[key]

    async def _begin(self, request: Request) -> Begun:
        change = Change(
            request.principal,
            request.rid,
            request.digest(),
            request.peer.address,
            request.verb.name,
            request.domain,
            request.reason,
            request.asked(),
        )
        try:
            return await self._writer.run(lambda: self._journal.begin(change), _JOURNAL_SECONDS)
        except ConflictError:
            raise _conflict() from None
        except JournalError as error:
            raise _unavailable(error) from error
        except NotStartedError:
            raise _unavailable("the disk does not respond") from None
        except NotFinishedError as unfinished:
            unfinished.future.add_done_callback(self._take_back)
            raise _unavailable("the disk does not respond") from None

    def _take_back(self, future: "Future[Begun]") -> None:
        """End what was written down too late for its change to be made; in the journal's own thread."""
        if future.exception() is None:
            begun = future.result()
            if begun.answer is None and not begun.pending:
                error = _unavailable("the disk does not respond")
                self._journal.end(begun.id, Answer(error.outcome, 0, str(error)), again=True)

    async def _end(self, identifier: int, how: Answer, request: Request) -> None:
        try:
            await self._writer.run(lambda: self._journal.end(identifier, how, request.uuid), _JOURNAL_SECONDS)
        except (NotStartedError, NotFinishedError):
            # It is owed, and will be written before the next change is begun; or found missing after a restart.
            logger.error("the journal does not take the end of %s (%s)", request.verb.name, request.rid)

    def _refuse(self, request: Request, error: XmanError) -> Answer:
        how = Answer(error.outcome, request.ms(), str(error))
        self._audit.begin(request)
        self._audit.end(request, how)
        return how


def _doubted(doubt: Answer, how: Answer) -> Answer:
    """Return how a change ended that may have happened before, as `doubt` says.

    That the second try came to nothing does not say that the first one did.
    """
    if how.code in _TRUE_IN_DOUBT:
        return how
    return Answer(outcome.UNKNOWN, how.ms, f"{doubt.message} Asked again: {how.message}")


def _late_and_doubted(doubt: Answer, later: Later) -> Later:
    ended: Later = Future()
    later.add_done_callback(lambda future: ended.set_result(_doubted(doubt, future.result())))
    return ended


def _under_way(request: Request) -> Answer:
    message = f"xmand is ending. The {request.verb.name} goes on when it is back; ask again, or look with rxm log."
    return Answer(outcome.UNKNOWN, request.ms(), message)


def _conflict() -> RefusedError:
    return RefusedError("This request id (--rid) was used for another command; nothing was done.")


def _unavailable(why: object) -> RefusedError:
    return RefusedError(f"{outcome.NOT_LOOKED_UP}, so nothing is changed: {why}.")
