"""One client's connection: octets between the socket and the session, within deadlines."""

import asyncio
import contextlib
import errno
import logging
import select
import socket
from collections.abc import Callable
from typing import Protocol

from xman.gss import GssError
from xman.session import Authenticated, Closed, CommandReceived, MessageRefused, ServerSession
from xman.wire.constants import ERROR_TEXTS, STDERR, STDOUT
from xmand.dispatch.dispatcher import Dispatcher
from xmand.request import Peer
from xmand.server import identity
from xmand.settings import Limits

logger = logging.getLogger(__name__)

_CHUNK = 65_536
_SLOW = "the client does not read what it is sent"


class Keeper(Protocol):
    """Who keeps the connections, and is told what happens in them; `xmand.server.server.Server`."""

    def authenticated(self, connection: "Connection", detail: str) -> bool:
        """Return whether there is room for a connection whose client is known now."""

    def began(self, connection: "Connection") -> None:
        """A command runs in it now."""

    def ended(self, connection: "Connection") -> None:
        """The command has ended, and its reply is sent."""

    def left(self, connection: "Connection") -> None:
        """The client has gone, though his command may still run."""

    def failed(self, connection: "Connection", detail: str, ev: str = "conn") -> None:
        """It did not end as it should have."""


class Connection:
    """Serves one client from its first octet to its last; whoever makes one closes the socket."""

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        session: ServerSession,
        commands: Dispatcher,
        keeper: Keeper,
        limits: Limits,
    ) -> None:
        self._socket = sock
        self._session = session
        self._commands = commands
        self._keeper = keeper
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._writing = asyncio.Lock()
        # The event loop itself keeps no reference to a task.
        self._progress: asyncio.Task[None] | None = None
        # A reply was cut short: whatever followed would be taken for its middle.
        self._cut = False
        # Nobody reads any more.
        self._gone = False
        # The next octets, where somebody waits for them.
        self._heard: asyncio.Future[bytes] | None = None
        # Whether the event loop looks at the socket: as a rule for its whole life, but not at what nobody waits for.
        self._watched = False
        # Whether a command is being run, and its reply not yet whole.
        self._running = False
        self.peer = Peer(address)
        # Whether a command is being run or answered, so that a daemon that ends can let it finish.
        self.busy = False
        # Ends it at once.
        self.close: Callable[[], object] = lambda: None

    async def serve(self) -> None:
        """Serve until either side closes. Never raises for what a client does."""
        try:
            async with asyncio.timeout(self._limits.first_seconds) as deadline:
                await self._converse(deadline)
        except TimeoutError as error:
            self._failed(error.strerror or str(error) or "nothing came in time")
        except OSError as error:
            self._failed(str(error.strerror or error))
        except GssError as error:
            self._failed(str(error))
        except Exception:
            logger.exception("the connection of %s failed", self.peer.address)
        finally:
            self._watch(False)

    async def _converse(self, deadline: asyncio.Timeout) -> None:
        heard = False
        while True:
            event = self._session.next_event()
            await self._flush()
            if event is None:
                data = await self._receive()
                if not data:
                    if not self.peer.principal:
                        self._failed("gone before it was authenticated")
                    return
                if not heard:
                    heard = True
                    # Absolute, as all of them: who sends an octet now and then gains nothing.
                    deadline.reschedule(self._began + self._limits.handshake_seconds)
                self._session.receive(data)
            elif isinstance(event, Authenticated):
                self._authenticated(event)
                if not self.peer.no_room:
                    deadline.reschedule(self._next_command_by())
            elif isinstance(event, CommandReceived):
                deadline.reschedule(None)
                await self._command(event)
                if self._leaves():
                    return
                deadline.reschedule(self._next_command_by())
            elif isinstance(event, MessageRefused):
                self._failed(f"refused: {ERROR_TEXTS[event.code]}", ev="deny")
            elif isinstance(event, Closed):
                if event.detail:
                    self._failed(event.detail)
                return

    def _authenticated(self, event: Authenticated) -> None:
        self.peer.principal = event.initiator
        self.peer.refused = identity.refuse(event.initiator, event.initiator_is_principal)
        notes = [self.peer.refused] if self.peer.refused else []
        if event.delegated:
            notes.append("deleg=1, dropped")
        self.peer.no_room = not self._keeper.authenticated(self, "; ".join(notes))

    def _next_command_by(self) -> float:
        return min(self._loop.time() + self._limits.idle_seconds, self._began + self._limits.age_seconds)

    def _leaves(self) -> bool:
        """Whether this command was the last one."""
        return self.peer.no_room or self._loop.time() >= self._began + self._limits.age_seconds

    async def _command(self, event: CommandReceived) -> None:
        self.busy = self._running = True
        self._keeper.began(self)
        # Nobody reads the socket meanwhile; a client that goes away is noticed none the less.
        self._watch(True)
        try:
            await self._commands.run(self.peer, self._session.lifetime, event.arguments, self)
            self._running = False
            await self._flush()
        finally:
            self.busy = self._running = False
            self._keeper.ended(self)

    async def _receive(self) -> bytes:
        """Return the next octets, empty at their end; at most one chunk in a turn of the event loop."""
        self._heard = self._loop.create_future()
        self._watch(True)
        try:
            return await self._heard
        finally:
            self._heard = None

    def _watch(self, wanted: bool) -> None:
        if wanted != self._watched:
            self._watched = wanted
            # By its number: asyncio would have the socket describe itself, which asks the kernel four times.
            if wanted:
                self._loop.add_reader(self._socket.fileno(), self._look)
            else:
                self._loop.remove_reader(self._socket.fileno())

    def _look(self) -> None:
        """Something came for whoever waits for it; where nobody does, it is the next command, or the end."""
        if self._heard is None or self._heard.done():
            self._watch(False)
            if self._running:
                self._look_for_end()
            return
        try:
            self._heard.set_result(self._socket.recv(_CHUNK))
        except BlockingIOError:
            pass
        except OSError as error:
            self._heard.set_exception(error)

    def _look_for_end(self) -> None:
        with contextlib.suppress(OSError):
            if self._socket.recv(1, socket.MSG_PEEK):
                return
        self._gone = True
        # Wakes a writer that waits for this client.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._keeper.left(self)

    # --- commands.Reply --------------------------------------------------------------------------------------------

    def send_output(self, stream: int, data: bytes) -> None:
        """Queue a part of the output; it goes out with the end of the reply, in one piece."""
        self._session.send_output(stream, data)

    def send_progress(self, text: str) -> None:
        """Send a line on stream 2 at once; nothing where the caller has had its answer."""
        if self.busy:
            self._session.send_output(STDERR, f"{text}\n".encode())
            self._progress = self._loop.create_task(self._send_progress())

    async def send_part(self, data: bytes) -> None:
        """Send a part of the output on stream 1, a sign of life where there is none; return when the socket has it.

        Raises OSError (TimeoutError among them) and GssError where the client is gone or does not read.
        """
        if data:
            self._session.send_output(STDOUT, data)
        else:
            self._session.send_sign_of_life()
        await self._flush()

    def gone(self) -> bool:
        """Whether the client has closed its side."""
        if self._gone:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def send_status(self, status: int) -> None:
        """Queue the end of the reply."""
        self._session.send_status(status)

    def send_error(self, code: int) -> None:
        """Queue the end of the reply."""
        self._session.send_error(code)

    async def _send_progress(self) -> None:
        # A client that is gone is noticed by the reply itself; what it asked for goes on.
        with contextlib.suppress(OSError, TimeoutError):
            await self._flush()

    async def _flush(self) -> None:
        async with self._writing:
            data = self._session.take_outgoing()
            if self._cut or self._gone:
                raise BrokenPipeError(errno.EPIPE, "the client is gone" if self._gone else _SLOW)
            if data:
                self._cut = True
                await self._send(data)
                self._cut = False

    async def _send(self, data: bytes) -> None:
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self._socket.send(data)
        # As a rule that was all of it, and no deadline is needed.
        if sent < len(data):
            try:
                async with asyncio.timeout(self._limits.write_seconds):
                    await self._loop.sock_sendall(self._socket, memoryview(data)[sent:])
            except TimeoutError:
                raise TimeoutError(_SLOW) from None

    def _failed(self, detail: str, ev: str = "conn") -> None:
        self._keeper.failed(self, detail, ev)
