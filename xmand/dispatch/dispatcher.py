"""A command's way from its words to its reply.

verb lookup -> authorize -> read arguments -> audit begin -> libvirt, in a worker -> audit end -> reply
"""

import asyncio
import logging
import time
from dataclasses import replace
from typing import Protocol

from xman import outcome, verbs
from xman.errors import CredentialsError, RefusedError, UsageError, XmanError
from xman.result import Result
from xman.wire import constants as wire
from xmand import answer
from xmand.answer import Answer
from xmand.audit import Audit
from xmand.audit.throttle import Throttle
from xmand.authorize import Access, Authority
from xmand.dispatch.exactly_once import Once, Progress
from xmand.dispatch.executor import Executor, Later
from xmand.dispatch.streaming import Following, Listener, Stream
from xmand.journal.recovery import Recovery
from xmand.request import Peer, Request
from xmand.settings import Settings
from xmand.system.workers import NotFinishedError, NotStartedError, Workers
from xmand.verbs.call import Call, Host, Record

logger = logging.getLogger(__name__)

# Lines about denials, of each caller and of all, in so many seconds; what is more is counted.
_MOST_DENIALS = 10
_MOST_DENIALS_IN_ALL = 200
_DENIALS_SECONDS = 60.0
# Threads for authorizers that ask libvirt, or a program of the site's own; who waits longer for one is denied.
_JUDGES = 8
_JUDGE_SECONDS = 15.0


class Reply(Listener, Protocol):
    """Where a command's reply goes; all methods are called on the event loop."""

    def send_output(self, stream: int, data: bytes) -> None:
        """Send a part of the output."""

    def send_progress(self, text: str) -> None:
        """Say something on stream 2 while the command still runs; nothing where it does not any more."""

    def send_status(self, status: int) -> None:
        """End the reply with a status."""

    def send_error(self, code: int) -> None:
        """End the reply with a protocol ERROR."""


class Dispatcher:
    """Runs the commands of all connections."""

    def __init__(self, host: Host, audit: Audit) -> None:
        self._host = host
        self._audit = audit
        limits = host.settings.limits
        self._executor = Executor(limits)
        self._following = Following(limits.streams)
        self._recovery = Recovery(host.journal, host.driver, host.locks, audit)
        self._once = Once(host.journal, self._recovery, audit)
        self._authority = Authority(host.settings, host.driver)
        self._judges = Workers(_JUDGES, "judge")
        self._denials = Throttle(_MOST_DENIALS, _MOST_DENIALS_IN_ALL, _DENIALS_SECONDS)

    def configure(self, settings: Settings) -> None:
        """Use other settings, for commands that begin after this."""
        self._host = replace(self._host, settings=settings)
        self._executor.configure(settings.limits)
        self._following.most = settings.limits.streams
        self._authority.configure(settings)

    async def recover(self) -> None:
        """Settle what an earlier run left open. Raises XmanError where that cannot be begun."""
        await self._recovery.finished()

    async def drain(self) -> None:
        """Wait for the changes that run, whether or not somebody waits for their answer."""
        await self._once.drain()

    @property
    def changes(self) -> int:
        """How many changes run."""
        return self._once.running

    def end_streams(self, reason: XmanError) -> None:
        """End the commands that follow; no other one is touched."""
        self._following.end(reason)

    async def run(self, peer: Peer, lifetime: int, words: list[bytes], reply: Reply) -> None:
        """Run one command of an authenticated `peer`, whose ticket is good for `lifetime` seconds more."""
        if peer.refused:
            self._deny(peer, words, peer.refused, reply)
            return
        name = words[0].decode("ascii", "replace") if words else ""
        verb = verbs.BY_NAME.get(name)
        if verb is None:
            self._deny(peer, words, "no such verb", reply, wire.ERROR_UNKNOWN_COMMAND)
            return
        request = Request(peer, verb, words[1:])
        access = await self._access(request)
        if access is None:
            self._deny(peer, words, self._authority.why_not(), reply)
            return
        peer.changing = verb.changes
        try:
            await self._run(request, access, lifetime, reply)
        finally:
            peer.changing = False

    def report(self) -> None:
        """Write how many denials were held back, if any; to be called every second or so."""
        denials, callers = self._denials.held(time.monotonic())
        if denials:
            self._audit.record(ev="deny", n=denials, detail=f"{denials} more commands of {callers} callers were denied")

    def _deny(self, peer: Peer, words: list[bytes], why: str, reply: Reply, code: int = wire.ERROR_ACCESS) -> None:
        if self._denials.passes(f"{peer.principal!r} {peer.address.rpartition(':')[0]}"):
            self._audit.record(ev="deny", **peer.who(), verb=words[0] if words else b"", detail=why)
        reply.send_error(code)

    async def _access(self, request: Request) -> Access | None:
        """Return what the caller may, None where it may not use the verb; who cannot be judged may nothing."""
        access = self._authority.by_name(request.principal, request.verb.name)
        if access is not None or not self._authority.asks_words:
            return access
        try:
            return await self._judges.run(lambda: self._authority.by_words(request), _JUDGE_SECONDS)
        except (NotStartedError, NotFinishedError):
            logger.error("nobody has judged %s of %s in %.0f s", request.verb.name, request.principal, _JUDGE_SECONDS)
            return None

    async def _run(self, request: Request, access: Access, lifetime: int, reply: Reply) -> None:
        failure = _unfit(request, lifetime)
        if failure is None and request.verb.changes:
            how = await self._once.run(
                request,
                lambda record, progress: self._work(request, access, progress, record=record),
                reply.send_progress,
                self._executor.patience(request.parsed)[0],
            )
            _tell(request, how, reply)
            return
        self._audit.begin(request)
        if failure is not None:
            how = Answer(failure.outcome, request.ms(), str(failure))
        elif request.parsed.follows:
            how = await self._follow(request, access, lifetime, reply)
        else:
            how, later = await self._work(request, access, reply.send_progress)
            if later is not None:
                later.add_done_callback(lambda future: self._audit.end(request, future.result(), ev="late"))
        self._audit.end(request, _tell(request, how, reply))

    async def _follow(self, request: Request, access: Access, lifetime: int, reply: Reply) -> Answer:
        async def may() -> bool:
            return await self._access(request) is not None

        try:
            async with self._following.stream(reply, lifetime, may, alive=request.parsed.flag("alive")) as stream:
                how, _later = await self._work(request, access, reply.send_progress, stream=stream)
                return how
        except XmanError as error:
            return Answer(error.outcome, request.ms(), str(error))

    async def _work(
        self,
        request: Request,
        access: Access,
        progress: Progress,
        *,
        record: Record | None = None,
        stream: Stream | None = None,
    ) -> tuple[Answer, Later | None]:
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(progress, text)

        def emit(part: Result | None) -> None:
            assert stream is not None  # noqa: S101  # only commands that follow answer in parts
            if part is None:
                stream.check()
            else:
                stream.write(answer.part(request.verb.name, part, request.ms(), as_json=request.json))

        def make_call(deadline: float) -> Call:
            return Call(
                self._host,
                request.principal,
                access,
                request.parsed,
                deadline,
                tell,
                emit,
                record or Record(),
            )

        return await self._executor.run(request, make_call)


def _unfit(request: Request, lifetime: int) -> XmanError | None:
    """Read the words; return why the command cannot be carried out whatever it is about, None where it can."""
    try:
        request.parse()
    except UsageError as error:
        return error
    if request.peer.no_room:
        return RefusedError("This host is busy: too many connections. Try again in a moment.")
    return CredentialsError("your ticket expired; run kinit.") if lifetime <= 0 else None


def _tell(request: Request, how: Answer, reply: Reply) -> Answer:
    """Reply, and return what was replied: a result that cannot be shown is a fault of ours as well."""
    try:
        # Of what was followed all has been sent.
        over = how.done is not None and request.parsed.follows
        output = [] if over else how.output(request.verb.name, request.domain, as_json=request.json)
    except Exception:
        logger.exception("the result of %s of %r cannot be shown", request.verb.name, request.domain)
        how = Answer(outcome.INTERNAL, request.ms(), "see the traceback")
    if how.fault:
        reply.send_error(wire.ERROR_INTERNAL)
        return how
    for stream, data in output:
        reply.send_output(stream, data)
    reply.send_status(how.code)
    return how
