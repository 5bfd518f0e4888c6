"""The server's state machine (`xman.wire.server`): every row of the protocol's message rules, as octets.

Each row is a conversation. On the left the plaintexts that a client sends; on the right all that comes of them, in
order: an argument vector where a command was whole (it is answered with STATUS 0 at once) and the plaintexts sent.
"""

import pytest

from xman.wire.server import MAX_ERRORS_IN_A_ROW, ServerProtocol

LIST = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x04list"
LIST_AND_CLOSE = b"\x02\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04list"
FIRST = b"\x02\x01\x01\x01\x00\x00\x00\x01\x00\x00\x00\x04li"
LAST = b"\x02\x01\x01\x03st"
QUIT = b"\x02\x02"
NOOP = b"\x03\x07"

STATUS_0 = b"\x02\x04\x00"
VERSION_3 = b"\x02\x06\x03"
ERROR_1 = b"\x02\x05\x00\x00\x00\x01\x00\x00\x00\x10Internal failure"
ERROR_2 = b"\x02\x05\x00\x00\x00\x02\x00\x00\x00\x0dInvalid token"
ERROR_3 = b"\x02\x05\x00\x00\x00\x03\x00\x00\x00\x0fUnknown message"
ERROR_4 = b"\x02\x05\x00\x00\x00\x04\x00\x00\x00\x15Invalid command token"
ERROR_5 = b"\x02\x05\x00\x00\x00\x05\x00\x00\x00\x0fUnknown command"
ERROR_6 = b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x0dAccess denied"
ERROR_7 = b"\x02\x05\x00\x00\x00\x07\x00\x00\x00\x12Too many arguments"
ERROR_8 = b"\x02\x05\x00\x00\x00\x08\x00\x00\x00\x0dToo much data"
ERROR_9 = b"\x02\x05\x00\x00\x00\x09\x00\x00\x00\x12Unexpected message"
ERROR_10 = b"\x02\x05\x00\x00\x00\x0a\x00\x00\x00\x1bNo help defined for command"

# What any connection that is still good answers to LIST.
LISTED = [[b"list"], STATUS_0]

# 1 MiB is 16 chunks of 64 KiB. With it as one argument, argc and the length take the first 8 octets.
CHUNK = 65_536
LARGEST_ARGUMENT = b"a" * (1_048_576 - 8)
LARGEST_FIRST = b"\x02\x01\x01\x01\x00\x00\x00\x01\x00\x0f\xff\xf8" + b"a" * (CHUNK - 8)
FULL_MIDDLE = b"\x02\x01\x01\x02" + b"a" * CHUNK
FULL_LAST = b"\x02\x01\x01\x03" + b"a" * CHUNK
OVERFLOW = b"\x02\x01\x01\x02a"
FULL = [LARGEST_FIRST] + [FULL_MIDDLE] * 15


def converse(*plaintexts: bytes) -> list[bytes | list[bytes]]:
    """Feed a fresh server; return what came of it, in order, and `b"closed"` where it closed."""
    protocol = ServerProtocol()
    transcript: list[bytes | list[bytes]] = []
    for plaintext in plaintexts:
        arguments = protocol.receive(plaintext)
        if arguments is not None:
            transcript.append(arguments)
            protocol.send_status(0)
        transcript += protocol.take_outgoing()
    if protocol.state == "closed":
        transcript.append(b"closed")
    return transcript


def running(keepalive: bytes = b"\x01") -> ServerProtocol:
    """Return a server with a command to answer."""
    protocol = ServerProtocol()
    assert protocol.receive(b"\x02\x01" + keepalive + b"\x00\x00\x00\x00\x01\x00\x00\x00\x04list") == [b"list"]
    return protocol


COMMANDS = [
    pytest.param([LIST], LISTED, id="whole"),
    pytest.param([LIST_AND_CLOSE], [*LISTED, b"closed"], id="keepalive-0-closes-after-the-reply"),
    pytest.param([b"\x02\x01\xff\x00\x00\x00\x00\x01\x00\x00\x00\x04list", LIST], LISTED * 2, id="keepalive-255-keeps"),
    pytest.param([b"\x03" + LIST[1:]], LISTED, id="version-octet-3"),
    pytest.param([LIST, LIST, LIST], LISTED * 3, id="three-in-a-row"),
    pytest.param([b"\x02\x01\x01\x00\x00\x00\x00\x00"], [[], STATUS_0], id="argc-0"),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"],
        [[b"", b""], STATUS_0],
        id="zero-length-arguments",
    ),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x02\x00\x00\x00\x05start\x00\x00\x00\x03\xff\xfe\n"],
        [[b"start", b"\xff\xfe\n"], STATUS_0],
        id="octets-without-encoding",
    ),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x10\x00" + b"\x00\x00\x00\x00" * 4096],
        [[b""] * 4096, STATUS_0],
        id="4096-arguments",
    ),
]

CONTINUATIONS = [
    pytest.param([FIRST], [], id="first-awaits-more"),
    pytest.param([FIRST, LAST], LISTED, id="first-last"),
    pytest.param([FIRST, b"\x02\x01\x01\x02s", b"\x02\x01\x01\x03t"], LISTED, id="first-middle-last"),
    pytest.param([FIRST, b"\x02\x01\x01\x02", b"\x02\x01\x01\x02", LAST], LISTED, id="empty-middles"),
    pytest.param([b"\x02\x01\x01\x01", b"\x02\x01\x01\x03" + LIST[4:]], LISTED, id="empty-first"),
    pytest.param(
        [b"\x02\x01\x01\x01\x00\x00", b"\x02\x01\x01\x03\x00\x01\x00\x00\x00\x04list"], LISTED, id="argc-straddles"
    ),
    pytest.param(
        [b"\x02\x01\x01\x01\x00\x00\x00\x01\x00\x00\x00", b"\x02\x01\x01\x03\x04list"], LISTED, id="length-straddles"
    ),
    pytest.param(
        [b"\x02\x01\x01\x01", *(b"\x02\x01\x01\x02%c" % octet for octet in LIST[4:]), b"\x02\x01\x01\x03"],
        LISTED,
        id="one-octet-a-chunk",
    ),
    pytest.param([FIRST, b"\x02\x01\x00\x03st"], [*LISTED, b"closed"], id="last-keepalive-wins-closing"),
    pytest.param([b"\x02\x01\x00" + FIRST[3:], LAST, LIST], LISTED * 2, id="last-keepalive-wins-keeping"),
    pytest.param([FIRST, LAST, FIRST, LAST], LISTED * 2, id="nothing-is-left-for-the-next"),
]

BAD_CONTINUATIONS = [
    pytest.param([b"\x02\x01\x01\x02" + LIST[4:], LIST], [ERROR_4, *LISTED], id="middle-while-idle"),
    pytest.param([b"\x02\x01\x01\x03" + LIST[4:], LIST], [ERROR_4, *LISTED], id="last-while-idle"),
    pytest.param([b"\x02\x01\x01\x04" + LIST[4:], LIST], [ERROR_4, *LISTED], id="continue-4"),
    pytest.param([b"\x02\x01\x01\xff" + LIST[4:], LIST], [ERROR_4, *LISTED], id="continue-255"),
    pytest.param([FIRST, b"\x02\x01\x01\x04st", LIST], [ERROR_4, *LISTED], id="continue-4-while-partial"),
    # The reference joins these two.
    pytest.param([FIRST, b"\x02\x01\x01\x00st", LIST], [ERROR_4, *LISTED], id="whole-while-partial-is-not-joined"),
    pytest.param([FIRST, LIST, LIST], [ERROR_4, *LISTED], id="whole-while-partial-is-not-run"),
    pytest.param([FIRST, FIRST, LIST], [ERROR_4, *LISTED], id="first-while-partial"),
    pytest.param([FIRST, FIRST, LAST], [ERROR_4, ERROR_4], id="both-of-two-firsts-are-discarded"),
    pytest.param([b"\x02\x01\x00\x02st"], [ERROR_4, b"closed"], id="refused-with-keepalive-0"),
]

BAD_VECTORS = [
    # Of these the reference reads past its buffer.
    pytest.param([b"\x02\x01", LIST], [ERROR_4, *LISTED], id="command-of-2-octets"),
    pytest.param([b"\x02\x01\x01", LIST], [ERROR_4, *LISTED], id="command-of-3-octets"),
    pytest.param([b"\x02\x01\x01\x00", LIST], [ERROR_4, *LISTED], id="body-of-0-octets"),
    pytest.param([b"\x02\x01\x01\x00\x00", LIST], [ERROR_4, *LISTED], id="body-of-1-octet"),
    pytest.param([b"\x02\x01\x01\x00\x00\x00\x00", LIST], [ERROR_4, *LISTED], id="body-of-3-octets"),
    pytest.param([b"\x02\x01\x01\x01\x00\x00", b"\x02\x01\x01\x03\x00", LIST], [ERROR_4, *LISTED], id="chunks-of-3"),
    pytest.param([FIRST, b"\x02\x01\x01", LIST], [ERROR_4, *LISTED], id="command-of-3-octets-while-partial"),
    pytest.param([b"\x02\x01\x01\x00\x00\x00\x00\x01", LIST], [ERROR_4, *LISTED], id="fewer-than-argc"),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x04list\x00\x00\x00\x00", LIST],
        [ERROR_4, *LISTED],
        id="more-than-argc",
    ),
    pytest.param([LIST + b"\n", LIST], [ERROR_4, *LISTED], id="trailing-octet"),
    pytest.param([FIRST, b"\x02\x01\x01\x03stx", LIST], [ERROR_4, *LISTED], id="trailing-octet-in-last"),
    pytest.param([LIST[:-1], LIST], [ERROR_4, *LISTED], id="argument-cut"),
    pytest.param([FIRST, b"\x02\x01\x01\x03s", LIST], [ERROR_4, *LISTED], id="argument-cut-in-last"),
    pytest.param([LIST[:8] + b"\xff\xff\xff\xfflist", LIST], [ERROR_4, *LISTED], id="largest-length"),
    pytest.param([LIST[:8] + b"\x00\x00\x00\x04li\x00t", LIST], [ERROR_4, *LISTED], id="nul-in-argument-0"),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01\x00", LIST],
        [ERROR_4, *LISTED],
        id="nul-in-argument-1",
    ),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x03\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00\x00\x01\x00", LIST],
        [ERROR_4, *LISTED],
        id="nul-in-argument-2",
    ),
    pytest.param([LIST_AND_CLOSE + b"\n"], [ERROR_4, b"closed"], id="refused-with-keepalive-0"),
]

LIMITS = [
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x10\x01" + b"\x00\x00\x00\x00" * 4097, LIST],
        [ERROR_7, *LISTED],
        id="4097-arguments",
    ),
    pytest.param([b"\x02\x01\x01\x00\xff\xff\xff\xff", LIST], [ERROR_7, *LISTED], id="argc-alone-is-too-many"),
    pytest.param(
        [b"\x02\x01\x01\x01\x00\x00\x10", b"\x02\x01\x01\x03\x01", LIST], [ERROR_7, *LISTED], id="4097-straddling"
    ),
    pytest.param([b"\x02\x01\x00\x00\xff\xff\xff\xff"], [ERROR_7, b"closed"], id="too-many-with-keepalive-0"),
    pytest.param([*FULL, b"\x02\x01\x01\x03", LIST], [[LARGEST_ARGUMENT], STATUS_0, *LISTED], id="body-of-1-mib"),
    pytest.param(
        [*FULL[:-1], FULL_LAST, LIST], [[LARGEST_ARGUMENT], STATUS_0, *LISTED], id="body-of-1-mib-in-16-chunks"
    ),
    pytest.param([*FULL, b"\x02\x01\x01\x03a", LIST], [ERROR_8, *LISTED], id="1-mib-and-1-in-the-last"),
    pytest.param([*FULL, b"\x02\x01\x00\x03a"], [ERROR_8, b"closed"], id="1-mib-and-1-with-keepalive-0"),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x0f\xff\xf8" + LARGEST_ARGUMENT],
        [[LARGEST_ARGUMENT], STATUS_0],
        id="1-mib-in-one-message",
    ),
    pytest.param(
        [b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x0f\xff\xf9" + LARGEST_ARGUMENT + b"a", LIST],
        [ERROR_8, *LISTED],
        id="1-mib-and-1-in-one-message",
    ),
]

# What follows of a command that was refused as too large belongs to it, and gets no reply of its own.
SWALLOWED = [
    pytest.param([*FULL, OVERFLOW], [ERROR_8], id="refused-at-once"),
    pytest.param([*FULL, OVERFLOW, FULL_MIDDLE, FULL_MIDDLE], [ERROR_8], id="middles"),
    pytest.param([*FULL, OVERFLOW, FULL_MIDDLE, FULL_LAST], [ERROR_8], id="last"),
    pytest.param([*FULL, OVERFLOW, FULL_LAST, LIST], [ERROR_8, *LISTED], id="next-command-is-run"),
    pytest.param([*FULL, OVERFLOW, FULL_LAST, FIRST, LAST], [ERROR_8, *LISTED], id="next-may-be-continued"),
    pytest.param([*FULL, OVERFLOW, FULL_LAST, LAST], [ERROR_8, ERROR_4], id="one-last-only"),
    pytest.param([*FULL, OVERFLOW, LIST], [ERROR_8, *LISTED], id="client-that-starts-again-with-a-whole"),
    pytest.param([*FULL, OVERFLOW, FIRST, LAST], [ERROR_8, *LISTED], id="client-that-starts-again-with-a-first"),
    pytest.param([*FULL, OVERFLOW, b"\x02\x01\x00\x03a"], [ERROR_8, b"closed"], id="last-keepalive-wins-closing"),
    pytest.param([*FULL, b"\x02\x01\x00\x02a", FULL_LAST, LIST], [ERROR_8, *LISTED], id="last-keepalive-wins-keeping"),
    pytest.param([*FULL, OVERFLOW, QUIT], [ERROR_8, b"closed"], id="quit"),
    pytest.param(
        [b"\x02\x01\x01\x01" + LARGEST_ARGUMENT + b"a" * 9, LAST, LIST], [ERROR_8, *LISTED], id="oversize-first"
    ),
]

OTHER_MESSAGES = [
    pytest.param([QUIT], [b"closed"], id="quit"),
    pytest.param([b"\x02\x02xyz"], [b"closed"], id="quit-with-trailing-octets"),
    pytest.param([FIRST, QUIT], [b"closed"], id="quit-discards-a-partial-command"),
    pytest.param([NOOP, LIST], [NOOP, *LISTED], id="noop"),
    pytest.param([b"\x02\x07"], [NOOP], id="noop-of-version-2"),
    pytest.param([b"\x03\x07xyz"], [NOOP], id="noop-with-trailing-octets"),
    pytest.param([FIRST, NOOP, LIST], [ERROR_9, *LISTED], id="noop-while-partial"),
    pytest.param([b"\x02\x00", LIST], [ERROR_3, *LISTED], id="type-0"),
    pytest.param([b"\x02\x08", LIST], [ERROR_3, *LISTED], id="type-8"),
    pytest.param([b"\x03\xff", LIST], [ERROR_3, *LISTED], id="type-255"),
    pytest.param([b"\x02\x03\x01\x00\x00\x00\x01x", LIST], [ERROR_3, *LISTED], id="output"),
    pytest.param([STATUS_0, LIST], [ERROR_3, *LISTED], id="status"),
    pytest.param([ERROR_4, LIST], [ERROR_3, *LISTED], id="error"),
    pytest.param([VERSION_3, LIST], [ERROR_3, *LISTED], id="version-message"),
    pytest.param([b"\x02\x04", LIST], [ERROR_3, *LISTED], id="malformed-status"),
    # The reference closes after these four, although the specification says to let the client start again.
    pytest.param([FIRST, b"\x02\x63", LIST], [ERROR_9, *LISTED], id="unknown-type-while-partial"),
    pytest.param([FIRST, STATUS_0, LIST], [ERROR_9, *LISTED], id="status-while-partial"),
    pytest.param([FIRST, b"\x02\x03", LIST], [ERROR_9, *LISTED], id="malformed-output-while-partial"),
    pytest.param([FIRST, STATUS_0, LAST], [ERROR_9, ERROR_4], id="partial-command-is-discarded"),
    pytest.param([b"\x04\x01\x01\x00", LIST], [VERSION_3, *LISTED], id="version-4"),
    pytest.param([b"\x01\x01\x01\x00", LIST], [VERSION_3, *LISTED], id="version-1"),
    pytest.param([b"\x00\x63", LIST], [VERSION_3, *LISTED], id="version-0-of-an-unknown-type"),
    pytest.param([b"\xff\x02", LIST], [VERSION_3, *LISTED], id="quit-of-version-255-is-ignored"),
    pytest.param([FIRST, b"\x04\x01\x01\x03", LIST], [VERSION_3, *LISTED], id="version-4-while-partial"),
    pytest.param([FIRST, b"\x04\x01\x01\x03", LAST], [VERSION_3, ERROR_4], id="version-4-discards-a-partial-command"),
]

FATAL = [
    # The reference dies on signal 11.
    pytest.param([b""], [ERROR_2, b"closed"], id="empty"),
    pytest.param([b"\x02"], [ERROR_2, b"closed"], id="1-octet"),
    pytest.param([b"\x09"], [ERROR_2, b"closed"], id="1-octet-of-another-version"),
    pytest.param([FIRST, b""], [ERROR_2, b"closed"], id="empty-while-partial"),
    pytest.param([FIRST, b"\x02"], [ERROR_2, b"closed"], id="1-octet-while-partial"),
    pytest.param([LIST, b""], [*LISTED, ERROR_2, b"closed"], id="empty-after-a-command"),
]


@pytest.mark.parametrize(("received", "expected"), COMMANDS)
def test_command_is_handed_over_whole(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), CONTINUATIONS)
def test_chunks_are_joined(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), BAD_CONTINUATIONS)
def test_illegal_continue_octet_is_error_4(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), BAD_VECTORS)
def test_bad_argument_vector_is_error_4(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), LIMITS)
def test_limits_are_error_7_and_8(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), SWALLOWED)
def test_rest_of_an_oversize_command_is_swallowed(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), OTHER_MESSAGES)
def test_other_messages(received: list[bytes], expected: list[bytes | list[bytes]]) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize(("received", "expected"), FATAL)
def test_plaintext_without_a_type_is_error_2_and_closes(
    received: list[bytes], expected: list[bytes | list[bytes]]
) -> None:
    assert converse(*received) == expected


@pytest.mark.parametrize("received", [pytest.param([], id="idle"), pytest.param([FIRST], id="partial")])
def test_token_that_cannot_be_unsealed_is_error_2_and_closes(received: list[bytes]) -> None:
    protocol = ServerProtocol()
    for plaintext in received:
        protocol.receive(plaintext)

    protocol.fail_token()

    assert protocol.take_outgoing() == [ERROR_2]
    assert protocol.state == "closed"


# --- Replies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "plaintext"),
    [(0, b"\x02\x04\x00"), (1, b"\x02\x04\x01"), (125, b"\x02\x04\x7d"), (255, b"\x02\x04\xff")],
)
def test_status_ends_the_reply(status: int, plaintext: bytes) -> None:
    protocol = running()

    protocol.send_status(status)

    assert protocol.take_outgoing() == [plaintext]
    assert protocol.state == "idle"


@pytest.mark.parametrize(
    ("code", "plaintext"),
    [(1, ERROR_1), (4, ERROR_4), (5, ERROR_5), (6, ERROR_6), (7, ERROR_7), (9, ERROR_9), (10, ERROR_10)],
)
def test_error_ends_the_reply_with_the_references_text(code: int, plaintext: bytes) -> None:
    protocol = running()

    protocol.send_error(code)

    assert protocol.take_outgoing() == [plaintext]
    assert protocol.state == "idle"


def test_error_may_have_a_text_of_its_own() -> None:
    protocol = running()

    protocol.send_error(1, "Caf\u00e9 closed")

    assert protocol.take_outgoing() == [b"\x02\x05\x00\x00\x00\x01\x00\x00\x00\x0cCaf\xc3\xa9 closed"]


def test_error_closes_where_keepalive_was_0() -> None:
    protocol = running(keepalive=b"\x00")

    protocol.send_error(6)

    assert protocol.take_outgoing() == [ERROR_6]
    assert protocol.state == "closed"


def test_error_may_follow_output() -> None:
    protocol = running()

    protocol.send_output(1, b"half")
    protocol.send_error(1)

    assert protocol.take_outgoing() == [b"\x02\x03\x01\x00\x00\x00\x04half", ERROR_1]


@pytest.mark.parametrize(
    ("stream", "data", "plaintexts"),
    [
        pytest.param(1, b"abc", [b"\x02\x03\x01\x00\x00\x00\x03abc"], id="stdout"),
        pytest.param(2, b"\x00\xff", [b"\x02\x03\x02\x00\x00\x00\x02\x00\xff"], id="stderr"),
        pytest.param(1, b"", [], id="nothing"),
        pytest.param(1, b"x" * 65_529, [b"\x02\x03\x01\x00\x00\xff\xf9" + b"x" * 65_529], id="65529-in-one"),
        pytest.param(
            1,
            b"x" * 65_529 + b"y",
            [b"\x02\x03\x01\x00\x00\xff\xf9" + b"x" * 65_529, b"\x02\x03\x01\x00\x00\x00\x01y"],
            id="65530-in-two",
        ),
        pytest.param(
            2,
            b"x" * 65_529 + b"y" * 65_529 + b"zz",
            [
                b"\x02\x03\x02\x00\x00\xff\xf9" + b"x" * 65_529,
                b"\x02\x03\x02\x00\x00\xff\xf9" + b"y" * 65_529,
                b"\x02\x03\x02\x00\x00\x00\x02zz",
            ],
            id="131060-in-three",
        ),
    ],
)
def test_output_is_split_to_fit_64_kib(stream: int, data: bytes, plaintexts: list[bytes]) -> None:
    protocol = running()

    protocol.send_output(stream, data)

    assert protocol.take_outgoing() == plaintexts
    assert protocol.state == "running"


def test_outputs_keep_their_order() -> None:
    protocol = running()

    protocol.send_output(1, b"a")
    protocol.send_output(2, b"b")
    protocol.send_output(1, b"c")
    protocol.send_status(0)

    assert protocol.take_outgoing() == [
        b"\x02\x03\x01\x00\x00\x00\x01a",
        b"\x02\x03\x02\x00\x00\x00\x01b",
        b"\x02\x03\x01\x00\x00\x00\x01c",
        STATUS_0,
    ]


def test_outgoing_plaintexts_are_handed_out_once() -> None:
    protocol = running()
    protocol.send_status(0)
    protocol.take_outgoing()

    assert protocol.take_outgoing() == []


def test_second_error_to_one_command_is_our_fault() -> None:
    # The reference sends two to an overlong `help`, and its client is one reply behind from then on.
    protocol = running()
    protocol.send_error(7)

    with pytest.raises(RuntimeError, match="a reply was sent while idle"):
        protocol.send_error(10)

    assert protocol.take_outgoing() == [ERROR_7]


def test_output_without_a_command_is_our_fault() -> None:
    with pytest.raises(RuntimeError, match="a reply was sent while idle"):
        ServerProtocol().send_output(1, b"x")


def test_message_while_a_command_runs_is_our_fault() -> None:
    protocol = running()

    with pytest.raises(RuntimeError, match="while running"):
        protocol.receive(LIST)


def test_message_after_the_end_is_our_fault() -> None:
    protocol = ServerProtocol()
    protocol.receive(QUIT)

    with pytest.raises(RuntimeError, match="while closed"):
        protocol.receive(LIST)


# --- Errors in a row -----------------------------------------------------------------------------------------------


def test_thirty_one_errors_in_a_row_are_borne() -> None:
    assert converse(*[STATUS_0] * 31, LIST) == [ERROR_3] * 31 + LISTED


@pytest.mark.parametrize(
    ("received", "reply"),
    [
        pytest.param(STATUS_0, ERROR_3, id="error-3"),
        pytest.param(LAST, ERROR_4, id="error-4"),
        pytest.param(b"\x02\x01\x01\x00\xff\xff\xff\xff", ERROR_7, id="error-7"),
        pytest.param(b"\x04\x01", VERSION_3, id="version"),
    ],
)
def test_thirty_two_errors_in_a_row_close(received: bytes, reply: bytes) -> None:
    assert converse(*[received] * 32) == [reply] * 32 + [b"closed"]


def test_thirty_second_error_closes_even_where_more_of_the_command_follows() -> None:
    assert converse(*[STATUS_0] * 31, *FULL, OVERFLOW) == [ERROR_3] * 31 + [ERROR_8, b"closed"]


def test_errors_in_reply_to_commands_count() -> None:
    protocol = ServerProtocol()

    for _ in range(MAX_ERRORS_IN_A_ROW):
        protocol.receive(LIST)
        protocol.send_error(5)

    assert protocol.take_outgoing() == [ERROR_5] * 32
    assert protocol.state == "closed"


def test_status_begins_the_count_anew() -> None:
    assert converse(*[STATUS_0] * 31, LIST, *[STATUS_0] * 31, LIST) == ([ERROR_3] * 31 + LISTED) * 2


def test_noop_does_not_begin_the_count_anew() -> None:
    assert converse(*[STATUS_0] * 31, NOOP, STATUS_0) == [ERROR_3] * 31 + [NOOP, ERROR_3, b"closed"]
