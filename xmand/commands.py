"""A command's way from its words to its reply; the one place where expected errors are caught.

verb lookup -> authorise -> audit begin -> read arguments -> libvirt, in a worker -> audit end -> reply
"""

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from concurrent.futures import Future
from typing import Protocol

from xman import arguments, outcome, render, result, verbs
from xman.arguments import Parsed
from xman.errors import (
    CredentialsError,
    DeniedError,
    HypervisorError,
    RefusedError,
    UnknownOutcomeError,
    UsageError,
    XmanError,
)
from xman.result import Result
from xman.verbs import Verb
from xman.wire import constants as wire
from xmand import k5login
from xmand.audit import Audit
from xmand.call import Call, Host
from xmand.stream import Stream, StreamOverError
from xmand.verbs import HANDLERS
from xmand.workers import NotFinishedError, NotStartedError, Workers

logger = logging.getLogger(__name__)

# The caller's own deadline is met a little early, so that the answer reaches it in time.
_HEADROOM_SECONDS = 0.5
_LIST_PROBLEM_SECONDS = 60.0
# A command that follows is judged anew this often, so that who is taken off the list is off within half a minute; the
# sign of life that goes with it tells the client that the host is still there.
_JUDGE_SECONDS = 30.0
# How soon a client that left frees its thread.
_LOOK_SECONDS = 1.0


class Reply(Protocol):
    """Where a command's reply goes; all methods are called on the event loop."""

    def send_output(self, stream: int, data: bytes) -> None:
        """Send a part of the output."""

    async def send_part(self, data: bytes) -> None:
        """Send a part of the output now, without any a sign of life. Raises OSError and GssError."""

    def gone(self) -> bool:
        """Whether nobody will read the reply."""

    def send_progress(self, text: str) -> None:
        """Say something on stream 2 while the command still runs; nothing where it does not any more."""

    def send_status(self, status: int) -> None:
        """End the reply with a status."""

    def send_error(self, code: int) -> None:
        """End the reply with a protocol ERROR."""


class Peer:
    """Who is at the other end of a connection."""

    __slots__ = ("address", "principal", "refused")

    def __init__(self, address: str) -> None:
        self.address = address
        self.principal = b""
        # Why everything is denied whatever the list says; empty where nothing speaks against the name.
        self.refused = "not authenticated"


class Commands:
    """Runs the commands of all connections."""

    def __init__(self, host: Host, audit: Audit) -> None:
        self._host = host
        self._audit = audit
        limits = host.settings.limits
        self._workers = Workers(limits.workers, "verb")
        self._long_workers = Workers(limits.long_workers, "long-verb")
        self._stream_workers = Workers(limits.streams, "stream")
        self._streams: set[Stream] = set()
        self._list_problem_at = -_LIST_PROBLEM_SECONDS
        self._list_warned = ""

    async def run(self, peer: Peer, lifetime: int, words: list[bytes], reply: Reply) -> None:
        """Run one command of an authenticated `peer`, whose ticket is good for `lifetime` seconds more."""
        if peer.refused:
            self._deny(peer, words, peer.refused, reply)
            return
        name = words[0].decode("ascii", "replace") if words else ""
        verb = verbs.BY_NAME.get(name)
        if verb is None:
            self._audit.record(ev="deny", **_who(peer), verb=name, detail="no such verb")
            reply.send_error(wire.ERROR_UNKNOWN_COMMAND)
            return
        access = self._access()
        if access is None or not access.permits(peer.principal):
            self._deny(peer, words, "not on the list" if access else "the list cannot be used", reply)
            return
        await self._run(_Command(peer, verb, words[1:], access), lifetime, reply)

    def end_streams(self, reason: XmanError) -> None:
        """End the commands that follow; no other one is touched."""
        for stream in self._streams:
            stream.end(reason)

    def _deny(self, peer: Peer, words: list[bytes], why: str, reply: Reply) -> None:
        self._audit.record(ev="deny", **_who(peer), verb=words[0] if words else b"", detail=why)
        reply.send_error(wire.ERROR_ACCESS)

    def _access(self) -> k5login.AccessList | None:
        """Read the list, as it is now. An unusable one is reported once a minute, slips in it once each."""
        try:
            access = k5login.read(self._host.settings.k5login)
        except k5login.K5loginError as error:
            if time.monotonic() - self._list_problem_at >= _LIST_PROBLEM_SECONDS:
                self._list_problem_at = time.monotonic()
                logger.error("%s", error)
            return None
        if access.warnings and access.sha256 != self._list_warned:
            self._list_warned = access.sha256
            for warning in access.warnings:
                logger.warning("%s", warning)
        return access

    async def _run(self, command: "_Command", lifetime: int, reply: Reply) -> None:
        started = time.monotonic()
        failure: XmanError | None = None
        try:
            command.parse()
        except UsageError as error:
            failure = error
        self._audit.record(ev="begin", **command.who(), reason=command.reason)
        try:
            if failure is not None:
                raise failure
            if lifetime <= 0:
                raise CredentialsError("your ticket expired; run kinit.")
            done = await self._perform(command, lifetime, reply)
            # Within the try: a result that cannot be shown is a fault of ours as well.
            output = _output(command, done, int((time.monotonic() - started) * 1000))
        except XmanError as error:
            self._record_end(command, started, error.outcome, str(error))
            _fail(command, error, reply)
        except Exception:
            logger.exception("%s of %r by %r failed", command.verb.name, command.domain, command.peer.principal)
            self._record_end(command, started, outcome.INTERNAL, "see the traceback")
            reply.send_error(wire.ERROR_INTERNAL)
        else:
            self._record_end(command, started, outcome.OK, " ".join(done.notes))
            for stream, data in output:
                reply.send_output(stream, data)
            reply.send_status(outcome.OK)

    async def _perform(self, command: "_Command", lifetime: int, reply: Reply) -> Result:
        if not command.parsed.follows:
            return await self._work(command, reply, None)
        most = self._host.settings.limits.streams
        if len(self._streams) >= most:
            raise RefusedError(f"{most} commands follow this host already ([limits] streams in xmand.toml).")
        stream = Stream(reply.send_part)
        self._streams.add(stream)
        watching = asyncio.create_task(self._watch(command, stream, lifetime, reply))
        try:
            return await self._work(command, reply, stream)
        except StreamOverError as over:
            return Result(notes=(str(over),))
        finally:
            watching.cancel()
            stream.end(StreamOverError("the reply has ended"))
            self._streams.remove(stream)

    async def _watch(self, command: "_Command", stream: Stream, lifetime: int, reply: Reply) -> None:
        """End `stream` when its client is gone, the client's ticket expires, or the list does not name it any more."""
        started = judged = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            if reply.gone():
                stream.end(StreamOverError("the client is gone"))
            elif now - started >= lifetime:
                stream.end(CredentialsError("your ticket expired; run kinit."))
            elif now - judged >= _JUDGE_SECONDS:
                judged = now
                await self._judge(command, stream)

    async def _judge(self, command: "_Command", stream: Stream) -> None:
        access = self._access()
        if access is None or not access.permits(command.peer.principal):
            stream.end(DeniedError("You are not on the host's list (.k5login) any more."))
            return
        with contextlib.suppress(StreamOverError, XmanError):  # the worker gets it
            await stream.deliver(b"")

    async def _work(self, command: "_Command", reply: Reply, stream: Stream | None) -> Result:
        parsed = command.parsed
        seconds, long = self._patience(parsed)
        loop = asyncio.get_running_loop()

        def progress(text: str) -> None:
            loop.call_soon_threadsafe(reply.send_progress, text)

        # A verb that waits is told to stop a little before its caller is.
        deadline = time.monotonic() + (seconds - _HEADROOM_SECONDS / 2 if seconds else 366 * 86400.0)

        def emit(part: Result | None) -> None:
            assert stream is not None  # noqa: S101  # only commands that follow answer in parts
            if part is None:
                stream.check()
            else:
                stream.write(_part(command, part))

        principal = command.peer.principal.decode("ascii")
        call = Call(self._host, principal, command.access, parsed, deadline, progress, emit)
        handler = HANDLERS[parsed.verb.name]
        workers = self._stream_workers if stream else self._long_workers if long else self._workers
        try:
            return await workers.run(lambda: handler(call), seconds)
        except NotStartedError:
            raise HypervisorError(
                "libvirt does not respond, and too many commands wait for it; nothing was done."
            ) from None
        except NotFinishedError as late:
            late.future.add_done_callback(lambda future: self._record_late(command, future))
            if parsed.verb.changes:
                raise UnknownOutcomeError(
                    f"libvirt did not answer in {seconds:.0f} s; the {parsed.verb.name} may still happen."
                    " Look with rxm list."
                ) from None
            raise HypervisorError(f"libvirt did not answer in {seconds:.0f} s.") from None

    def _patience(self, parsed: Parsed) -> tuple[float | None, bool]:
        """Return how long the verb may take (None: as long as something moves), and whether that may be minutes."""
        limits = self._host.settings.limits
        waiting = parsed.waiting_seconds(limits.wait_seconds)
        kind = verbs.NONE if parsed.follows else parsed.verb.deadline
        usual = {verbs.READ: limits.read_seconds, verbs.CHANGE: limits.change_seconds, verbs.NONE: None}
        seconds = waiting or usual[kind]
        asked = parsed.options.get("timeout")
        if isinstance(asked, float) and (seconds is None or asked < seconds or waiting):
            seconds = max(asked - _HEADROOM_SECONDS, asked / 2)
        return seconds, waiting is not None or kind == verbs.NONE

    def _record_end(self, command: "_Command", started: float, code: int, detail: str, late: bool = False) -> None:
        took = int((time.monotonic() - started) * 1000)
        self._audit.record(
            ev="late" if late else "end",
            **command.who(), res=outcome.class_name(code), code=code, ms=took, detail=detail,
        )  # fmt: skip

    def _record_late(self, command: "_Command", future: "Future[Result]") -> None:
        """Log how a command ended after its caller had been told that nobody knows."""
        error = future.exception()
        code = error.outcome if isinstance(error, XmanError) else outcome.INTERNAL if error else outcome.OK
        self._record_end(command, command.begun, code, str(error or ""), late=True)


class _Command:
    """The words of one command, on their way."""

    def __init__(self, peer: Peer, verb: Verb, words: list[bytes], access: k5login.AccessList) -> None:
        self.peer = peer
        self.verb = verb
        self.access = access
        self.begun = time.monotonic()
        self._words = words
        # Asked for even where the other words are wrong.
        self.json = b"--json" in words
        self.rid = secrets.token_hex(16) if verb.changes else ""
        self.reason = ""
        self.domain = ""
        self._parsed: Parsed | None = None

    def parse(self) -> None:
        """Read the words by the verb table. Raises UsageError."""
        try:
            words = [word.decode("utf-8") for word in self._words]
        except UnicodeDecodeError:
            raise UsageError("An argument is not UTF-8.") from None
        self._parsed = arguments.parse(self.verb, words)
        self.rid = str(self._parsed.options.get("rid", self.rid))
        self.reason = str(self._parsed.options.get("reason", ""))
        self.domain = " ".join(
            [self._parsed.text("DOMAIN")] if self.verb.takes_domain else self._parsed.words("DOMAIN")
        )

    @property
    def parsed(self) -> Parsed:
        """The words, once read."""
        assert self._parsed is not None  # noqa: S101  # `parse` has been called
        return self._parsed

    def who(self) -> dict[str, str | bytes | int]:
        """Return the audit fields that say whose command this is."""
        return {"rid": self.rid, **_who(self.peer), "verb": self.verb.name, "dom": self.domain}


def _who(peer: Peer) -> dict[str, str | bytes | int]:
    return {"princ": peer.principal, "peer": peer.address}


def _output(command: _Command, done: Result, ms: int) -> list[tuple[int, bytes]]:
    """Return what a success says, by stream."""
    if command.parsed.follows:  # all of it has been sent
        return []
    if command.json:
        return [(wire.STDOUT, _line(command, done, ms))]
    notes = "".join(f"{note}\n" for note in done.notes)
    return [(wire.STDOUT, render.text(command.verb.name, done.data).encode()), (wire.STDERR, notes.encode())]


def _part(command: _Command, part: Result) -> bytes:
    """Return a part of the reply of a command that follows."""
    if command.json:
        return _line(command, part, int((time.monotonic() - command.begun) * 1000))
    return render.text(command.verb.name, part.data).encode()


def _line(command: _Command, done: Result, ms: int) -> bytes:
    return f"{result.dumps(result.succeeded(socket.gethostname(), command.verb.name, done, ms))}\n".encode()


def _fail(command: _Command, error: XmanError, reply: Reply) -> None:
    if command.json:
        envelope = result.failed(
            socket.gethostname(), command.verb.name, command.domain or None, error.outcome, str(error)
        )
        reply.send_output(wire.STDOUT, f"{result.dumps(envelope)}\n".encode())
    else:
        reply.send_output(wire.STDERR, f"Error: {error}\n".encode())
    reply.send_status(error.outcome)
