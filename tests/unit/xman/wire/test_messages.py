"""The messages inside the sealed tokens (`xman.wire.messages`): each type both ways, each length that can be wrong."""

import pytest

from xman.wire import constants as c
from xman.wire import messages as m

# Both ways: the encoder writes exactly these octets, the decoder reads them.
MESSAGES = [
    pytest.param(b"\x02\x01\x01\x00", m.CommandChunk(True, 0, b""), id="command-empty-chunk"),
    pytest.param(b"\x02\x01\x00\x00\x00\x00\x00\x00", m.CommandChunk(False, 0, b"\0\0\0\0"), id="command-closing"),
    pytest.param(b"\x02\x01\x01\x01ab", m.CommandChunk(True, 1, b"ab"), id="command-first"),
    pytest.param(b"\x02\x01\x01\x02cd", m.CommandChunk(True, 2, b"cd"), id="command-middle"),
    pytest.param(b"\x02\x01\x01\x03ef", m.CommandChunk(True, 3, b"ef"), id="command-last"),
    pytest.param(b"\x02\x02", m.Quit(), id="quit"),
    pytest.param(b"\x02\x03\x01\x00\x00\x00\x03abc", m.Output(1, b"abc"), id="output-stdout"),
    pytest.param(b"\x02\x03\x02\x00\x00\x00\x01\xff", m.Output(2, b"\xff"), id="output-stderr"),
    pytest.param(b"\x02\x03\x01\x00\x00\x00\x00", m.Output(1, b""), id="output-empty"),
    pytest.param(b"\x02\x04\x00", m.Status(0), id="status-success"),
    pytest.param(b"\x02\x04\xff", m.Status(255), id="status-largest"),
    pytest.param(b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x0dAccess denied", m.Error(6, b"Access denied"), id="error"),
    pytest.param(b"\x02\x05\x00\x01\x00\x00\x00\x00\x00\x00", m.Error(65_536, b""), id="error-unknown-code-no-text"),
    pytest.param(b"\x02\x06\x03", m.Version(3), id="version"),
    pytest.param(b"\x03\x07", m.Noop(), id="noop"),
]

READ_ONLY = [
    pytest.param(b"\x02\x01\x07\x00", m.CommandChunk(True, 0, b""), id="any-nonzero-keepalive"),
    pytest.param(b"\x02\x01\x01\xff", m.CommandChunk(True, 255, b""), id="continue-octet-is-not-judged-here"),
    pytest.param(b"\x03\x01\x01\x00", m.CommandChunk(True, 0, b""), id="command-of-version-3"),
    pytest.param(b"\x02\x02xyz", m.Quit(), id="quit-with-trailing-octets"),
    pytest.param(b"\x02\x07", m.Noop(), id="noop-of-version-2"),
    pytest.param(b"\x03\x07xyz", m.Noop(), id="noop-with-trailing-octets"),
    pytest.param(b"\x00\x01\x01\x00", m.UnsupportedVersion(0), id="version-0"),
    pytest.param(b"\x01\x01\x01\x00", m.UnsupportedVersion(1), id="version-1"),
    pytest.param(b"\x04\x01\x01\x00", m.UnsupportedVersion(4), id="version-4"),
    pytest.param(b"\xff\x63", m.UnsupportedVersion(255), id="version-goes-before-type"),
]

MALFORMED = [
    pytest.param(b"", 2, id="empty"),
    pytest.param(b"\x02", 2, id="version-only"),
    pytest.param(b"\x02\x00", 3, id="type-0"),
    pytest.param(b"\x03\x08", 3, id="type-8"),
    pytest.param(b"\x02\xffabc", 3, id="type-255"),
    pytest.param(b"\x02\x01", 4, id="command-of-2-octets"),
    pytest.param(b"\x02\x01\x01", 4, id="command-of-3-octets"),
    pytest.param(b"\x02\x03", 4, id="output-empty"),
    pytest.param(b"\x02\x03\x01\x00\x00\x00", 4, id="output-length-cut"),
    pytest.param(b"\x02\x03\x01\x00\x00\x00\x03ab", 4, id="output-too-short"),
    pytest.param(b"\x02\x03\x01\x00\x00\x00\x01ab", 4, id="output-too-long"),
    pytest.param(b"\x02\x03\x01\xff\xff\xff\xffab", 4, id="output-largest-length"),
    pytest.param(b"\x02\x04", 4, id="status-too-short"),
    pytest.param(b"\x02\x04\x00\x00", 4, id="status-too-long"),
    pytest.param(b"\x02\x05\x00\x00\x00", 4, id="error-code-cut"),
    pytest.param(b"\x02\x05\x00\x00\x00\x06", 4, id="error-without-text"),
    pytest.param(b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x02a", 4, id="error-text-too-short"),
    pytest.param(b"\x02\x05\x00\x00\x00\x06\x00\x00\x00\x00a", 4, id="error-text-too-long"),
    pytest.param(b"\x02\x06", 4, id="version-too-short"),
    pytest.param(b"\x02\x06\x03\x03", 4, id="version-too-long"),
]

VECTORS = [
    pytest.param(b"\x00\x00\x00\x00", [], id="argc-0"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x04list", [b"list"], id="one"),
    pytest.param(b"\x00\x00\x00\x02\x00\x00\x00\x05start\x00\x00\x00\x03www", [b"start", b"www"], id="two"),
    pytest.param(b"\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00", [b"", b""], id="zero-length"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x03\xff\x80\n", [b"\xff\x80\n"], id="no-encoding-is-assumed"),
    pytest.param(b"\x00\x00\x10\x00" + b"\x00\x00\x00\x00" * 4096, [b""] * 4096, id="4096-arguments"),
]

BAD_VECTORS = [
    pytest.param(b"", 4, id="no-argc"),
    pytest.param(b"\x00\x00\x00", 4, id="argc-cut"),
    pytest.param(b"\x00\x00\x00\x01", 4, id="argument-missing"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00", 4, id="length-cut"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x05list", 4, id="argument-cut"),
    pytest.param(b"\x00\x00\x00\x01\xff\xff\xff\xfflist", 4, id="largest-length"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x03list", 4, id="octets-left"),
    pytest.param(b"\x00\x00\x00\x00x", 4, id="octets-left-after-argc-0"),
    pytest.param(b"\x00\x00\x00\x02\x00\x00\x00\x04list", 4, id="fewer-than-argc"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x01b", 4, id="more-than-argc"),
    pytest.param(b"\x00\x00\x00\x01\x00\x00\x00\x03a\x00b", 4, id="nul-in-the-command"),
    pytest.param(b"\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01\x00", 4, id="nul-in-argument-1"),
    pytest.param(b"\x00\x00\x00\x03\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00\x00\x02c\x00", 4, id="nul-in-argument-2"),
    pytest.param(b"\x00\x00\x10\x01" + b"\x00\x00\x00\x00" * 4097, 7, id="4097-arguments"),
    pytest.param(b"\xff\xff\xff\xff", 7, id="largest-argc"),
]


@pytest.mark.parametrize(("plaintext", "message"), MESSAGES)
def test_message_is_written(plaintext: bytes, message: m.Message) -> None:
    assert m.encode(message) == plaintext


@pytest.mark.parametrize(("plaintext", "message"), MESSAGES + READ_ONLY)
def test_message_is_read(plaintext: bytes, message: m.Message) -> None:
    assert m.decode(plaintext) == message


@pytest.mark.parametrize(("plaintext", "code"), MALFORMED)
def test_malformed_message_is_refused(plaintext: bytes, code: int) -> None:
    with pytest.raises(m.ProtocolError) as refusal:
        m.decode(plaintext)

    assert refusal.value.code == code


@pytest.mark.parametrize(("body", "arguments"), VECTORS)
def test_arguments_are_written(body: bytes, arguments: list[bytes]) -> None:
    assert m.encode_arguments(arguments) == body


@pytest.mark.parametrize(("body", "arguments"), VECTORS)
def test_arguments_are_read(body: bytes, arguments: list[bytes]) -> None:
    assert m.decode_arguments(body) == arguments


@pytest.mark.parametrize(("body", "code"), BAD_VECTORS)
def test_bad_arguments_are_refused(body: bytes, code: int) -> None:
    with pytest.raises(m.ProtocolError) as refusal:
        m.decode_arguments(body)

    assert refusal.value.code == code


def test_what_stands_for_a_foreign_version_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match=r"UnsupportedVersion\(version=4\)"):
        m.encode(m.UnsupportedVersion(4))


def test_messages_with_different_fields_differ() -> None:
    assert m.Status(0) != m.Status(1)


def test_messages_of_different_types_with_equal_fields_differ() -> None:
    assert m.Quit() != m.Noop()


def test_equal_messages_are_one_in_a_set() -> None:
    assert len({m.Error(4, b"x"), m.Error(4, b"x"), m.Error(5, b"x")}) == 2


def test_message_prints_its_fields() -> None:
    assert repr(m.Status(3)) == "Status(status=3)"


def test_error_texts_are_those_that_clients_compare() -> None:
    assert c.ERROR_TEXTS == {
        1: "Internal failure",
        2: "Invalid token",
        3: "Unknown message",
        4: "Invalid command token",
        5: "Unknown command",
        6: "Access denied",
        7: "Too many arguments",
        8: "Too much data",
        9: "Unexpected message",
        10: "No help defined for command",
    }
