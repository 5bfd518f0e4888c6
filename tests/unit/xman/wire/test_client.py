"""The client's state machine (`xman.wire.client`): what it sends, what it accepts, and both sides as a pair."""

import pytest

from xman.wire import messages as m
from xman.wire.client import ClientProtocol
from xman.wire.server import ServerProtocol

LIST = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x04list"
# A message holds 65,536 octets, of which 4 are the COMMAND's header: 65,532 are left for a chunk. The first one
# holds argc and the argument's length, too.
CHUNK = 65_532


def awaiting() -> ClientProtocol:
    """Return a client that waits for the reply to a command."""
    protocol = ClientProtocol()
    protocol.command([b"list"])
    return protocol


def chunked(length: int) -> list[bytes]:
    """Return the messages for one argument of `length` octets `a`."""
    return ClientProtocol().command([b"a" * length])


@pytest.mark.parametrize(
    ("arguments", "keepalive", "plaintext"),
    [
        pytest.param([b"list"], True, LIST, id="one-argument"),
        pytest.param([b"list"], False, b"\x02\x01\x00" + LIST[3:], id="keepalive-0"),
        pytest.param([], True, b"\x02\x01\x01\x00\x00\x00\x00\x00", id="no-arguments"),
        pytest.param([b""], True, b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00", id="zero-length"),
        pytest.param(
            [b"start", b"\xff"],
            True,
            b"\x02\x01\x01\x00\x00\x00\x00\x02\x00\x00\x00\x05start\x00\x00\x00\x01\xff",
            id="octets-without-encoding",
        ),
        pytest.param(
            [b""] * 4096, True, b"\x02\x01\x01\x00\x00\x00\x10\x00" + b"\x00\x00\x00\x00" * 4096, id="4096-arguments"
        ),
    ],
)
def test_command_is_one_message(arguments: list[bytes], keepalive: bool, plaintext: bytes) -> None:
    assert ClientProtocol().command(arguments, keepalive) == [plaintext]


def test_command_that_fills_a_message_is_not_split() -> None:
    argument = CHUNK - 8

    assert chunked(argument) == [b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\xff\xf4" + b"a" * argument]


def test_command_of_one_octet_more_is_split_in_two() -> None:
    assert chunked(CHUNK - 7) == [
        b"\x02\x01\x01\x01\x00\x00\x00\x01\x00\x00\xff\xf5" + b"a" * (CHUNK - 8),
        b"\x02\x01\x01\x03a",
    ]


def test_large_command_has_middles() -> None:
    assert chunked(2 * CHUNK) == [
        b"\x02\x01\x01\x01\x00\x00\x00\x01\x00\x01\xff\xf8" + b"a" * (CHUNK - 8),
        b"\x02\x01\x01\x02" + b"a" * CHUNK,
        b"\x02\x01\x01\x03" + b"a" * 8,
    ]


def test_chunks_of_a_closing_command_all_say_so() -> None:
    plaintexts = ClientProtocol().command([b"a" * 2 * CHUNK], keepalive=False)

    assert [plaintext[:4] for plaintext in plaintexts] == [
        b"\x02\x01\x00\x01",
        b"\x02\x01\x00\x02",
        b"\x02\x01\x00\x03",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param([b""] * 4097, 7, id="4097-arguments"),
        pytest.param([b"a" * (1_048_576 - 7)], 8, id="1-mib-and-1"),
        pytest.param([b"start", b"w\x00w"], 4, id="nul"),
    ],
)
def test_command_that_no_server_takes_is_refused_here(arguments: list[bytes], code: int) -> None:
    protocol = ClientProtocol()

    with pytest.raises(m.ProtocolError) as refusal:
        protocol.command(arguments)

    assert refusal.value.code == code
    assert protocol.finished


def test_noop_is_of_version_3() -> None:
    assert ClientProtocol().noop() == b"\x03\x07"


def test_quit_is_of_version_2() -> None:
    assert ClientProtocol().quit() == b"\x02\x02"


def test_quit_may_be_sent_while_a_reply_is_awaited() -> None:
    assert awaiting().quit() == b"\x02\x02"


def test_second_command_before_the_reply_is_our_fault() -> None:
    protocol = awaiting()

    with pytest.raises(RuntimeError, match="awaited"):
        protocol.command([b"list"])


def test_noop_before_the_reply_is_our_fault() -> None:
    protocol = awaiting()

    with pytest.raises(RuntimeError, match="awaited"):
        protocol.noop()


@pytest.mark.parametrize(
    ("plaintext", "message"),
    [
        pytest.param(b"\x02\x04\x00", m.Status(0), id="status"),
        pytest.param(b"\x02\x04\xff", m.Status(255), id="status-255"),
        pytest.param(
            b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x0dAccess denied", m.Error(6, b"Access denied"), id="error"
        ),
        pytest.param(b"\x02\x05\x00\x00\x03\xe7\x00\x00\x00\x00", m.Error(999, b""), id="error-of-unknown-code"),
        pytest.param(b"\x02\x06\x03", m.Version(3), id="version"),
        pytest.param(b"\x03\x07", m.Noop(), id="noop"),
    ],
)
def test_reply_ends(plaintext: bytes, message: m.Message) -> None:
    protocol = awaiting()

    assert protocol.receive(plaintext) == message
    assert protocol.finished


def test_reply_goes_on_after_output() -> None:
    protocol = awaiting()

    assert protocol.receive(b"\x02\x03\x02\x00\x00\x00\x03abc") == m.Output(2, b"abc")
    assert not protocol.finished


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        pytest.param(b"", 2, id="empty"),
        pytest.param(b"\x02", 2, id="1-octet"),
        pytest.param(b"\x02\x63", 3, id="unknown-type"),
        pytest.param(b"\x02\x03\x01\x00\x00\x00\x02a", 4, id="output-too-short"),
        pytest.param(b"\x02\x03\x01\x00\x00\x00\x00a", 4, id="output-too-long"),
        pytest.param(b"\x02\x04", 4, id="status-too-short"),
        pytest.param(b"\x02\x04\x00\x00", 4, id="status-too-long"),
        pytest.param(b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x05abc", 4, id="error-too-short"),
        pytest.param(b"\x04\x04\x00", 9, id="status-of-version-4"),
        pytest.param(LIST, 9, id="command"),
        pytest.param(b"\x02\x02", 9, id="quit"),
    ],
)
def test_what_no_server_sends_is_refused(plaintext: bytes, code: int) -> None:
    protocol = awaiting()

    with pytest.raises(m.ProtocolError) as refusal:
        protocol.receive(plaintext)

    assert refusal.value.code == code


@pytest.mark.parametrize("plaintext", [b"\x02\x04\x00", b"\x02\x03\x01\x00\x00\x00\x01a", b"\x03\x07"])
def test_server_that_speaks_unasked_is_refused(plaintext: bytes) -> None:
    with pytest.raises(m.ProtocolError, match="unasked"):
        ClientProtocol().receive(plaintext)


def test_second_status_is_refused() -> None:
    protocol = awaiting()
    protocol.receive(b"\x02\x04\x00")

    with pytest.raises(m.ProtocolError, match="unasked"):
        protocol.receive(b"\x02\x04\x00")


# --- Both sides ----------------------------------------------------------------------------------------------------


class Pair:
    """A client and a server whose plaintexts reach each other; both check what they get."""

    def __init__(self) -> None:
        self.client = ClientProtocol()
        self.server = ServerProtocol()

    def command(self, arguments: list[bytes], keepalive: bool = True) -> list[list[bytes]]:
        """Send a command; return the argument vectors that came out of the server."""
        received = [self.server.receive(plaintext) for plaintext in self.client.command(arguments, keepalive)]
        assert self.server.take_outgoing() == []
        return [vector for vector in received if vector is not None]

    def reply(self) -> list[m.Message]:
        """Return what the client makes of all that the server has to say."""
        return [self.client.receive(plaintext) for plaintext in self.server.take_outgoing()]


ARGUMENTS = [
    pytest.param([], id="none"),
    pytest.param([b""], id="empty"),
    pytest.param([b"list"], id="one"),
    pytest.param([b"migrate", b"www", b"--to", b"skirit81"], id="several"),
    pytest.param([bytes(range(1, 256))], id="every-octet-but-nul"),
    pytest.param([b""] * 4096, id="4096-arguments"),
    pytest.param([b"a" * (CHUNK - 8)], id="one-full-chunk"),
    pytest.param([b"a" * (CHUNK - 7)], id="two-chunks"),
    pytest.param([b"a" * (CHUNK - 14), b"bcdef", b"g"], id="length-straddles-chunks"),
    pytest.param([b"create", b"x" * 262_144], id="largest-description"),
    pytest.param([b"a" * (1_048_576 - 8)], id="1-mib"),
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_command_comes_out_equal(arguments: list[bytes]) -> None:
    assert Pair().command(arguments) == [arguments]


def test_closing_command_closes_after_its_reply() -> None:
    pair = Pair()
    pair.command([b"a" * 2 * CHUNK], keepalive=False)

    pair.server.send_status(0)

    assert pair.reply() == [m.Status(0)]
    assert pair.server.state == "closed"


def test_reply_comes_out_equal() -> None:
    pair = Pair()
    pair.command([b"list"])

    pair.server.send_output(1, b"www running\n")
    pair.server.send_output(2, b"\xff\x00")
    pair.server.send_status(3)

    assert pair.reply() == [m.Output(1, b"www running\n"), m.Output(2, b"\xff\x00"), m.Status(3)]
    assert pair.client.finished


def test_large_output_comes_out_equal() -> None:
    data = bytes(range(256)) * 1024
    pair = Pair()
    pair.command([b"list"])

    pair.server.send_output(1, data)
    pair.server.send_status(0)
    *outputs, status = pair.reply()

    assert b"".join(message.data for message in outputs if isinstance(message, m.Output)) == data
    assert len(outputs) == 5
    assert status == m.Status(0)


@pytest.mark.parametrize("code", range(1, 11))
def test_error_comes_out_equal(code: int) -> None:
    pair = Pair()
    pair.command([b"list"])

    pair.server.send_error(code, "why \u2026")

    assert pair.reply() == [m.Error(code, b"why \xe2\x80\xa6")]
    assert pair.client.finished


def test_noop_is_answered() -> None:
    pair = Pair()

    assert pair.server.receive(pair.client.noop()) is None

    assert pair.reply() == [m.Noop()]
    assert pair.client.finished


def test_quit_closes() -> None:
    pair = Pair()

    assert pair.server.receive(pair.client.quit()) is None

    assert pair.reply() == []
    assert pair.server.state == "closed"


def test_commands_follow_each_other() -> None:
    pair = Pair()
    replies: list[m.Message] = []

    for status, arguments in enumerate([[b"list"], [b"a" * 2 * CHUNK], [b"start", b"www"]]):
        assert pair.command(arguments) == [arguments]
        pair.server.send_status(status)
        replies += pair.reply()

    assert replies == [m.Status(0), m.Status(1), m.Status(2)]
