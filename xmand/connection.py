"""One client's connection: octets between the socket and the session, within deadlines."""

import asyncio
import contextlib
import errno
import logging
import select
import socket

from xman.gss import GssError
from xman.session import Authenticated, Closed, CommandReceived, MessageRefused, ServerSession
from xman.wire.constants import ERROR_TEXTS, STDERR, STDOUT
from xmand import identity
from xmand.audit import Audit
from xmand.commands import Commands
from xmand.request import Peer
from xmand.settings import Limits

logger = logging.getLogger(__name__)

_CHUNK = 65_536
# A client that does not read its reply.
_SEND_SECONDS = 30.0


class Connection:
    """Serves one client from its first octet to its last."""

    def __init__(
        self,
        sock: socket.socket,
        address: str,
        session: ServerSession,
        commands: Commands,
        audit: Audit,
        limits: Limits,
    ) -> None:
        self._socket = sock
        self._session = session
        self._commands = commands
        self._audit = audit
        self._limits = limits
        self._peer = Peer(address)
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()
        # The event loop itself keeps no reference to a task.
        self._progress: asyncio.Task[None] | None = None
        # A reply was cut short: whatever followed would be taken for its middle.
        self._cut = False
        # Whether a command is being run, so that a daemon that ends can let it finish.
        self.busy = False

    async def serve(self) -> None:
        """Serve until either side closes. Never raises for what a client does."""
        try:
            async with asyncio.timeout(self._limits.handshake_seconds) as deadline:
                await self._converse(deadline)
        except TimeoutError:
            self._record("nothing came in time")
        except OSError as error:
            self._record(str(error.strerror or error))
        except GssError as error:
            self._record(str(error))
        except Exception:
            logger.exception("the connection of %s failed", self._peer.address)
        finally:
            self._socket.close()

    async def _converse(self, deadline: asyncio.Timeout) -> None:
        while True:
            event = self._session.next_event()
            await self._flush()
            if event is None:
                data = await self._loop.sock_recv(self._socket, _CHUNK)
                if not data:
                    if not self._peer.principal:
                        self._record("gone before it was authenticated")
                    return
                self._session.receive(data)
            elif isinstance(event, Authenticated):
                self._authenticated(event)
                deadline.reschedule(self._loop.time() + self._limits.idle_seconds)
            elif isinstance(event, CommandReceived):
                deadline.reschedule(None)
                await self._command(event)
                deadline.reschedule(self._loop.time() + self._limits.idle_seconds)
            elif isinstance(event, MessageRefused):
                self._record(f"refused: {ERROR_TEXTS[event.code]}", ev="deny")
            elif isinstance(event, Closed):
                if event.detail:
                    self._record(event.detail)
                return

    def _authenticated(self, event: Authenticated) -> None:
        self._peer.principal = event.initiator
        self._peer.refused = identity.refuse(event.initiator, event.initiator_is_principal)
        self._audit.record(
            ev="auth", princ=event.initiator, peer=self._peer.address, detail=self._peer.refused,
        )  # fmt: skip

    async def _command(self, event: CommandReceived) -> None:
        self.busy = True
        try:
            await self._commands.run(self._peer, self._session.lifetime, event.arguments, self)
        finally:
            self.busy = False

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
        """Send a part of the output on stream 1, without any a sign of life; return when the socket has taken it.

        Raises OSError (TimeoutError among them) and GssError where the client is gone or does not read.
        """
        if data:
            self._session.send_output(STDOUT, data)
        else:
            self._session.send_sign_of_life()
        await self._flush()

    def gone(self) -> bool:
        """Whether the client has closed its side."""
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
            if self._cut:
                raise BrokenPipeError(errno.EPIPE, "the client stopped reading")
            if data:
                self._cut = True
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._loop.sock_sendall(self._socket, data)
                self._cut = False

    def _record(self, detail: str, ev: str = "conn") -> None:
        self._audit.record(ev=ev, princ=self._peer.principal, peer=self._peer.address, detail=detail)
