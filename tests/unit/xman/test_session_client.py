"""The client's side of a whole conversation (`xman.session.ClientSession`), over a stand-in context.

What is received and sent is written by hand; see `gss_standin` for the words of its handshake and its sealed tokens.
"""

import pytest

from tests.fakes.gss_standin import StandIn, sealed
from tests.fakes.session_words import (
    AP_REP,
    GO_ON,
    HANDSHAKE,
    HELLO,
    LIST,
    MORE,
    STATUS_0,
    data,
    serve,
    stream,
)
from xman.gss import EXPIRED, WRONG_KEY, GssError
from xman.server_session import ServerSession
from xman.session import ClientSession, SessionError
from xman.wire import messages as m


def started(context: StandIn | None = None) -> ClientSession:
    """Return a client that has sent its first tokens."""
    session = ClientSession(context or StandIn(initiates=True))
    session.start()
    assert session.take_outgoing() == HANDSHAKE
    return session


def connected(context: StandIn | None = None) -> ClientSession:
    """Return a client that may send a command."""
    session = started(context)
    session.receive(AP_REP)
    assert session.handshake()
    return session


def asked(context: StandIn | None = None) -> ClientSession:
    """Return a client that waits for the reply to its command."""
    session = connected(context)
    session.command([b"list"])
    assert session.take_outgoing() == stream(LIST)
    return session


def messages(session: ClientSession, octets: bytes) -> list[m.Message]:
    """Feed `octets` and return what the server said."""
    session.receive(octets)
    received = []
    while (message := session.next_message()) is not None:
        received.append(message)
    return received


def test_client_begins() -> None:
    session = ClientSession(StandIn(initiates=True))

    session.start()

    assert session.take_outgoing() == HANDSHAKE


def test_client_is_authenticated_by_the_servers_answer() -> None:
    session = started()
    assert not session.handshake()
    assert not session.authenticated

    session.receive(AP_REP)

    assert session.handshake()
    assert session.authenticated
    assert session.initiator == b"alice@XMAN.TEST"
    assert session.take_outgoing() == b""


def test_client_answers_in_a_longer_handshake() -> None:
    session = started()

    session.receive(GO_ON + AP_REP)

    assert session.handshake()
    assert session.take_outgoing() == MORE


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        pytest.param(b"\x44\x00\x00\x00\x06ap-rep", "flags 0x44", id="data"),
        pytest.param(b"\x02\x00\x00\x00\x06ap-rep", "flags 0x02", id="context-of-version-1"),
        pytest.param(HELLO, "flags 0x51", id="hello"),
        pytest.param(b"\x42\x00\x00\x00\x07nowhere", "leads nowhere", id="incomplete-no-answer"),
        pytest.param(b"\x42\x00\x01\x00\x01", "65537 octets; the limit is 65536", id="oversize"),
    ],
)
def test_server_that_breaks_the_handshake_is_refused(received: bytes, detail: str) -> None:
    session = started()
    session.receive(received)

    with pytest.raises(SessionError, match=detail):
        session.handshake()


def test_servers_error_token_is_read() -> None:
    session = started()
    session.receive(b"\x42\x00\x00\x00\x09krb-error")

    with pytest.raises(GssError) as refusal:
        session.handshake()

    assert refusal.value.reason == WRONG_KEY


def test_client_refuses_a_context_without_full_protection() -> None:
    context = StandIn(initiates=True)
    context.missing = "confidentiality"
    session = started(context)
    session.receive(AP_REP)

    with pytest.raises(GssError, match="the connection lacks confidentiality"):
        session.handshake()


def test_client_sends_commands_noop_and_quit_sealed() -> None:
    session = asked()

    messages(session, stream(STATUS_0))
    session.noop()
    session.quit()

    assert session.take_outgoing() == b"\x44\x00\x00\x00\x04\xe0\x01\x03\x07\x44\x00\x00\x00\x04\xe0\x02\x02\x02"


def test_client_splits_a_large_command_into_tokens() -> None:
    session = connected()

    session.command([b"a" * 65_525])

    assert session.take_outgoing() == (
        b"\x44\x00\x01\x00\x02\xe0\x00\x02\x01\x01\x01\x00\x00\x00\x01\x00\x00\xff\xf5"
        + b"a" * 65_524
        + b"\x44\x00\x00\x00\x07\xe0\x01\x02\x01\x01\x03a"
    )


def test_client_reads_a_reply_to_its_end() -> None:
    session = asked()

    received = messages(session, stream(b"\x02\x03\x01\x00\x00\x00\x03www", b"\x02\x03\x02\x00\x00\x00\x00", STATUS_0))

    assert received == [m.Output(1, b"www"), m.Output(2, b""), m.Status(0)]
    assert session.finished


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        pytest.param(b"\x42" + stream(STATUS_0)[1:], "flags 0x42", id="flags-of-the-handshake"),
        pytest.param(b"\x04" + stream(STATUS_0)[1:], "flags 0x04", id="flags-of-version-1"),
        pytest.param(stream(b""), "without a type", id="empty-plaintext"),
        pytest.param(stream(b"\x02\x63"), "message type 99", id="unknown-type"),
        pytest.param(stream(STATUS_0 + b"x"), "a STATUS of 2 octets", id="status-too-long"),
        pytest.param(stream(LIST), "the server sent CommandChunk", id="command"),
        pytest.param(stream(STATUS_0, STATUS_0), "unasked", id="two-statuses"),
        pytest.param(b"\x44\x00\x10\x00\x01", "1048577 octets; the limit is 1048576", id="oversize"),
    ],
)
def test_server_that_breaks_the_protocol_is_refused(received: bytes, detail: str) -> None:
    session = asked()

    with pytest.raises(SessionError, match=detail):
        messages(session, received)


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        pytest.param(data(b"forged"), "nobody sealed", id="forged"),
        pytest.param(data(b"\x60\x00" + STATUS_0), "not encrypted", id="integrity-only"),
        pytest.param(data(sealed(1, STATUS_0)), "out of order", id="out-of-order"),
    ],
)
def test_client_refuses_a_token_that_cannot_be_unsealed(received: bytes, detail: str) -> None:
    session = asked()

    with pytest.raises(GssError, match=detail):
        messages(session, received)


def test_client_with_an_expired_context_cannot_send() -> None:
    context = StandIn(initiates=True)
    session = connected(context)
    context.seal_fails = True

    with pytest.raises(GssError) as failure:
        session.command([b"list"])

    assert failure.value.reason == EXPIRED


def test_client_fed_octet_by_octet_equals_client_fed_whole() -> None:
    octets = stream(b"\x02\x03\x01\x00\x00\x00\x03www", b"\x02\x03\x02\x00\x00\x00\x00", STATUS_0)
    whole, single = asked(), asked()

    one_by_one = [message for octet in octets for message in messages(single, bytes((octet,)))]

    assert one_by_one == messages(whole, octets)
    assert single.finished


def test_handshake_fed_octet_by_octet_equals_handshake_fed_whole() -> None:
    octets = GO_ON + AP_REP
    whole, single = started(), started()

    whole.receive(octets)
    progress = []
    for octet in octets:
        single.receive(bytes((octet,)))
        progress.append(single.handshake())

    assert progress == [False] * (len(octets) - 1) + [True]
    assert whole.handshake()
    assert single.take_outgoing() == whole.take_outgoing()


def test_client_and_server_understand_each_other() -> None:
    client, server = ClientSession(StandIn(initiates=True)), ServerSession(StandIn(initiates=False))
    description = b"<domain/>" * 20_000

    client.start()
    events = serve(server, client.take_outgoing())
    client.receive(server.take_outgoing())
    assert client.handshake()
    client.command([b"create", description], keepalive=False)
    events += serve(server, client.take_outgoing())
    received = messages(client, server.take_outgoing())

    assert events == [
        ("authenticated", b"alice@XMAN.TEST", True),
        ("command", [b"create", description]),
        ("closed", "", ""),
    ]
    assert received == [m.Output(1, b"done"), m.Status(0)]
