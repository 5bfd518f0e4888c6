"""One command to one host, without blocking: the loop of `rxm.remote.many` says what has come, this what becomes of it.

The same steps, deadlines and words as `rxm.remote.transport` and `rxm.remote.connection`, which block.
"""

import _socket
import posix
import time

from rxm.remote import messages
from rxm.remote.command import Reply
from rxm.remote.connection import end, limit
from rxm.remote.deadline import Deadline
from rxm.remote.transport import ADDRESS_SECONDS, CHUNK, octets
from xman.errors import UnreachableError, UsageError, XmanError
from xman.gss import GssError
from xman.session import ClientSession, SessionError
from xman.wire import constants as wire
from xman.wire.messages import Output, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xman.gss.backends import Initiator

# What a dialogue waits for.
HELPER, WRITABLE, READABLE, OVER = "helper", "writable", "readable", "over"


class Dialogue:
    """One host. `wants` says what has to happen next: a helper's thread for `help`, or something at the socket."""

    __slots__ = (
        "_address_until",
        "_asked",
        "_connect_seconds",
        "_connected",
        "_connecting",
        "_deadline",
        "_identity",
        "_left",
        "_no_ticket",
        "_out",
        "_port",
        "_problem",
        "_service",
        "_session",
        "_words",
        "error",
        "host",
        "principal",
        "reply",
        "sock",
        "wants",
    )

    def __init__(
        self,
        host: str,
        port: int,
        service: str,
        identity: "Callable[[str], Initiator]",
        words: list[bytes],
        deadline: Deadline,
        connect_seconds: float,
    ) -> None:
        self.host = host
        self.reply = Reply()
        self.principal = ""
        self.error: XmanError | None = None
        self.wants = HELPER
        self.sock: _socket.socket | None = None
        self._port, self._service, self._identity, self._words = port, service, identity, words
        self._deadline, self._connecting, self._connect_seconds = deadline, deadline, connect_seconds
        self._left: list[Any] = []
        self._problem: OSError | None = None
        self._session: ClientSession | None = None
        self._address_until = 0.0
        self._connected = self._asked = False
        self._no_ticket: GssError | None = None
        self._out = b""

    def helped(self, error: BaseException | None) -> None:
        """A helper has ended, perhaps with an error."""
        self._step(self._raise if error is not None else self._dial, error)

    def happened(self) -> None:
        """What is waited for has happened at the socket."""
        self._step(self._at_socket)

    def look(self) -> None:
        """Give up what takes too long."""
        self._step(self._look)

    def close(self) -> None:
        """Close; leave was taken with the command, the only one."""
        if self.sock is None:
            return
        self.sock.close()
        self.sock = None

    def help(self) -> None:
        """Do, in a helper's thread, what may block in others' code. Raises what that does."""
        # From now on, however long there was no thread free for it.
        self._connecting = self._deadline.within(self._connect_seconds)
        identity = self._identity(self.host)
        at_hand = f"{self._service}@{self.host}" in identity.known
        if not at_hand:
            self._session = ClientSession(identity.context(self._service, self.host))
        self._left = _socket.getaddrinfo(octets(self.host), self._port, type=_socket.SOCK_STREAM)
        if not at_hand:
            self._start()

    def _start(self) -> None:
        """Begin the handshake before it is connected: a host has room for few who connect and say nothing."""
        assert self._session is not None  # noqa: S101
        try:
            self._session.start()
        except GssError as error:  # of less interest than that it cannot be reached
            self._no_ticket = error

    def _step(self, do: "Callable[..., None]", *words: object) -> None:
        """Take a step; what goes wrong ends the dialogue, in words."""
        try:
            do(*words)
        except ProtocolError as error:
            self._fail(UsageError(f"The command cannot be sent: {error}."), error)
        except XmanError as error:
            self._fail(error, error.__cause__)
        except GssError as error:
            if self._asked:
                self._fail(UnreachableError(messages.why(error, 0)), error)
            else:
                self._fail(messages.gss_error(error), error)
        except (OSError, SessionError, EOFError) as error:
            self._fail(UnreachableError(messages.why(error, 0 if self._asked else self._port)), error)

    def _fail(self, error: XmanError, cause: BaseException | None) -> None:
        error.__cause__ = cause
        self.error, self.wants = error, OVER

    def _raise(self, error: BaseException) -> None:
        raise error

    def _dial(self, _error: None) -> None:
        if self._session is None:  # whose ticket is at hand: nobody is asked for it
            self._session = ClientSession(self._identity(self.host).context(self._service, self.host))
            self._start()
        self._next_address()

    def _next_address(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None
        while self._left:
            family, kind, protocol, _name, address = self._left.pop(0)
            patience = self._connecting.remaining(ADDRESS_SECONDS)
            sock = _socket.socket(family, kind | _socket.SOCK_NONBLOCK, protocol)
            try:
                sock.connect(address)
            except BlockingIOError:
                pass
            except OSError as error:
                sock.close()
                self._problem = error
                continue
            self._address_until = time.monotonic() + (ADDRESS_SECONDS if patience is None else patience)
            self.sock, self.wants = sock, WRITABLE
            return
        raise self._problem or OSError("the name has no address")

    def _at_socket(self) -> None:
        assert self.sock is not None  # noqa: S101
        if not self._connected:
            self._when_connected()
        elif self.wants == WRITABLE:
            self._flush()
        else:
            self._receive()

    def _when_connected(self) -> None:
        assert self.sock is not None  # noqa: S101
        number = self.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if number:
            self._problem = OSError(number, posix.strerror(number))
            self._next_address()
            return
        self.sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._connected = True
        if self._no_ticket is not None:
            raise self._no_ticket
        self._send_queued()

    def _receive(self) -> None:
        assert self.sock is not None  # noqa: S101
        assert self._session is not None  # noqa: S101
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        self._session.receive(data)
        if not self._asked:
            if not self._session.handshake():
                self._send_queued()
                return
            self._session.command(self._words, keepalive=False)
            self._asked = True
            self._send_queued()
        while not self._session.finished:
            message = self._session.next_message()
            if message is None:
                return
            self._take(message)
        self.reply.stdout = b"".join(self.reply.pieces)
        if self.reply.error:  # the words for that say who the user is there
            self.principal = self._session.initiator.decode("utf-8", "replace")
        self.wants = OVER

    def _take(self, message: object) -> None:
        reply = self.reply
        if isinstance(message, Output):
            limit(reply, message.data)
            if message.stream == wire.STDOUT:
                reply.pieces.append(message.data)
            else:
                reply.stderr += message.data
        else:
            end(reply, message)

    def _send_queued(self) -> None:
        assert self._session is not None  # noqa: S101
        self._out += self._session.take_outgoing()
        self._flush()

    def _flush(self) -> None:
        assert self.sock is not None  # noqa: S101
        try:  # noqa: SIM105  # contextlib is dear
            self._out = self._out[self.sock.send(self._out) :] if self._out else b""
        except BlockingIOError:
            pass
        self.wants = WRITABLE if self._out else READABLE

    def _look(self) -> None:
        if self.wants == HELPER:  # what blocks there has its own patience, and its own words
            return
        if self.wants == WRITABLE and not self._connected and time.monotonic() >= self._address_until:
            self._problem = TimeoutError()
            self._next_address()
        elif self._asked:
            self._deadline.remaining()
        else:
            self._connecting.remaining()
