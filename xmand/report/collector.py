"""One collector, spoken with as this host's own principal: blocking, in the reporter's thread."""

from xman.gss import GssError
from xman.session import SessionError
from xman.srv import Place
from xman.wire.constants import STDOUT
from xman.wire.messages import Error, Output, ProtocolError, Status
from xmand.system.own_connection import LostError, OwnConnection, Tickets, why

# An answer is one short line.
_MOST_ANSWER = 65_536


class Collector(OwnConnection):
    """A collector. Raises LostError where no connection can be made within `seconds`, and where it is lost."""

    def __init__(
        self, place: Place, service: str, keytab: str, principal: str, tickets: Tickets, seconds: float
    ) -> None:
        super().__init__(place, service, keytab, principal, tickets, seconds)
        self.name = f"{place.host}:{place.port} as {principal}"
        self._seconds = seconds

    def ask(self, words: list[bytes]) -> bytes:
        """Send a command; return what its reply says. Raises LostError, also where it is refused."""
        self.patience(self._seconds)
        said = b""
        try:
            self.session.command(words)
            self.flush()
            while True:
                message = self.session.next_message()
                if message is None:
                    self.fill()
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
            raise LostError(why(error)) from error
