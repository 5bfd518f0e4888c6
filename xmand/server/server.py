"""Accepting connections, keeping their number within bounds, and letting them go at the end."""

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Callable

from xman.errors import RefusedError
from xman.server_session import ServerSession
from xman.throttle import Throttle
from xmand.audit import Audit
from xmand.authorize import Rank
from xmand.dispatch.dispatcher import Dispatcher
from xmand.server import listen
from xmand.server.admission import Admission, source
from xmand.server.connection import Connection
from xmand.server.octets import Octets
from xmand.server.turns import Turns
from xmand.settings import Limits

logger = logging.getLogger(__name__)

# Out of descriptors: waiting beats spinning.
_ACCEPT_PAUSE_SECONDS = 0.1
# A client whose machine has gone is asked so often, in the second half of the time that it is given.
_PROBES = 3
# Failed connections that are logged one by one: of one source or principal, and of all, in so many seconds.
_MOST_LINES, _MOST_LINES_IN_ALL, _PERIOD_SECONDS = 10, 40, 5.0
# Lines about who came, of each principal and of all of that rank: nothing is lost with them, since what somebody does
# has lines of its own, with his name and address. Those on the list have a line for each.
_MOST_ARRIVALS = {Rank.STRANGER: (10, 200), Rank.GRANTED: (60, 1000)}
_ARRIVALS_SECONDS = 60.0
# Of long replies to those who are not on the list, what may wait for them to read it, all together.
_MOST_UNREAD = 32 << 20
# How exactly deadlines of connections are kept.
_LOOK_SECONDS = 0.1
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
        self._octets: Octets[Connection] = Octets(limits.strangers_kib * 1024)
        self._unread: Octets[Connection] = Octets(_MOST_UNREAD)
        # Two, so that strangers cannot keep the lines about the authenticated out of the log.
        self._throttles = {known: Throttle(_MOST_LINES, _MOST_LINES_IN_ALL, _PERIOD_SECONDS) for known in (False, True)}
        # And of who came, those who may nothing, something, and anything.
        self._arrivals = {rank: Throttle(*_MOST_ARRIVALS[rank], _ARRIVALS_SECONDS) for rank in _MOST_ARRIVALS}
        self._turns: Turns | None = None
        self._open: set[Connection] = set()
        # Those in which a command runs, whether or not they are open still.
        self._running: set[Connection] = set()
        self._listening: set[socket.socket] = set()
        self._calm = asyncio.Event()

    @property
    def limits(self) -> Limits:
        """Caps and deadlines; may be replaced at any time, for what begins after that."""
        return self._admission.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._admission.limits = limits
        self._octets.most = limits.strangers_kib * 1024
        for sock in self._listening:
            _prepare(sock, limits.lost_seconds)

    async def accept(self, sock: socket.socket) -> None:
        """Accept connections on `sock` for ever."""
        loop = asyncio.get_running_loop()
        self._listening.add(sock)
        _prepare(sock, self.limits.lost_seconds)
        looking = loop.create_task(self._look_at_clock())
        try:
            await self._accept_all(loop, sock)
        finally:
            self._listening.discard(sock)
            looking.cancel()

    async def _accept_all(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
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
        for connection in list(self._open):
            connection.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READ_DRAIN_SECONDS):
                await self._until(lambda: not self._open and not self._running)
        # A command may have begun before its connection was closed.
        await self._until(lambda: not any(connection.peer.changing for connection in self._open | self._running))

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._calm.clear()
            await self._calm.wait()

    async def _look_at_clock(self) -> None:
        """Close what is late, in the order of deadlines. One look at all of them costs less than a timer for each."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = loop.time()
            late = [one for one in self._open if one.deadline <= now]
            for connection in sorted(late, key=lambda one: one.deadline):
                connection.late()

    def report(self) -> None:
        """Write how many lines were held back, if any; to be called every second or so."""
        for known, throttle in self._throttles.items():
            lines, keys = throttle.held(asyncio.get_running_loop().time())
            if lines:
                whose = f"of {keys} principals" if known else f"from {keys} sources"
                self._audit.record(ev="conn", detail=f"{lines} more connections failed, {whose}")
        for throttle in self._arrivals.values():
            lines, keys = throttle.held(asyncio.get_running_loop().time())
            if lines:
                self._audit.record(ev="auth", n=lines, detail=f"{lines} more connections of {keys} principals")

    # --- connection.Keeper -----------------------------------------------------------------------------------------

    def authenticated(self, connection: Connection, detail: str) -> bool:
        """Return whether there is room for a connection whose client is known now."""
        peer = connection.peer
        rank = self._commands.rank(peer)
        if rank is Rank.LISTED or self._arrivals[rank].passes(peer.principal.decode("latin-1")):
            self._audit.record(ev="auth", princ=peer.principal, peer=peer.address, detail=detail)
        if self._admission.crowded:
            for other in self._running:
                self._admission.waits(other, other.peer.waits is not None)
        admitted, leaving = self._admission.authenticate(connection, peer.principal, reserved=rank is Rank.LISTED)
        self._close(leaving)
        return admitted

    def holds(self, connection: Connection, octets: int) -> None:
        """So many octets are kept for it, of somebody whose right to anything is not known."""
        self._let_go(self._octets, self._octets.hold(connection, connection.group, octets))

    def owes(self, connection: Connection, octets: int) -> None:
        """So many octets of a reply wait for their client to read them; those on the list may take what there is."""
        if octets and self._commands.rank(connection.peer) is Rank.LISTED:
            return
        self._let_go(self._unread, self._unread.hold(connection, connection.group, octets))

    def _let_go(self, budget: Octets[Connection], leaves: Connection | None) -> None:
        """Close who has to leave, and as many more as it takes: each may hold less than what has come."""
        while leaves is not None:
            budget.forget(leaves)
            self._close([leaves])
            leaves = budget.leaving()

    def began(self, connection: Connection) -> None:
        """A command runs in the connection now."""
        self._running.add(connection)
        self._admission.begin(connection)

    def ended(self, connection: Connection) -> None:
        """The command has ended."""
        self._running.discard(connection)
        self._admission.end(connection)
        self._calm.set()

    def left(self, connection: Connection) -> None:
        """The client has gone, though a command of his may still run."""
        self._admission.leave(connection)
        # The command may go on for a day.
        connection.socket.close()

    def closed(self, connection: Connection) -> None:
        """It is over."""
        self._open.discard(connection)
        self._admission.leave(connection)
        self._octets.forget(connection)
        self._unread.forget(connection)
        connection.socket.close()
        self._calm.set()

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
        if self._turns is None:
            self._turns = Turns()
        name = listen.name(address)
        source = _source(name)
        connection = Connection(client, name, source, self._session(), self._commands, self, self._turns, self.limits)
        self._open.add(connection)
        self._close(self._admission.arrive(connection, source))
        connection.begin()

    def _close(self, connections: list[Connection]) -> None:
        for connection in connections:
            self.failed(connection, "closed to make room")
            if connection.peer.waits is not None:
                connection.peer.waits(RefusedError("This host is busy: who only waits has to give way. Ask again."))
                connection.finish()
            else:
                connection.close()


def _source(name: str) -> str:
    return _of_address(name.rpartition(":")[0].strip("[]"))


_of_address = functools.lru_cache(maxsize=1024)(source)


def _prepare(sock: socket.socket, lost_seconds: float) -> None:
    """Set on the listening socket what those of its clients inherit (tcp(7)): six calls for each are dear."""
    with contextlib.suppress(OSError):  # closed already, or none of TCP
        for option in _options(lost_seconds):
            sock.setsockopt(*option)


def _options(lost_seconds: float) -> tuple[tuple[int, int, int], ...]:
    """Return the options of a client's socket; the kernel counts keepalive in whole seconds."""
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
