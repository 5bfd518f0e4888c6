"""One collector, spoken with as this host's own principal: blocking, in the reporter's thread."""

import socket
import time

from xman.gss import WRONG_KEY, GssError
from xman.gss.python_gssapi_backend import Initiator
from xman.session import ClientSession, SessionError
from xman.srv import Place
from xman.wire.constants import STDOUT
from xman.wire.messages import Error, Output, ProtocolError, Status

_CHUNK = 65_536
# An answer is one short line.
_MOST_ANSWER = 65_536
# A collector with a new key is told another ticket, though not at each try: a cache lives as long as the process.
_NEW_CACHE_SECONDS = 600.0


class LostError(Exception):
    """There is no connection any more, or none could be made; the text says why."""


class Tickets:
    """The tickets of this host's own principal: in a cache of this process' own, so that none lies on a disk."""

    def __init__(self) -> None:
        self._number = 0
        self._renewed = 0.0

    @property
    def cache(self) -> str:
        """The present cache."""
        return f"MEMORY:xman-report-{self._number}"

    def refused(self, error: Exception) -> None:
        """A collector has another key than the one that a ticket is for."""
        stale = isinstance(error, GssError) and error.reason == WRONG_KEY
        if stale and time.monotonic() - self._renewed > _NEW_CACHE_SECONDS:
            self._number, self._renewed = self._number + 1, time.monotonic()


class Collector:
    """A collector. Raises LostError where no connection can be made within `seconds`, and where it is lost."""

    def __init__(
        self, place: Place, service: str, keytab: str, principal: str, tickets: Tickets, seconds: float
    ) -> None:
        self.name = f"{place.host}:{place.port} as {principal}"
        self._seconds = seconds
        self._socket: socket.socket | None = None
        try:
            self._session = ClientSession(Initiator(keytab, principal, tickets.cache).context(service, place.host))
            # The ticket first: a collector waits for who connects, and the KDC may take its time.
            self._session.start()
            self._socket = socket.create_connection((place.host, place.port), seconds)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._until = time.monotonic() + seconds
            while True:
                done = self._session.handshake()
                self._send()
                if done:
                    break
                self._fill()
        except (OSError, GssError, SessionError) as error:
            tickets.refused(error)
            self.close()
            raise LostError(_words(error)) from error

    def ask(self, words: list[bytes]) -> bytes:
        """Send a command; return what its reply says. Raises LostError, also where it is refused."""
        self._until = time.monotonic() + self._seconds
        said = b""
        try:
            self._session.command(words)
            self._send()
            while True:
                message = self._session.next_message()
                if message is None:
                    self._fill()
                elif isinstance(message, Output):
                    said += message.data if message.stream == STDOUT else b""
                    if len(said) > _MOST_ANSWER:
                        raise LostError("it answers without an end")
                elif isinstance(message, Status):
                    return said
                elif isinstance(message, Error):
                    raise LostError(f"it refuses: {message.text.decode('utf-8', 'replace')[:200]}")
                else:
                    raise LostError("it speaks another version of the protocol")
        except (OSError, GssError, SessionError, ProtocolError) as error:
            raise LostError(_words(error)) from error

    def close(self) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self) -> None:
        data = self._session.take_outgoing()
        if data and self._socket is not None:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)

    def _fill(self) -> None:
        if self._socket is None:
            raise OSError("it is closed")
        self._socket.settimeout(self._left())
        data = self._socket.recv(_CHUNK)
        if not data:
            raise OSError("it closed the connection")
        self._session.receive(data)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it does not answer in time")
        return left


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
