"""A verb carried out in a worker, within its deadline; the one place where what it raises is caught."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from xman import grammar, outcome
from xman.arguments import Parsed
from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UnreachableError, XmanError
from xman.grammar import Verb
from xman.result import Result
from xmand import answer
from xmand.answer import Answer
from xmand.consoles.served import Served
from xmand.dispatch.streaming import Stream, StreamOverError
from xmand.events.table import EndingError, Waits
from xmand.request import Request
from xmand.settings import Limits
from xmand.system.workers import NotFinishedError, NotStartedError, Whose, Workers
from xmand.verbs import HANDLERS
from xmand.verbs.call import Call, Handler
from xmand.virt import connection_pool
from xmand.virt.driver import READ

logger = logging.getLogger(__name__)

# The caller's own deadline is met a little early, so that the answer reaches it in time.
_HEADROOM_SECONDS = 0.5
# Beyond any verb that has no deadline of its own.
_FOR_EVER_SECONDS = 366 * 86_400.0
# A libvirt that was lost within so many seconds has died; one that takes longer to be lost hangs.
_RESTART_SECONDS = 2.0

# Where a verb's end was not waited for: how it ends, if it does.
Later = Future[Answer]


class Executor:
    """Runs verbs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._workers = Workers(limits.workers, "verb")
        self._long_workers = Workers(limits.long_workers, "long-verb")
        # `Following` has shared out their places.
        self._stream_workers = Workers(limits.streams, "stream")
        self.configure(limits)

    def configure(self, limits: Limits) -> None:
        """Use other limits, for verbs that begin after this."""
        self._limits = limits
        for workers, count in ((self._workers, limits.workers), (self._long_workers, limits.long_workers)):
            workers.share(count, limits.share_of(count), limits.kept_of(count))
        self._stream_workers.share(limits.streams)

    async def run(
        self,
        request: Request,
        make_call: Callable[[float], Call],
        whose: Whose,
        most: float | None = None,
        stream: Stream | None = None,
    ) -> tuple[Answer, Later | None]:
        """Run the verb on the account of `whose` and return its answer, after `most` seconds at most; never raises.

        `make_call` makes what it works with, for a deadline (time.monotonic()). Where that passes first, the answer
        says so, and how it ends really is in the future that comes with it.
        """
        seconds, long = self.patience(request.parsed)
        # A verb that waits is told to stop a little before its caller is.
        call = make_call(time.monotonic() + (seconds - _HEADROOM_SECONDS / 2 if seconds else _FOR_EVER_SECONDS))
        first = self._in_thread(request, seconds, most)
        workers = self._workers if not long else self._stream_workers if request.parsed.follows else self._long_workers
        later: Later | None = None
        try:
            done = await workers.run(lambda: _worked(request, call), first, whose)
            if isinstance(done, Waits):
                done = await self._wait(done, request)
            elif isinstance(done, Served):
                done = await self._serve(done, stream, whose)
            return Answer(outcome.OK, request.ms(), done=done), None
        except _UnderWayError as error_of_end:
            # Never done here: the journal keeps it open for the next run of xmand.
            return _failed(error_of_end, request), Future()
        except StreamOverError as over:
            return Answer(outcome.OK, request.ms(), done=Result(notes=(str(over),))), None
        except NotStartedError:
            error: Exception = _full(workers)
        except NotFinishedError as unfinished:
            later = Future()
            unfinished.future.add_done_callback(lambda future: later.set_result(_ended(future, request)))
            error = _late(request.verb, first)
        except Exception as raised:
            # Under no name of this frame's, which is in its traceback: it would hold itself (`Workers.run`).
            return _failed(raised, request), None
        return _failed(error, request), later

    def patience(self, parsed: Parsed) -> tuple[float | None, bool]:
        """Return how long the verb may take (None: as long as something moves), and whether that may be minutes."""
        waiting = parsed.waiting_seconds(self._limits.wait_seconds)
        kind = grammar.NONE if parsed.follows else parsed.verb.deadline
        usual = {
            grammar.READ: self._limits.read_seconds,
            grammar.CHANGE: self._limits.change_seconds,
            grammar.NONE: None,
        }
        seconds = waiting or usual[kind]
        asked = parsed.options.get("timeout")
        if isinstance(asked, float) and (seconds is None or asked < seconds or waiting):
            seconds = max(asked - _HEADROOM_SECONDS, asked / 2)
        return seconds, waiting is None and kind == grammar.NONE

    def _in_thread(self, request: Request, seconds: float | None, most: float | None) -> float | None:
        """Return how long a thread may take of the verb's `seconds`, `most` at most."""
        if request.parsed.waiting_seconds(0.0) is not None:
            # Who waits does so without a thread; until then it is a verb as any other.
            usual = self._limits.change_seconds if request.verb.changes else self._limits.read_seconds
            seconds = min(seconds or usual, usual)
        return seconds if most is None else min(most, seconds or most)

    async def _wait(self, waits: Waits, request: Request) -> Result:
        """Wait, without a thread. Raises XmanError."""
        if not request.verb.changes:
            request.peer.waits = waits.entry.end
            if request.peer.gone:
                waits.entry.end(UnreachableError("the client is gone"))
        goal = waits.entry.goal
        assert goal is not None  # noqa: S101  # a verb that waits has said for what
        try:
            ended = asyncio.wrap_future(waits.entry.ended)
            done, _pending = await asyncio.wait({ended}, timeout=max(0.0, waits.until - time.monotonic()))
            if done:
                return ended.result()
            if waits.expired is None:
                raise goal.late(time.monotonic())
            return await self._expire(waits.expired)
        except EndingError as error:
            if waits.promised:
                raise _UnderWayError(
                    f"xmand is ending. The {request.verb.name} goes on when it is back; ask again, or see rxm log."
                ) from error
            raise (goal.late(time.monotonic()) if request.verb.changes else error) from None
        finally:
            request.peer.waits = None
            waits.entry.leave()

    async def _serve(self, served: Served, stream: Stream | None, whose: Whose) -> Result:
        """Serve a client that stays, without a thread. Raises XmanError, and StreamOverError."""
        assert stream is not None  # noqa: S101  # only commands that follow are served so

        async def in_worker(call: Callable[[], object]) -> object:
            def do() -> object:
                with connection_pool.session():
                    return call()

            try:
                return await self._stream_workers.run(do, self._limits.read_seconds, whose)
            except NotStartedError:
                raise _full(self._stream_workers) from None
            except NotFinishedError:
                raise HypervisorError("libvirt does not respond.") from None

        with served.stay:
            return await served.serve(stream, in_worker)

    async def page(self, make: Callable[[], bytes | None], whose: Whose) -> bytes | None:
        """Make a part of an answer in a worker. Raises XmanError, also where none is free or that takes too long."""
        try:
            return await self._workers.run(make, self._limits.read_seconds, whose)
        except NotStartedError:
            raise _full(self._workers) from None
        except NotFinishedError:
            raise HypervisorError("The rest of the answer could not be read in time.") from None

    async def _expire(self, expired: Callable[[], Result]) -> Result:
        """Do what was to be done at the end of the patience: on nobody's account, since it was taken on long ago."""

        def do() -> Result:
            with connection_pool.session():
                return expired()

        try:
            return await self._workers.run(do, self._limits.change_seconds)
        except NotStartedError:
            raise _full(self._workers) from None
        except NotFinishedError as unfinished:
            raise UnknownOutcomeError("libvirt did not answer in time; it may still be destroyed.") from unfinished


class _UnderWayError(UnknownOutcomeError):
    """It goes on when xmand is back."""


def _worked(request: Request, call: Call) -> Result | Waits | Served:
    """Run the verb, and make in the same thread what is sent of its result."""
    found = in_session(HANDLERS[request.verb.name], call)
    # A change's result is kept in the journal, and is short; parts and pages are made as they are sent.
    as_sent = request.verb.changes or request.parsed.follows or request.verb.paged
    if isinstance(found, Result) and not as_sent:
        answer.prepare(request.verb.name, found, as_json=request.json)
    return found


def in_session(handler: Handler, call: Call) -> Result | Waits | Served:
    """Run a verb over connections that it shares with few others, and with none that stands still."""
    with connection_pool.session(call.progress):
        return carry_out(handler, call)


def carry_out(handler: Handler, call: Call) -> Result | Waits | Served:
    """Run a verb; once more where it changes nothing and libvirt was lost under it, as happens when that restarts."""
    began = time.monotonic()
    try:
        return handler(call)
    except HypervisorError:
        if call.verb.changes or call.parsed.follows or time.monotonic() - began > _RESTART_SECONDS:
            raise
        if not call.host.driver.was_lost(READ):
            raise
    return handler(call)


def _full(workers: Workers) -> XmanError:
    """Return why no thread was free: libvirt holds them, or others do who only take their time."""
    if workers.stuck:
        return HypervisorError("libvirt does not respond, and too many commands wait for it; nothing was done.")
    return RefusedError("This host is busy: too many commands are under way; nothing was done. Try again in a moment.")


def _late(verb: Verb, seconds: float | None) -> XmanError:
    if verb.changes:
        return UnknownOutcomeError(
            f"libvirt did not answer in {seconds:.0f} s; the {verb.name} may still happen. Look with rxm list."
        )
    return HypervisorError(f"libvirt did not answer in {seconds:.0f} s.")


def _ended(future: "Future[Any]", request: Request) -> Answer:
    error = future.exception()
    if error is not None:
        return _failed(error, request)
    done: Result | Served = future.result()
    if isinstance(done, Served):
        done.abandon()
        done = Result(domain=request.domain)
    return Answer(outcome.OK, request.ms(), done=done)


def _failed(error: BaseException, request: Request) -> Answer:
    """Return the answer that `error` stands for; what is not one of ours is a fault of ours, and logged as such."""
    if isinstance(error, XmanError):
        return Answer(error.outcome, request.ms(), str(error))
    logger.error("%s of %r by %r failed", request.verb.name, request.domain, request.peer.principal, exc_info=error)
    return Answer(outcome.INTERNAL, request.ms(), "see the traceback")
