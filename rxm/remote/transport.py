"""One authenticated connection to one host: from its name to a blocking socket around the session."""

import _socket  # the part in C: `socket` around it costs rxm's start more than it gives here
import time

from rxm.remote.deadline import Deadline
from xman.errors import UnreachableError
from xman.gss import EXPIRED, NO_TICKET, WRONG_KEY, GssError
from xman.session import ClientSession, SessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss.backends import Initiator

CHUNK = 65_536
# A host waits for the first octets of whoever connects (xmand: 5 s), and the KDC and the DNS may take longer.
_STALE_SECONDS = 0.5
# How long taking leave may take of a host that does not read.
_LEAVE_SECONDS = 1.0

# One address of a host that is down should not use up the time for the next.
ADDRESS_SECONDS = 5.0


class Transport:
    """The connection. Use it from one thread at a time, but for `interrupt`.

    Raises CredentialsError and UnreachableError when it is made.
    """

    def __init__(self, host: str, port: int, service: str, identity: "Initiator", deadline: Deadline) -> None:
        self._socket: _socket.socket | None = None
        # Closed in the middle of something.
        self._abandoned = False
        try:
            self.session = ClientSession(identity.context(service, host))
            self._socket = dial(host, port, deadline)
            connected = time.monotonic()
            self.session.start()
            if time.monotonic() - connected > _STALE_SECONDS:
                self._socket.close()
                self._socket = dial(host, port, deadline)
            while not self._handshake():
                self.fill(deadline.remaining())
            # As whom the host knows us; asked for now, since commands that go on outlive the ticket.
            self.principal = self.session.initiator.decode("utf-8", "replace")
        except GssError as error:
            from rxm.remote import messages

            self.close()
            if error.reason == WRONG_KEY:
                from xman.gss import kept

                kept.forget()
            if error.reason in (NO_TICKET, EXPIRED):
                messages.forget_kept()
            raise messages.gss_error(error) from error
        except (OSError, SessionError, EOFError) as error:
            from rxm.remote import messages

            self.close()
            raise UnreachableError(messages.why(error, port)) from error

    def _handshake(self) -> bool:
        done = self.session.handshake()
        self.send(self.session.take_outgoing(), None)
        return done

    def send(self, data: bytes, timeout: float | None) -> None:
        """Send it all. Raises OSError, and EOFError where the connection is closed."""
        if data:
            sock = self._open()
            sock.settimeout(timeout)
            sock.sendall(data)

    def fill(self, timeout: float | None) -> None:
        """Give the session what comes next. Raises OSError, EOFError and SessionError."""
        sock = self._open()
        sock.settimeout(timeout)
        data = sock.recv(CHUNK)
        if not data:
            raise EOFError
        self.session.receive(data)

    def nonblocking(self) -> _socket.socket:
        """Return the socket, for whoever sends and receives at the same time. Raises EOFError."""
        sock = self._open()
        sock.setblocking(False)
        return sock

    def close(self) -> None:
        """Take leave and close."""
        if self._socket is None:
            return
        try:
            if self.session.authenticated:
                self.session.quit()
                self._socket.settimeout(_LEAVE_SECONDS)
                self._socket.sendall(self.session.take_outgoing())
        except (OSError, GssError, RuntimeError):
            pass
        self._socket.close()
        self._socket = None

    def abandon(self) -> None:
        """Close without a word: what the other side would make of one is not known."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._abandoned = True

    def lost(self) -> bool:
        """Whether it has ended, while nothing was under way in it, otherwise than by `close`."""
        if self._socket is None:
            return self._abandoned
        try:
            self._socket.setblocking(False)
            return self._socket.recv(1, _socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def interrupt(self) -> None:
        """Let what another thread does here fail at once."""
        try:
            self._open().shutdown(_socket.SHUT_RDWR)
        except (OSError, EOFError):
            return

    def _open(self) -> _socket.socket:
        if self._socket is None:
            raise EOFError
        return self._socket


def dial(host: str, port: int, deadline: Deadline) -> _socket.socket:
    """Connect to the first address of `host` that answers. Raises OSError."""
    problem: OSError | None = None
    # As octets: for a text Python fetches its codec of international names first, whatever the text.
    for family, kind, protocol, _name, address in _socket.getaddrinfo(octets(host), port, type=_socket.SOCK_STREAM):
        sock = _socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.remaining(ADDRESS_SECONDS))
            sock.connect(address)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            problem = error
    raise problem or OSError("the name has no address")


def octets(host: str) -> bytes:
    """Return a host's name as the resolver takes it. Raises OSError."""
    try:
        return host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError as error:
        raise OSError("this cannot be the name of a host") from error
