"""The xmand of another host, spoken with as this host's own principal; blocking, in a thread of the caller's."""

import contextlib
import socket
import time

from xman import outcome
from xman.errors import HypervisorError, RefusedError, UnreachableError, UsageError
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Initiator
from xman.session import ClientSession, SessionError
from xman.srv import Place
from xman.wire import constants as wire
from xman.wire.messages import Error, Output, ProtocolError, Status
from xmand.settings import Settings
from xmand.system.own_name import own_principal

_CHUNK = 262_144
# What it says beside its octets is a line or two.
_MOST_SAID = 65_536
# Not whoever asks for the migration is refused by these, but this host.
_REFUSALS = (outcome.USAGE, outcome.REFUSED, outcome.DENIED)


class LostError(Exception):
    """There is no connection any more, or none could be made; the text says why."""


class Far:
    """One connection. Raises LostError where none can be made within `seconds`."""

    def __init__(self, settings: Settings, place: Place, seconds: float) -> None:
        self.host = place.host
        self._until = time.monotonic() + seconds
        self._said = b""
        # How the command has ended, where it has: its status.
        self.status: int | None = None
        self._refused = ""
        self._unsent = b""
        try:
            # A cache of its own, in memory: tickets of today's key, and none on a disk.
            principal = own_principal(settings.keytab, settings.service, settings.report.principal)
            initiator = Initiator(settings.keytab, principal, f"MEMORY:xman-far-{id(self)}")
            self._session = ClientSession(initiator.context(settings.service, place.host))
            self._session.start()
            self.sock = socket.create_connection((place.host, place.port), self._left())
        except (OSError, GssError, SessionError, UsageError) as error:
            raise LostError(_words(error)) from error
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                done = self._session.handshake()
                self._flush()
                if done:
                    break
                self._fill()
        except (OSError, GssError, SessionError) as error:
            self.close()
            raise LostError(_words(error)) from error

    def ask(self, words: list[str], seconds: float) -> None:
        """Send a command and wait for its end. Raises LostError, and XmanError where it ends with a failure."""
        self._until = time.monotonic() + seconds
        try:
            self._session.command([word.encode() for word in words])
            self._flush()
            while self.status is None and not self._refused:
                if self._take() is None:
                    self._fill()
        except (OSError, GssError, SessionError, ProtocolError) as error:
            raise LostError(_words(error)) from error
        self.require_ok()

    def converse(self, words: list[str], seconds: float) -> None:
        """Send a command that takes input, and wait until it does. Raises LostError, and XmanError as `ask` does."""
        self._until = time.monotonic() + seconds
        try:
            self._session.command([word.encode() for word in words], takes_input=True)
            self._flush()
            while not self._session.input_open and self.status is None and not self._refused:
                if self._take() is None:
                    self._fill()
        except (OSError, GssError, SessionError, ProtocolError) as error:
            raise LostError(_words(error)) from error
        self.require_ok()
        if self.status is not None:
            raise LostError("it has ended before it began")
        self.sock.setblocking(False)

    def require_ok(self) -> None:
        """Raise XmanError where the command has ended with a failure."""
        if self._refused:
            raise RefusedError(
                f"{self.host} takes no migrations from this host: {self._refused}"
                " ([migrate] accept in xmand.toml there)."
            )
        if self.status:
            kind = RefusedError if self.status in _REFUSALS else HypervisorError
            raise kind(f"{self.host}: {self.said() or f'status {self.status}'}")

    def said(self) -> str:
        """Return what it has said for people: the last line."""
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].removeprefix("Error: ") if lines else ""

    # --- a conversation, in a loop of the caller's -------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether it has ended the command."""
        return self.status is not None or bool(self._refused)

    @property
    def unsent(self) -> int:
        """How many octets wait to be taken."""
        return len(self._unsent)

    def put(self, octets: bytes) -> None:
        """Queue input."""
        self._session.data(octets)
        self._unsent += self._session.take_outgoing()

    def end(self) -> None:
        """Queue the end of the input."""
        self._session.end()
        self._unsent += self._session.take_outgoing()

    def push(self) -> None:
        """Send what is taken now. Raises OSError."""
        if self._unsent:
            with contextlib.suppress(BlockingIOError):
                self._unsent = self._unsent[self.sock.send(self._unsent) :]

    def pull(self) -> list[bytes]:
        """Return the octets that have come. Raises OSError, GssError and SessionError; EOFError where it is gone."""
        try:
            data = self.sock.recv(_CHUNK)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError("it closed the connection")
        self._session.receive(data)
        found = []
        while not self.over and (part := self._take()) is not None:
            if part:
                found.append(part)
        return found

    def close(self) -> None:
        """Close it."""
        self.sock.close()

    def _take(self) -> bytes | None:
        """Take the next message; return its octets, empty where it has none, None where there is no message."""
        message = self._session.next_message()
        if message is None:
            return None
        if isinstance(message, Output):
            if message.stream == wire.STDOUT:
                return bytes(message.data)
            self._said = (self._said + message.data)[-_MOST_SAID:]
        elif isinstance(message, Status):
            self.status = message.status
        elif isinstance(message, Error):
            self._refused = message.text.decode("utf-8", "replace")[:200]
        else:
            raise SessionError("it speaks another version of the protocol")
        return b""

    def _flush(self) -> None:
        data = self._session.take_outgoing()
        if data:
            self.sock.settimeout(self._left())
            self.sock.sendall(data)

    def _fill(self) -> None:
        self.sock.settimeout(self._left())
        data = self.sock.recv(_CHUNK)
        if not data:
            raise OSError("it closed the connection")
        self._session.receive(data)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it does not answer in time")
        return left


def reached(settings: Settings, host: str, seconds: float) -> Far:
    """Return a connection to the xmand of `host`. Raises UnreachableError."""
    try:
        return Far(settings, Place(host, settings.migrate.port), seconds)
    except LostError as error:
        raise UnreachableError(f"{host}: its xmand cannot be reached: {error}.") from error


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
