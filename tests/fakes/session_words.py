"""The words of a conversation by hand, as tokens over the stand-in context, and how events are compared."""

from tests.fakes.gss_standin import StandIn, sealed
from xman.server_session import Authenticated, Closed, CommandReceived, MessageRefused, ServerSession

HELLO = b"\x51\x00\x00\x00\x00"
AP_REQ = b"\x42\x00\x00\x00\x06ap-req"
AP_REP = b"\x42\x00\x00\x00\x06ap-rep"
MORE = b"\x42\x00\x00\x00\x04more"
GO_ON = b"\x42\x00\x00\x00\x05go on"
HANDSHAKE = HELLO + AP_REQ

LIST = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x04list"
LIST_AND_CLOSE = b"\x02\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04list"
QUIT = b"\x02\x02"
NOOP = b"\x03\x07"
STATUS_0 = b"\x02\x04\x00"

# The server's first sealed token.
ERROR_2 = b"\x44\x00\x00\x00\x19\xe0\x00\x02\x05\x00\x00\x00\x02\x00\x00\x00\x0dInvalid token"


def data(token: bytes) -> bytes:
    """Frame a sealed token."""
    return b"\x44" + len(token).to_bytes(4, "big") + token


def stream(*plaintexts: bytes) -> bytes:
    """Seal and frame `plaintexts` as one side's first data tokens."""
    return b"".join(data(sealed(number, plaintext)) for number, plaintext in enumerate(plaintexts))


def describe(event: object) -> object:
    """Return what can be compared of an event."""
    if isinstance(event, Authenticated):
        return ("authenticated", event.initiator, event.initiator_is_principal)
    if isinstance(event, CommandReceived):
        return ("command", event.arguments)
    if isinstance(event, MessageRefused):
        return ("refused", event.code)
    if isinstance(event, Closed):
        return ("closed", event.detail, event.reason)
    return event


def serve(session: ServerSession, octets: bytes) -> list[object]:
    """Feed `octets`, answer every command with an output and STATUS 0, and return the events."""
    session.receive(octets)
    events = []
    while (event := session.next_event()) is not None:
        events.append(describe(event))
        if isinstance(event, CommandReceived):
            session.send_output(1, b"done")
            session.send_status(0)
    return events


def authenticated(context: StandIn | None = None) -> ServerSession:
    """Return a server whose client is known and to which nothing has been said since."""
    session = ServerSession(context or StandIn(initiates=False))
    assert serve(session, HANDSHAKE) == [("authenticated", b"alice@XMAN.TEST", True)]
    assert session.take_outgoing() == AP_REP
    return session
