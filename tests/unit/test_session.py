"""A whole conversation as octets (`xman.session`): tokens, handshake and sealed messages, over a stand-in context.

What is received and sent is written by hand; see `gss_standin` for the words of its handshake and its sealed tokens.
"""

import pytest

from tests.unit.gss_standin import StandIn, sealed
from xman.gss import EXPIRED, OTHER, WRONG_KEY, GssError
from xman.session import (
    Authenticated,
    ClientSession,
    Closed,
    CommandReceived,
    MessageRefused,
    ServerSession,
    SessionError,
)
from xman.wire import messages as m

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


# --- The server's handshake ----------------------------------------------------------------------------------------


def test_handshake_authenticates_the_client() -> None:
    session = ServerSession(StandIn(initiates=False))

    assert serve(session, HANDSHAKE) == [("authenticated", b"alice@XMAN.TEST", True)]
    assert session.take_outgoing() == AP_REP


def test_name_that_is_no_principal_is_told_apart() -> None:
    context = StandIn(initiates=False)
    context.initiator, context.initiator_is_principal = b"WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", False

    events = serve(ServerSession(context), HANDSHAKE)

    assert events == [("authenticated", b"WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", False)]


def test_server_says_nothing_first() -> None:
    session = ServerSession(StandIn(initiates=False))

    assert session.next_event() is None
    assert session.take_outgoing() == b""


def test_hello_alone_is_not_answered() -> None:
    session = ServerSession(StandIn(initiates=False))

    assert serve(session, HELLO) == []
    assert session.take_outgoing() == b""


def test_payload_of_the_hello_is_ignored() -> None:
    session = ServerSession(StandIn(initiates=False))

    assert serve(session, b"\x51\x00\x00\x00\x03abc" + AP_REQ) == [("authenticated", b"alice@XMAN.TEST", True)]


@pytest.mark.parametrize(
    "received",
    [
        pytest.param([MORE, AP_REQ], id="two-tokens"),
        pytest.param([MORE, MORE, AP_REQ], id="three-tokens"),
    ],
)
def test_handshake_may_take_up_to_three_tokens(received: list[bytes]) -> None:
    session = ServerSession(StandIn(initiates=False))

    events = serve(session, HELLO + b"".join(received))

    assert events == [("authenticated", b"alice@XMAN.TEST", True)]
    assert session.take_outgoing() == GO_ON * (len(received) - 1) + AP_REP


@pytest.mark.parametrize(
    ("received", "sent", "closed"),
    [
        pytest.param(b"\x11\x00\x00\x00\x00", b"", ("a first token with flags 0x11", ""), id="version-1"),
        pytest.param(AP_REQ, b"", ("a first token with flags 0x42", ""), id="no-hello"),
        pytest.param(b"\x44\x00\x00\x00\x00", b"", ("a first token with flags 0x44", ""), id="data-first"),
        pytest.param(b"\x50\x00\x00\x00\x00", b"", ("a first token with flags 0x50", ""), id="hello-without-noop"),
        pytest.param(
            HELLO + b"\x02\x00\x00\x00\x06ap-req",
            b"",
            ("token 1 of the handshake has flags 0x02", ""),
            id="context-of-version-1",
        ),
        pytest.param(HELLO + HELLO, b"", ("token 1 of the handshake has flags 0x51", ""), id="second-hello"),
        pytest.param(
            HELLO + stream(LIST), b"", ("token 1 of the handshake has flags 0x44", ""), id="command-before-handshake"
        ),
        pytest.param(
            HELLO + MORE + stream(LIST),
            GO_ON,
            ("token 2 of the handshake has flags 0x44", ""),
            id="command-within-handshake",
        ),
        pytest.param(
            HELLO + MORE * 3 + AP_REQ,
            GO_ON * 3,
            ("token 4 of the handshake has flags 0x42", ""),
            id="four-tokens",
        ),
        pytest.param(
            HELLO + b"\x42\x00\x00\x00\x09refuse-me",
            b"\x42\x00\x00\x00\x09krb-error",
            ("the key is not the one", WRONG_KEY),
            id="error-token-is-sent",
        ),
        pytest.param(
            HELLO + b"\x42\x00\x00\x00\x04junk", b"", ("not a token of this mechanism", OTHER), id="error-without-token"
        ),
        pytest.param(HELLO + b"\x42\x00\x00\x00\x00", b"", ("not a token of this mechanism", OTHER), id="empty-token"),
        pytest.param(
            HELLO + b"\x42\x00\x00\x00\x07nowhere", b"", ("the handshake leads nowhere", ""), id="incomplete-no-answer"
        ),
        pytest.param(
            b"\x51\x00\x01\x00\x01", b"", ("a token of 65537 octets; the limit is 65536", ""), id="oversize-hello"
        ),
        pytest.param(
            HELLO + b"\x42\x00\x01\x00\x01",
            b"",
            ("a token of 65537 octets; the limit is 65536", ""),
            id="oversize-context-token",
        ),
    ],
)
def test_handshake_ends_in_closing(received: bytes, sent: bytes, closed: tuple[str, str]) -> None:
    session = ServerSession(StandIn(initiates=False))

    assert serve(session, received) == [("closed", *closed)]
    assert session.take_outgoing() == sent


def test_first_token_may_have_64_kib() -> None:
    session = ServerSession(StandIn(initiates=False))

    assert serve(session, b"\x51\x00\x01\x00\x00" + b"x" * 65_536) == []


@pytest.mark.parametrize("lacks", ["mutual_authentication", "confidentiality", "integrity, replay_detection"])
def test_context_without_full_protection_closes(lacks: str) -> None:
    context = StandIn(initiates=False)
    context.missing = lacks
    session = ServerSession(context)

    events = serve(session, HANDSHAKE + stream(LIST))

    assert events == [("closed", f"the client's context lacks {lacks}", "")]


def test_one_way_context_closes_without_an_answer() -> None:
    context = StandIn(initiates=False)
    context.missing = "mutual_authentication"
    session = ServerSession(context)

    events = serve(session, HELLO + b"\x42\x00\x00\x00\x07one-way")

    assert events == [("closed", "the client's context lacks mutual_authentication", "")]
    assert session.take_outgoing() == b""


# --- The server's messages -----------------------------------------------------------------------------------------


def test_command_is_received_and_answered() -> None:
    session = authenticated()

    assert serve(session, stream(LIST)) == [("command", [b"list"])]
    assert session.take_outgoing() == stream(b"\x02\x03\x01\x00\x00\x00\x04done", STATUS_0)


def test_command_in_the_octets_of_the_handshake_is_not_lost() -> None:
    session = ServerSession(StandIn(initiates=False))

    events = serve(session, HANDSHAKE + stream(LIST))

    assert events == [("authenticated", b"alice@XMAN.TEST", True), ("command", [b"list"])]


def test_pipelined_command_waits_for_the_reply_before_it() -> None:
    session = authenticated()
    session.receive(stream(LIST, LIST))
    assert describe(session.next_event()) == ("command", [b"list"])

    assert session.next_event() is None
    session.send_status(0)

    assert describe(session.next_event()) == ("command", [b"list"])


def test_three_pipelined_commands_get_three_statuses() -> None:
    session = authenticated()

    assert serve(session, stream(LIST, LIST, LIST)) == [("command", [b"list"])] * 3
    assert session.take_outgoing() == stream(*[b"\x02\x03\x01\x00\x00\x00\x04done", STATUS_0] * 3)


def test_chunks_are_joined() -> None:
    session = authenticated()

    events = serve(session, stream(b"\x02\x01\x01\x01" + LIST[4:6], b"\x02\x01\x01\x03" + LIST[6:]))

    assert events == [("command", [b"list"])]


def test_noop_is_answered() -> None:
    session = authenticated()

    assert serve(session, stream(NOOP)) == []
    assert session.take_outgoing() == b"\x44\x00\x00\x00\x04\xe0\x00\x03\x07"


def test_foreign_version_is_told_ours() -> None:
    session = authenticated()

    assert serve(session, stream(b"\x04\x01\x01\x00", LIST)) == [("command", [b"list"])]
    assert session.take_outgoing().startswith(b"\x44\x00\x00\x00\x05\xe0\x00\x02\x06\x03")


def test_error_is_sent_in_the_references_words() -> None:
    session = authenticated()
    session.receive(stream(LIST))
    session.next_event()

    session.send_error(6)

    assert session.take_outgoing() == (
        b"\x44\x00\x00\x00\x19\xe0\x00\x02\x05\x00\x00\x00\x06\x00\x00\x00\x0dAccess denied"
    )


def test_refused_command_keeps_the_connection() -> None:
    session = authenticated()

    assert serve(session, stream(LIST + b"x", LIST)) == [("refused", 4), ("command", [b"list"])]
    assert session.take_outgoing().startswith(
        b"\x44\x00\x00\x00\x21\xe0\x00\x02\x05\x00\x00\x00\x04\x00\x00\x00\x15Invalid command token"
    )


def test_quit_closes_without_a_word() -> None:
    session = authenticated()

    assert serve(session, stream(QUIT, LIST)) == [("closed", "", "")]
    assert session.take_outgoing() == b""


def test_keepalive_0_closes_after_the_reply() -> None:
    session = authenticated()

    assert serve(session, stream(LIST_AND_CLOSE, LIST)) == [("command", [b"list"]), ("closed", "", "")]
    assert session.take_outgoing() == stream(b"\x02\x03\x01\x00\x00\x00\x04done", STATUS_0)


def test_nothing_is_taken_after_the_end() -> None:
    session = authenticated()
    serve(session, stream(QUIT))

    assert serve(session, data(sealed(1, LIST))) == []
    assert session.take_outgoing() == b""


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        pytest.param(stream(b""), "Invalid token", id="empty-plaintext"),
        pytest.param(stream(b"\x02"), "Invalid token", id="plaintext-of-1-octet"),
        pytest.param(data(b""), "a token that nobody sealed", id="empty-payload"),
        pytest.param(data(b"forged"), "a token that nobody sealed", id="forged"),
        pytest.param(data(b"\x60\x00" + LIST), "the token is not encrypted", id="integrity-only"),
        pytest.param(data(sealed(1, LIST)), "the token is a duplicate or out of order", id="out-of-order"),
        pytest.param(b"\x04" + stream(LIST)[1:], "a token with flags 0x04", id="flags-of-version-1"),
        pytest.param(b"\x42" + stream(LIST)[1:], "a token with flags 0x42", id="flags-of-the-handshake"),
        pytest.param(b"\x45" + stream(LIST)[1:], "a token with flags 0x45", id="one-flag-more"),
        pytest.param(HELLO, "a token with flags 0x51", id="hello-again"),
        pytest.param(b"\x44\x00\x10\x00\x01", "a token of 1048577 octets; the limit is 1048576", id="oversize"),
        pytest.param(b"\x44\xff\xff\xff\xff", "a token of 4294967295 octets; the limit is 1048576", id="largest"),
    ],
)
def test_bad_token_is_error_2_and_closes(received: bytes, detail: str) -> None:
    session = authenticated()

    assert serve(session, received) == [("closed", detail, "")]
    assert session.take_outgoing() == ERROR_2


def test_replayed_token_is_error_2_and_closes() -> None:
    session = authenticated()
    serve(session, stream(NOOP))
    session.take_outgoing()

    events = serve(session, stream(NOOP))

    assert events == [("closed", "the token is a duplicate or out of order", "")]
    assert session.take_outgoing() == ERROR_2.replace(b"\xe0\x00", b"\xe0\x01", 1)


def test_expired_context_is_error_2_and_closes() -> None:
    context = StandIn(initiates=False)
    session = authenticated(context)
    context.lifetime = 0

    assert serve(session, stream(LIST)) == [("closed", "the context has expired", "")]
    assert session.take_outgoing() == ERROR_2


def test_lifetime_is_the_contexts_at_the_moment() -> None:
    context = StandIn(initiates=False)
    session = authenticated(context)
    assert session.lifetime == 600

    context.lifetime = 0

    assert session.lifetime == 0


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        pytest.param(data(b"forged"), "a token that nobody sealed", id="forged"),
        pytest.param(b"\x44\x00\x10\x00\x01", "a token of 1048577 octets; the limit is 1048576", id="oversize"),
    ],
)
def test_first_failure_is_the_one_told_where_error_2_cannot_be_sealed(received: bytes, detail: str) -> None:
    context = StandIn(initiates=False)
    session = authenticated(context)
    context.seal_fails = True

    assert serve(session, received) == [("closed", detail, "")]
    assert session.take_outgoing() == b""


def test_answer_that_cannot_be_sealed_is_an_error_of_gss() -> None:
    context = StandIn(initiates=False)
    session = authenticated(context)
    context.seal_fails = True

    with pytest.raises(GssError, match="expired"):
        serve(session, stream(NOOP))


def test_token_of_1_mib_is_taken_after_the_handshake() -> None:
    # As the reference does; the 2 octets of the stand-in's seal and the message's 12 count.
    session = authenticated()
    argument = b"a" * (1_048_576 - 14)

    events = serve(session, data(sealed(0, LIST[:8] + b"\x00\x0f\xff\xf2" + argument)))

    assert events == [("command", [argument])]


def test_output_is_split_into_tokens() -> None:
    session = authenticated()
    session.receive(stream(LIST))
    session.next_event()

    session.send_output(1, b"x" * 65_529 + b"y")

    assert session.take_outgoing() == (
        b"\x44\x00\x01\x00\x02\xe0\x00\x02\x03\x01\x00\x00\xff\xf9"
        + b"x" * 65_529
        + b"\x44\x00\x00\x00\x0a\xe0\x01\x02\x03\x01\x00\x00\x00\x01y"
    )


CONVERSATIONS = [
    pytest.param(HANDSHAKE + stream(LIST, NOOP, LIST, QUIT), id="well-behaved"),
    pytest.param(HELLO + MORE + AP_REQ + stream(LIST[:3] + b"\x01", b"\x02\x01\x00\x03" + LIST[4:]), id="chunks"),
    pytest.param(HANDSHAKE + stream(b"\x02\x63", b"\x09\x09", LIST + b"x", LIST, b""), id="errors"),
    pytest.param(HANDSHAKE + stream(LIST) + data(b"forged"), id="forged"),
    pytest.param(HANDSHAKE + stream(LIST) + b"\x44\xff\xff\xff\xffabc", id="oversize"),
    pytest.param(HELLO + b"\x42\x00\x00\x00\x09refuse-me" + AP_REQ, id="refused"),
    pytest.param(b"\x11\x00\x00\x00\x00" + HANDSHAKE, id="version-1"),
]


@pytest.mark.parametrize("octets", CONVERSATIONS)
def test_server_fed_octet_by_octet_equals_server_fed_whole(octets: bytes) -> None:
    whole, single = ServerSession(StandIn(initiates=False)), ServerSession(StandIn(initiates=False))

    one_by_one = [event for octet in octets for event in serve(single, bytes((octet,)))]

    assert one_by_one == serve(whole, octets)
    assert single.take_outgoing() == whole.take_outgoing()


# --- The client ----------------------------------------------------------------------------------------------------


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
