"""Accepting connections, keeping their number within bounds, and letting them go at the end."""

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Callable

from xman.session import ServerSession
from xmand.audit import Audit
from xmand.audit.throttle import Throttle
from xmand.dispatch.dispatcher import Dispatcher
from xmand.server import listen
from xmand.server.admission import Admission, source
from xmand.server.connection import Connection
from xmand.settings import Limits

logger = logging.getLogger(__name__)

# Out of descriptors: waiting beats spinning.
_ACCEPT_PAUSE_SECONDS = 0.1
# A client whose machine has gone is asked so often, in the second half of the time that it is given.
_PROBES = 3
# Failed connections that are logged one by one: of one source or principal, and of all, in so many seconds.
_MOST_LINES, _MOST_LINES_IN_ALL, _PERIOD_SECONDS = 10, 40, 5.0
# A command that only reads may take so much longer when we end.
_READ_DRAIN_SECONDS = 2.0


class Server:
    """The connections of one daemon. `session` makes the protocol's side of a new one."""

    def __init__(
        self, session: Callable[[], ServerSession], commands: Dispatcher, audit: Audit, limits: Limits
    ) -> None:
        self._session = session
        self._commands = commands
        self._audit = audit
        self._admission: Admission[Connection] = Admission(limits)
        # Two, so that strangers cannot keep the lines about the authenticated out of the log.
        self._throttles = {known: Throttle(_MOST_LINES, _MOST_LINES_IN_ALL, _PERIOD_SECONDS) for known in (False, True)}
        self._tasks: dict[asyncio.Task[None], Connection] = {}

    @property
    def limits(self) -> Limits:
        """Caps and deadlines; may be replaced at any time, for what begins after that."""
        return self._admission.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._admission.limits = limits

    async def accept(self, sock: socket.socket) -> None:
        """Accept connections on `sock` for ever."""
        loop = asyncio.get_running_loop()
        # At the end the socket is closed before this learns of it.
        number = sock.fileno()
        while True:
            trouble: asyncio.Future[OSError] = loop.create_future()
            loop.add_reader(number, self._accept, sock, trouble)
            try:
                error = await trouble
            finally:
                loop.remove_reader(number)
            logger.warning("accept: %s", error.strerror)
            await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Close the connections in which nothing runs; wait for what changes something."""
        for task, connection in list(self._tasks.items()):
            if not connection.busy:
                task.cancel()
        reading = [task for task, connection in self._tasks.items() if not connection.peer.changing]
        if reading:
            await asyncio.wait(reading, timeout=_READ_DRAIN_SECONDS)
        # A command may have begun before its connection was closed.
        changing = [task for task, connection in self._tasks.items() if connection.peer.changing]
        if changing:
            await asyncio.wait(changing)

    def report(self) -> None:
        """Write how many lines were held back, if any; to be called every second or so."""
        for known, throttle in self._throttles.items():
            lines, keys = throttle.held(asyncio.get_running_loop().time())
            if lines:
                whose = f"of {keys} principals" if known else f"from {keys} sources"
                self._audit.record(ev="conn", detail=f"{lines} more connections failed, {whose}")

    # --- connection.Keeper -----------------------------------------------------------------------------------------

    def authenticated(self, connection: Connection, detail: str) -> bool:
        """Return whether there is room for a connection whose client is known now."""
        peer = connection.peer
        self._audit.record(ev="auth", princ=peer.principal, peer=peer.address, detail=detail)
        admitted, leaving = self._admission.authenticate(connection, peer.principal)
        self._close(leaving)
        return admitted

    def began(self, connection: Connection) -> None:
        """A command runs in the connection now."""
        self._admission.begin(connection)

    def ended(self, connection: Connection) -> None:
        """The command has ended."""
        self._admission.end(connection)

    def left(self, connection: Connection) -> None:
        """The client has gone, though a command of his may still run."""
        self._admission.leave(connection)

    def failed(self, connection: Connection, detail: str, ev: str = "conn") -> None:
        """Log why a connection ended, unless there are too many such lines."""
        peer = connection.peer
        key = peer.principal.decode("latin-1") or _source(peer.address)
        if self._throttles[bool(peer.principal)].passes(key):
            self._audit.record(ev=ev, princ=peer.principal, peer=peer.address, detail=detail)

    def _accept(self, sock: socket.socket, trouble: "asyncio.Future[OSError]") -> None:
        """Accept one connection in a turn of the event loop: in a flood nothing else would ever run."""
        try:
            client, address = sock.accept()
        except BlockingIOError:  # gone already
            return
        except OSError as error:
            if not trouble.done():
                trouble.set_result(error)
            return
        client.setblocking(False)
        self._serve(client, address)

    def _serve(self, client: socket.socket, address: object) -> None:
        with contextlib.suppress(OSError):  # gone already
            for level, option, value in _options(self.limits.lost_seconds):
                client.setsockopt(level, option, value)
        name = listen.name(address)
        connection = Connection(client, name, self._session(), self._commands, self, self.limits)
        task = asyncio.get_running_loop().create_task(connection.serve())
        connection.close = task.cancel
        self._tasks[task] = connection
        task.add_done_callback(functools.partial(self._served, client))
        self._close(self._admission.arrive(connection, _source(name)))

    def _served(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        # Here and not in the task, which may end before it began.
        client.close()
        self._admission.leave(self._tasks.pop(task))

    def _close(self, connections: list[Connection]) -> None:
        for connection in connections:
            self.failed(connection, "closed to make room")
            connection.close()


def _source(name: str) -> str:
    return source(name.rpartition(":")[0].strip("[]"))


def _options(lost_seconds: float) -> tuple[tuple[int, int, int], ...]:
    """Return the options of a client's socket (tcp(7)); the kernel counts keepalive in whole seconds."""
    silent = max(1, int(lost_seconds / 2))
    return (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, silent),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, silent // _PROBES)),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES),
        # The same for a reply that nobody acknowledges.
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(lost_seconds * 1000)),
        # Replies are whole messages: nothing is gained by waiting for more, and 40 ms are lost (Nagle, delayed ACK).
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    )
