"""A command's way from its words to its reply.

verb lookup -> authorize -> read arguments -> audit begin -> libvirt, in a worker -> audit end -> reply
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from xman import grammar
from xman.between import EVERY
from xman.errors import CredentialsError, RefusedError, UsageError, XmanError
from xman.result import Result
from xman.throttle import Throttle
from xman.wire import constants as wire
from xmand import answer
from xmand.answer import Answer
from xmand.audit import Audit
from xmand.authorize import Access, Authority, Rank, UnreadError
from xmand.authorize.k5login import AccessList
from xmand.dispatch import looking, telling
from xmand.dispatch.exactly_once import Once, Progress
from xmand.dispatch.executor import Executor, Later
from xmand.dispatch.promises import Promises
from xmand.dispatch.streaming import Following, Listener, Stream
from xmand.journal.recovery import Recovery
from xmand.request import Peer, Request
from xmand.settings import Limits, Settings
from xmand.system.workers import NotFinishedError, NotStartedError, Whose, Workers
from xmand.verbs import JUDGES
from xmand.verbs.call import Call, Host, Record

logger = logging.getLogger(__name__)

# Lines about denials, of each caller and of all, in so many seconds; what is more is counted.
_MOST_DENIALS = 10
_MOST_DENIALS_IN_ALL = 200
_DENIALS_SECONDS = 60.0
_LONGEST_VERB = max(map(len, EVERY)) + 1
# Threads for authorizers that ask libvirt, or a program of the site's own; who waits longer for one is told so, or less
# where it is only about what he may besides. One caller has at most so many of them.
_JUDGES = 8
_JUDGES_EACH = 2
_JUDGE_SECONDS, _BESIDES_SECONDS = 15.0, 2.0
# Threads that read the list. One that hangs does so for all: more would only hang as well.
_READERS = 2


class Reply(Listener, Protocol):
    """Where a command's reply goes; all methods are called on the event loop."""

    def send_output(self, stream: int, data: bytes) -> None:
        """Send a part of the output."""

    async def send_long(self, data: bytes) -> None:
        """Send much output as the client takes it. Raises OSError and GssError where he is gone or does not read."""

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
        self._following = Following(limits)
        self._share_places(limits)
        self._recovery = Recovery(host.journal, host.driver, host.locks, audit, JUDGES)
        promises = Promises(host.driver, host.locks, host.events.table, self.on_list)
        self._once = Once(host.journal, self._recovery, audit, promises.keep)
        self._authority = Authority(host.settings, host.driver)
        self._judges = Workers(_JUDGES, "judge", each=_JUDGES_EACH)
        self._readers = Workers(_READERS, "list", each=1)
        # Two, so that strangers cannot keep out of the log what administrators are denied.
        self._denials = {
            known: Throttle(_MOST_DENIALS, _MOST_DENIALS_IN_ALL, _DENIALS_SECONDS) for known in (False, True)
        }

    def configure(self, settings: Settings) -> None:
        """Use other settings, for commands that begin after this."""
        self._host = replace(self._host, settings=settings)
        self._executor.configure(settings.limits)
        self._following.limits = settings.limits
        self._share_places(settings.limits)
        self._authority.configure(settings)

    def _share_places(self, limits: Limits) -> None:
        table = self._host.events.table
        table.most, table.share, table.reserved = limits.waiting, limits.share, limits.kept_of(limits.waiting)

    async def read_list(self) -> None:
        """Read the list before the first client comes: by it his place is found."""
        with contextlib.suppress(NotStartedError, NotFinishedError):
            await self._readers.run(self._authority.listed.read, self._host.settings.limits.list_seconds)

    def list_now(self) -> AccessList | None:
        """Return the list as it is, None where it cannot be used; blocks."""
        return self._authority.listed.read()

    async def recover(self) -> None:
        """Settle what an earlier run left open. Raises XmanError where that cannot be begun."""
        await self._recovery.finished()
        self._once.resume()

    async def drain(self) -> None:
        """Wait for the changes that run, whether or not somebody waits for their answer."""
        await self._once.drain()

    @property
    def changes(self) -> int:
        """How many changes run."""
        return self._once.running

    def end_streams(self, reason: XmanError) -> None:
        """End the commands that follow, and those that wait, but for those that are to be completed."""
        self._following.end(reason)
        self._host.events.table.end()

    @property
    def judges_words(self) -> bool:
        """Whether there are authorizers that judge whole commands, so that who is unknown must be able to say one."""
        return self._authority.asks_words

    def rank(self, peer: Peer) -> Rank:
        """Return whose places are kept for the peer."""
        return Rank.STRANGER if peer.refused else self._authority.rank(peer.principal.decode("ascii"))

    def on_list(self, principal: str) -> bool:
        """Whether he is on the list, as it was read last."""
        last = self._authority.listed.last
        return last is not None and last.permits(principal.encode())

    def admits(self, peer: Peer) -> bool | None:
        """Whether a command that is longer than a stranger's may be is worth reading; None: ask `admits_later`."""
        if peer.refused:
            return False
        try:
            return self._authority.asks_words or self._authority.knows(peer.principal.decode("ascii"), wait=False)
        except UnreadError:
            return None

    async def admits_later(self, peer: Peer) -> bool:
        """The same, where the list has to be read first; who cannot be judged is not admitted."""
        principal = peer.principal.decode("ascii")
        with contextlib.suppress(NotStartedError, NotFinishedError):
            seconds = self._host.settings.limits.list_seconds
            return await self._readers.run(lambda: self._authority.knows(principal), seconds, self._whose(peer))
        return False

    def at_once(self, peer: Peer, lifetime: int, words: list[bytes], reply: Reply) -> bool:
        """Answer a command where the model has what it asks for and nothing has to be waited for; return whether so.

        Of what is not answered so nothing is done, and nothing written down: it is for `run`.
        """
        verb = None if peer.refused else _verb(words)
        if verb is None or not looking.may_have(verb.name, words):
            return False
        request = Request(peer, verb, words[1:])
        try:
            access = self._authority.by_name(request.principal, verb.name, wait=False)
        except UnreadError:
            return False
        if access is None or _unfit(request, lifetime) is not None:
            return False
        how = looking.now(self._host.model, request, access)
        output = None if how is None else telling.short(request, how)
        if how is None or output is None:
            return False
        peer.authorized = not access.restricted
        self._audit.begin(request)
        telling.say(how, output, reply)
        self._audit.end(request, how)
        return True

    async def run(self, peer: Peer, lifetime: int, words: list[bytes], reply: Reply) -> None:
        """Run one command of an authenticated `peer`, whose ticket is good for `lifetime` seconds more."""
        if peer.refused:
            self.deny(peer, words, reply, peer.refused)
            return
        verb = _verb(words)
        if verb is None:
            self.deny(peer, words, reply, "no such verb", wire.ERROR_UNKNOWN_COMMAND)
            return
        request = Request(peer, verb, words[1:])
        try:
            access = await self._access(request)
        except RefusedError as error:
            await self._cannot_judge(request, error, reply)
            return
        peer.authorized = access is not None and not access.restricted
        if access is None:
            self.deny(peer, words, reply)
            return
        peer.changing = verb.changes or verb.completes
        try:
            await self._run(request, access, lifetime, reply)
        finally:
            peer.changing = False
            peer.waits = None

    def report(self) -> None:
        """Write how many denials were held back, if any; to be called every second or so."""
        for throttle in self._denials.values():
            denials, callers = throttle.held(time.monotonic())
            if denials:
                text = f"{denials} more commands of {callers} callers were denied"
                self._audit.record(ev="deny", n=denials, detail=text)

    def deny(self, peer: Peer, words: list[bytes], reply: Reply, why: str = "", code: int = wire.ERROR_ACCESS) -> None:
        """Refuse a command of which nothing but its first word was looked at."""
        self._write_denial(peer, words[0] if words else b"", why or self._authority.why_not())
        reply.send_error(code)

    def _write_denial(self, peer: Peer, verb: bytes, why: str) -> None:
        listed = self.rank(peer) is Rank.LISTED
        if self._denials[listed].passes(f"{peer.principal!r} {peer.address.rpartition(':')[0]}"):
            self._audit.record(ev="deny", **peer.who(), verb=verb, detail=why)

    async def _cannot_judge(self, request: Request, error: RefusedError, reply: Reply) -> None:
        """Say so: that somebody may not would be untrue."""
        self._write_denial(request.peer, request.verb.name.encode(), str(error))
        await telling.tell(request, Answer(error.outcome, request.ms(), str(error)), reply)

    def _whose(self, peer: Peer) -> Whose:
        return Whose(peer.principal.decode("ascii"), self.rank(peer) is Rank.LISTED)

    async def _access(self, request: Request) -> Access | None:
        """Return what the caller may, None where it may not use the verb. Raises RefusedError: nobody can tell now."""
        try:
            access = self._authority.by_name(request.principal, request.verb.name, wait=False)
        except UnreadError:
            access = await self._by_list(request)
        # Who asks what he may is told as well of what he owns.
        asks = request.verb.courtesy and access is not None and not access.listed_caller
        if (access is not None and not asks) or not self._authority.asks_words:
            return access
        seconds = _BESIDES_SECONDS if asks else _JUDGE_SECONDS
        try:
            whose = self._whose(request.peer)
            return await self._judges.run(lambda: self._authority.by_words(request, access), seconds, whose)
        except NotStartedError:
            if access is not None:
                return access
            raise RefusedError(
                "This host is busy: too many requests wait for authorization. Try again in a moment."
            ) from None
        except NotFinishedError:
            if access is not None:
                return access
            logger.error("nobody has judged %s of %s in %.0f s", request.verb.name, request.principal, _JUDGE_SECONDS)
            raise RefusedError(
                f"Whether you are authorized was not known within {_JUDGE_SECONDS:.0f} s. Try again in a moment."
            ) from None

    async def _by_list(self, request: Request) -> Access | None:
        """Judge by the list, which has to be read; by the tables alone where that takes too long."""
        principal, verb, seconds = request.principal, request.verb.name, self._host.settings.limits.list_seconds
        try:
            return await self._readers.run(
                lambda: self._authority.by_name(principal, verb), seconds, self._whose(request.peer)
            )
        except (NotStartedError, NotFinishedError):
            access = self._authority.without_list(principal, verb)
            if access is None and not self._authority.asks_words:
                raise RefusedError(
                    f"This host cannot read its list (.k5login) now (no answer in {seconds:.0f} s); nothing was done."
                ) from None
            return access

    async def _run(self, request: Request, access: Access, lifetime: int, reply: Reply) -> None:
        failure = _unfit(request, lifetime)
        if failure is None and request.verb.changes:
            how = await self._once.run(
                request,
                lambda record, progress: self._work(request, access, progress, record=record),
                reply.send_progress,
                self._executor.patience(request.parsed)[0],
            )
            await telling.tell(request, how, reply)
            return
        self._audit.begin(request)
        written = 0
        if failure is None and request.journalled:
            try:
                written = await self._once.write_down(request)
            except RefusedError as error:
                failure = error
        if failure is not None:
            how = Answer(failure.outcome, request.ms(), str(failure))
        elif request.parsed.follows:
            how = await self._follow(request, access, lifetime, reply)
        else:
            how, later = await looking.look(
                self._host.model,
                request,
                access,
                lambda most: self._work(request, access, reply.send_progress, most=most),
            )
            if how.done is not None and how.done.pages is not None:
                how = await self._send_pages(how, request, lifetime, reply)
            if later is not None:
                later.add_done_callback(lambda future: self._audit.end(request, future.result(), ev="late"))
        if written:
            await self._once.ended(written, how, request)
        self._audit.end(request, await telling.tell(request, how, reply))

    async def _send_pages(self, how: Answer, request: Request, lifetime: int, reply: Reply) -> Answer:
        async def may() -> bool:
            return await self._access(request) is not None

        async def in_worker(make: Callable[[], bytes | None]) -> bytes | None:
            return await self._executor.page(make, self._whose(request.peer))

        return await telling.pages(how, request, reply, in_worker, may, lifetime)

    async def _follow(self, request: Request, access: Access, lifetime: int, reply: Reply) -> Answer:
        async def may() -> bool:
            return await self._access(request) is not None

        try:
            async with self._following.stream(
                reply,
                lifetime,
                may,
                self._whose(request.peer),
                alive=request.parsed.flag("alive"),
                completes=request.verb.completes,
            ) as stream:
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
        most: float | None = None,
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
                record or looking.Found(request),
                request.json,
                whose,
            )

        whose = self._whose(request.peer)
        return await self._executor.run(request, make_call, whose, most, stream)


def _verb(words: list[bytes]) -> grammar.Verb | None:
    """Return the verb that a command names; what is longer than any verb is not looked at."""
    name = words[0][:_LONGEST_VERB] if words else b""
    return EVERY.get(name.decode("ascii", "replace"))


def _unfit(request: Request, lifetime: int) -> XmanError | None:
    """Read the words; return why the command cannot be carried out whatever it is about, None where it can."""
    try:
        request.parse()
    except UsageError as error:
        return error
    if request.peer.no_room:
        return RefusedError("This host is busy: too many connections. Try again in a moment.")
    return CredentialsError("your ticket expired; run kinit.") if lifetime <= 0 else None
