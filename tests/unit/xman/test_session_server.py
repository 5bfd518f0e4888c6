"""The server's side of a whole conversation (`xman.server_session.ServerSession`), over a stand-in context.

What is received and sent is written by hand; see `gss_standin` for the words of its handshake and its sealed tokens.
"""

import pytest

from tests.fakes.gss_standin import StandIn, sealed
from tests.fakes.session_words import (
    AP_REP,
    AP_REQ,
    ERROR_2,
    GO_ON,
    HANDSHAKE,
    HELLO,
    LIST,
    LIST_AND_CLOSE,
    MORE,
    NOOP,
    QUIT,
    STATUS_0,
    authenticated,
    data,
    describe,
    serve,
    stream,
)
from xman.gss import OTHER, WRONG_KEY, GssError
from xman.server_session import ServerSession

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
