"""One command at one host that is talked to while it answers (a console, a screen), on the event loop, as the person.

The connection is made in a thread, since DNS and the KDC may block; then its octets are the loop's. A host that prints
without end is read so fast and no faster, so that it costs the pages nothing; whatever it has too much waits there.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import NamedTuple

from rxm.remote import messages
from rxm.remote.command import Reply, wire_words
from rxm.remote.deadline import Deadline
from rxm.remote.transport import CHUNK, Transport
from xman import arguments, verbs
from xman.errors import UnreachableError, XmanError
from xman.gss import GssError, backends
from xman.session import SessionError
from xman.wire import constants as wire
from xman.wire.messages import Error, Output, Status, Version

_CONNECT_SECONDS = 15.0
# Messages of a host that are opened in a turn of the loop, at some 30 microseconds each.
_AT_A_TIME = 32
# xmand gives a sign of life more often than that, whatever the guest does.
SILENCE_SECONDS = 90.0


class Place(NamedTuple):
    """Where to, and as whom: `cache` is the file with the tickets of `principal`; without one, `keytab` has its key."""

    host: str
    port: int
    service: str
    principal: str
    cache: str
    keytab: str = ""


class End(NamedTuple):
    """How it ended: one of xman's codes (`xman.outcome`), and the host's last words in English."""

    code: int
    message: str


class Relay:
    """One command. `show` gets what comes on stream 1, `say` what a person is to read.

    `begun` is told that the host answers, and once more, with True, that what is typed is taken.
    """

    def __init__(
        self,
        place: Place,
        show: Callable[[bytes], Awaitable[None]],
        say: Callable[[str], Awaitable[None]],
        begun: Callable[[bool], Awaitable[None]],
        rate: float,
    ) -> None:
        """`rate` is how many octets of a second are read."""
        self._place = place
        self._show, self._say, self._begun = show, say, begun
        self._rate = rate
        self._transport: Transport | None = None
        self._sock: socket.socket | None = None
        self._sending = asyncio.Lock()
        self._said = ""
        self._types = False

    async def run(self, verb: str, uuid: str, options: tuple[str, ...], threads: Executor) -> End:
        """Run a verb on a domain until it ends; with the option `input`, `type` sends to it once that is taken."""
        parsed = arguments.parse(verbs.BY_NAME[verb], ["--", uuid])
        parsed.options |= dict.fromkeys(options, True)
        words = wire_words(parsed, json=False)
        try:
            await self._connect(threads)
            await self._begun(False)
            reply = await self._hold(words, types="input" in options)
        except XmanError as error:
            return End(error.outcome, str(error))
        if reply.error:
            return End(reply.outcome, messages.message(reply, self._place.principal, verb))
        return End(reply.outcome, self._said)

    async def type(self, data: bytes) -> None:
        """Send `data` to the command; returns when the host's side has taken it. Raises UnreachableError."""
        transport = self._transport
        if transport is None or not transport.session.input_open:
            return
        transport.session.data(data)
        await self._send(transport)

    def close(self) -> None:
        """Take leave, once nothing of `run` and `type` is under way any more."""
        if self._sock is not None and self._transport is not None:
            # So that the host's audit says that he left, and whether he typed.
            with contextlib.suppress(OSError, GssError, RuntimeError):
                if self._transport.session.input_open:
                    self._transport.session.end()
                    self._sock.send(self._transport.session.take_outgoing())
            self._sock.detach()
        if self._transport is not None:
            self._transport.abandon()
            self._transport = None

    async def _connect(self, threads: Executor) -> None:
        making: Future[Transport] = threads.submit(_connected, self._place)
        try:
            self._transport = await asyncio.wrap_future(making)
            # The same as a loop takes it.
            self._sock = socket.socket(fileno=self._transport.nonblocking().fileno())
        except asyncio.CancelledError:
            making.add_done_callback(_abandon)
            raise

    async def _hold(self, words: list[bytes], *, types: bool) -> Reply:
        transport = self._transport
        sock = self._sock
        assert transport is not None  # noqa: S101
        assert sock is not None  # noqa: S101
        session, reply = transport.session, Reply()
        try:
            session.command(words, takes_input=types)
            await self._send(transport)
            while not session.finished:
                began = time.monotonic()
                async with asyncio.timeout(SILENCE_SECONDS):
                    data = await asyncio.get_running_loop().sock_recv(sock, CHUNK)
                if not data:
                    raise EOFError
                session.receive(data)
                await self._take(transport, reply)
                # Also where nothing is to be waited for: the loop has others to serve.
                await asyncio.sleep(max(0.0, len(data) / self._rate - (time.monotonic() - began)))
        except (OSError, SessionError, EOFError, GssError) as error:
            raise UnreachableError(messages.why(error, 0)) from error
        return reply

    async def _take(self, transport: Transport, reply: Reply) -> None:
        session, taken = transport.session, 0
        while (message := session.next_message()) is not None:
            taken += 1
            if taken % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            if isinstance(message, Output):
                if session.input_open and not self._types:
                    self._types = True
                    await self._begun(True)
                if message.stream == wire.STDOUT and message.data:
                    await self._show(message.data)
                elif message.data:
                    self._said = message.data.decode("utf-8", "replace").strip()
                    await self._say(self._said)
            elif isinstance(message, Status):
                reply.status = message.status
            elif isinstance(message, Error):
                reply.error, reply.error_text = message.code, message.text.decode("utf-8", "replace")
            elif isinstance(message, Version):
                raise SessionError(f"The host speaks only up to version {message.highest} of the protocol.")

    async def _send(self, transport: Transport) -> None:
        """Send what is queued, in order."""
        async with self._sending:
            data = transport.session.take_outgoing()
            if data and self._sock is not None:
                try:
                    await asyncio.get_running_loop().sock_sendall(self._sock, data)
                except OSError as error:
                    raise UnreachableError(messages.why(error, 0)) from error


def _connected(place: Place) -> Transport:
    """Return a connection; in a thread. Raises XmanError."""
    try:
        # By name as well: tickets of somebody else's are no tickets.
        cache = f"FILE:{place.cache}" if place.cache else ""
        identity = backends.initiator(place.keytab, place.principal, cache)
    except GssError as error:
        raise messages.no_identity(error, "", place.principal) from error
    return Transport(place.host, place.port, place.service, identity, Deadline(_CONNECT_SECONDS))


def _abandon(made: "Future[Transport]") -> None:
    """Close what is connected only after nobody wants it any more."""
    with contextlib.suppress(BaseException):
        made.result().abandon()
