"""The xmand of another host, spoken with as this host's own principal; blocking, in a thread of the caller's."""

import contextlib

from xman import outcome
from xman.errors import HypervisorError, RefusedError, UnreachableError, UsageError
from xman.gss import GssError
from xman.session import SessionError
from xman.srv import Place
from xman.wire import constants as wire
from xman.wire.messages import Error, Output, ProtocolError, Status
from xmand.settings import Settings
from xmand.system.own_connection import LostError, OwnConnection, Tickets, why
from xmand.system.own_name import own_principal

_CHUNK = 262_144
# What it says beside its octets is a line or two.
_MOST_SAID = 65_536
# Not whoever asks for the migration is refused by these, but this host.
_REFUSALS = (outcome.USAGE, outcome.REFUSED, outcome.DENIED)
# One cache for all connections: a cache lives as long as the process.
_TICKETS = Tickets("far")


class Far(OwnConnection):
    """One connection. Raises LostError where none can be made within `seconds`."""

    def __init__(self, settings: Settings, place: Place, seconds: float) -> None:
        try:
            principal = own_principal(settings.keytab, settings.service, settings.report.principal)
        except UsageError as error:
            raise LostError(str(error)) from error
        super().__init__(place, settings.service, settings.keytab, principal, _TICKETS, seconds)
        self.host = place.host
        self._said = b""
        # How the command has ended, where it has: its status.
        self.status: int | None = None
        self._refused = ""
        self._unsent = b""

    def ask(self, words: list[str], seconds: float) -> None:
        """Send a command and wait for its end. Raises LostError, and XmanError where it ends with a failure."""
        self.patience(seconds)
        try:
            self.session.command([word.encode() for word in words])
            self.flush()
            while self.status is None and not self._refused:
                if self._take() is None:
                    self.fill()
        except (OSError, GssError, SessionError, ProtocolError) as error:
            raise LostError(why(error)) from error
        self.require_ok()

    def converse(self, words: list[str], seconds: float) -> None:
        """Send a command that takes input, and wait until it does. Raises LostError, and XmanError as `ask` does."""
        self.patience(seconds)
        try:
            self.session.command([word.encode() for word in words], takes_input=True)
            self.flush()
            while not self.session.input_open and self.status is None and not self._refused:
                if self._take() is None:
                    self.fill()
        except (OSError, GssError, SessionError, ProtocolError) as error:
            raise LostError(why(error)) from error
        self.require_ok()
        if self.status is not None:
            raise LostError("the migration ended before it began")
        self.sock.setblocking(False)

    def require_ok(self) -> None:
        """Raise XmanError where the command has ended with a failure."""
        if self._refused:
            raise RefusedError(
                f"{self.host} does not accept migrations from this host: {self._refused}"
                " ([migrate] accept in xmand.toml there)."
            )
        if self.status:
            kind = RefusedError if self.status in _REFUSALS else HypervisorError
            raise kind(f"{self.host}: {self.said() or f'status {self.status}'}")

    def said(self) -> str:
        """Return what it has said for people: the last line."""
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].removeprefix("Error: ") if lines else ""

    def notes(self) -> tuple[str, ...]:
        """Return what it has said for people beside a success."""
        return tuple(filter(None, self._said.decode("utf-8", "replace").splitlines()))

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
        self.session.data(octets)
        self._unsent += self.session.take_outgoing()

    def end(self) -> None:
        """Queue the end of the input."""
        self.session.end()
        self._unsent += self.session.take_outgoing()

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
        self.session.receive(data)
        found = []
        while not self.over and (part := self._take()) is not None:
            if part:
                found.append(part)
        return found

    def _take(self) -> bytes | None:
        """Take the next message; return its octets, empty where it has none, None where there is no message."""
        message = self.session.next_message()
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


def reached(settings: Settings, host: str, seconds: float) -> Far:
    """Return a connection to the xmand of `host`. Raises UnreachableError."""
    try:
        return Far(settings, Place(host, settings.migrate.port), seconds)
    except LostError as error:
        raise UnreachableError(f"{host}: its xmand cannot be reached: {error}.") from error
