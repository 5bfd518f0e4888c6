"""A connection that this host makes as its own principal, to an xmand or a collector: blocking, in a thread."""

import socket
import time

from xman.gss import CLOCK_SKEW, WRONG_KEY, GssError
from xman.gss.python_gssapi_backend import Initiator
from xman.session import ClientSession, SessionError
from xman.srv import Place

_CHUNK = 262_144
# A service with a new key is told another ticket, though not at each try: a cache lives as long as the process. What
# was fetched while this host's clock was wrong is of no use once it is set: libkrb5 notes by how much it was.
_NEW_CACHE_SECONDS = 600.0


class LostError(Exception):
    """There is no connection any more, or none could be made; the text says why."""


class Tickets:
    """The tickets of this host's own principal: in a cache of this process' own, so that none lies on a disk."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0
        self._renewed = -_NEW_CACHE_SECONDS

    def cache(self, principal: str) -> str:
        """Return the present cache of `principal`; another configuration may name another one."""
        return f"MEMORY:xman-{self._name}-{self._number}-{principal}"

    def refused(self, error: BaseException | None) -> None:
        """Somebody has another key than the one that a ticket is for, or our clock was another one when it was got."""
        stale = isinstance(error, GssError) and error.reason in (WRONG_KEY, CLOCK_SKEW)
        if stale and time.monotonic() - self._renewed > _NEW_CACHE_SECONDS:
            self._number, self._renewed = self._number + 1, time.monotonic()


class OwnConnection:
    """One connection, authenticated. Raises LostError where none can be made within `seconds`."""

    def __init__(
        self, place: Place, service: str, keytab: str, principal: str, tickets: Tickets, seconds: float
    ) -> None:
        try:
            self.session = ClientSession(
                Initiator(keytab, principal, tickets.cache(principal)).context(service, place.host)
            )
            # The ticket first: the other end waits for who connects, and the KDC may take its time.
            self.session.start()
            self.patience(seconds)
            self.sock = socket.create_connection((place.host, place.port), seconds)
        except UnicodeError as error:  # a label of more than 63 octets, which the DNS may make one of by escapes
            raise LostError("this cannot be the name of a host") from error
        except (OSError, GssError, SessionError) as error:
            tickets.refused(error)
            raise LostError(why(error)) from error
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                done = self.session.handshake()
                self.flush()
                if done:
                    break
                self.fill()
        except (OSError, GssError, SessionError) as error:
            tickets.refused(error)
            self.close()
            raise LostError(why(error)) from error

    def patience(self, seconds: float) -> None:
        """Wait for so many seconds from now on in all."""
        self._until = time.monotonic() + seconds

    def flush(self) -> None:
        """Send what the session has to say. Raises OSError."""
        data = self.session.take_outgoing()
        if data:
            self.sock.settimeout(self._left())
            self.sock.sendall(data)

    def fill(self) -> None:
        """Wait for more, and give it to the session. Raises OSError, GssError and SessionError."""
        self.sock.settimeout(self._left())
        data = self.sock.recv(_CHUNK)
        if not data:
            raise OSError("it closed the connection")
        self.session.receive(data)

    def close(self) -> None:
        """Close it."""
        self.sock.close()

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it does not answer in time")
        return left


def why(error: Exception) -> str:
    """Return what is wrong, for people."""
    return str(getattr(error, "strerror", None) or error)
