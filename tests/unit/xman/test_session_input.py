"""Input of a running command through both sessions, over a stand-in context."""

from tests.fakes.gss_standin import StandIn, sealed
from xman.server_session import Authenticated, Closed, CommandReceived, InputEnded, InputReceived, ServerSession
from xman.session import ClientSession
from xman.wire import messages as m
from xman.wire.constants import FLAGS_DATA, MAX_DATA
from xman.wire.tokens import encode_token


def pair() -> tuple[ClientSession, ServerSession]:
    """Return a client whose `console` runs at a server that takes input."""
    client, server = ClientSession(StandIn(initiates=True)), ServerSession(StandIn(initiates=False))
    client.start()
    server.receive(client.take_outgoing())
    assert isinstance(server.next_event(), Authenticated)
    client.receive(server.take_outgoing())
    assert client.handshake()
    client.command([b"console", b"vm1", b"--input"], takes_input=True)
    server.receive(client.take_outgoing())
    assert isinstance(server.next_event(), CommandReceived)
    server.open_input()
    client.receive(server.take_outgoing())
    assert client.next_message() == m.Output(2, b"")
    return client, server


def test_what_is_typed_arrives_in_order() -> None:
    client, server = pair()
    client.data(b"a" * (MAX_DATA + 1))
    client.data(b"b")
    client.end()
    server.receive(client.take_outgoing())

    events = [server.next_input() for _ in range(4)]

    assert b"".join(event.data for event in events if isinstance(event, InputReceived)) == b"a" * (MAX_DATA + 1) + b"b"
    assert isinstance(events[-1], InputEnded)
    assert server.next_input() is None


def test_status_and_data_cross_and_the_connection_goes_on() -> None:
    client, server = pair()
    client.data(b"x" * (1 << 20))
    server.send_output(1, b"vm1 ended.")
    server.send_status(0)
    client.receive(server.take_outgoing())
    assert client.next_message() == m.Output(1, b"vm1 ended.")
    assert client.next_message() == m.Status(0)

    client.end()
    client.command([b"ping"])
    server.receive(client.take_outgoing())

    event = server.next_event()
    assert isinstance(event, CommandReceived)
    assert event.arguments == [b"ping"]


def test_a_command_in_the_input_ends_the_connection() -> None:
    _client, server = pair()
    # In the place of the client's third token, a sealed COMMAND.
    server.receive(encode_token(FLAGS_DATA, sealed(1, b"\x02\x01\x01\x00\x00\x00\x00\x00")))

    event = server.next_input()

    assert isinstance(event, Closed)
    assert "DATA" in event.detail
    assert server.over


def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    _client, server = pair()
    server.receive(b"\x44\x7f\xff\xff\xff")

    assert isinstance(server.next_input(), Closed)
