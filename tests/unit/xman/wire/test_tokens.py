"""The outer frame: flags, length, payload (`xman.wire.tokens`), as octets written by hand."""

import pytest

from xman.wire.constants import MAX_TOKEN
from xman.wire.tokens import TokenReader, TokenTooLargeError, encode_token

TOKENS = [
    pytest.param(b"\x51\x00\x00\x00\x00", 0x51, b"", id="hello"),
    pytest.param(b"\x42\x00\x00\x00\x03abc", 0x42, b"abc", id="context"),
    pytest.param(b"\x44\x00\x00\x00\x01\x00", 0x44, b"\x00", id="data"),
    pytest.param(b"\x44\x00\x00\x00\x00", 0x44, b"", id="data-without-payload"),
    pytest.param(b"\x11\x00\x00\x00\x00", 0x11, b"", id="hello-of-version-1"),
    pytest.param(b"\xff\x00\x00\x01\x00" + b"x" * 256, 0xFF, b"x" * 256, id="length-in-two-octets"),
    pytest.param(b"\x00\x00\x01\x00\x00" + b"x" * 65_536, 0x00, b"x" * 65_536, id="length-in-three-octets"),
]


def _drain(reader: TokenReader) -> list[tuple[int, bytes]]:
    tokens = []
    while (token := reader.next_token()) is not None:
        tokens.append(token)
    return tokens


@pytest.mark.parametrize(("octets", "flags", "payload"), TOKENS)
def test_token_is_read(octets: bytes, flags: int, payload: bytes) -> None:
    reader = TokenReader(MAX_TOKEN)

    reader.feed(octets)

    assert reader.next_token() == (flags, payload)
    assert reader.next_token() is None


@pytest.mark.parametrize(("octets", "flags", "payload"), TOKENS)
def test_token_is_written(octets: bytes, flags: int, payload: bytes) -> None:
    assert encode_token(flags, payload) == octets


@pytest.mark.parametrize("length", range(8))
def test_unfinished_token_is_awaited(length: int) -> None:
    reader = TokenReader(MAX_TOKEN)

    reader.feed(b"\x42\x00\x00\x00\x03abc"[:length])

    assert reader.next_token() is None


def test_tokens_that_arrive_together_are_cut_apart() -> None:
    reader = TokenReader(MAX_TOKEN)

    reader.feed(b"\x51\x00\x00\x00\x00\x42\x00\x00\x00\x02ab\x44\x00\x00\x00\x01c\x44\x00\x00")

    assert _drain(reader) == [(0x51, b""), (0x42, b"ab"), (0x44, b"c")]


def test_rest_of_a_token_completes_it() -> None:
    reader = TokenReader(MAX_TOKEN)
    reader.feed(b"\x44\x00\x00\x00\x03a")
    assert reader.next_token() is None

    reader.feed(b"bc")

    assert reader.next_token() == (0x44, b"abc")


def test_feeding_octet_by_octet_equals_feeding_whole() -> None:
    stream = b"\x51\x00\x00\x00\x00\x42\x00\x00\x00\x02ab\x44\x00\x00\x00\x00\x44\x00\x00\x01\x00" + b"x" * 256
    whole, single = TokenReader(MAX_TOKEN), TokenReader(MAX_TOKEN)

    whole.feed(stream)
    one_by_one = []
    for octet in stream:
        single.feed(bytes((octet,)))
        one_by_one += _drain(single)

    assert one_by_one == _drain(whole)
    assert len(one_by_one) == 4


@pytest.mark.parametrize(
    ("limit", "header"),
    [
        pytest.param(65_536, b"\x42\x00\x01\x00\x01", id="handshake"),
        pytest.param(1_048_576, b"\x44\x00\x10\x00\x01", id="data"),
        pytest.param(1_048_576, b"\x44\xff\xff\xff\xff", id="largest-length"),
        pytest.param(0, b"\x44\x00\x00\x00\x01", id="nothing-allowed"),
    ],
)
def test_payload_over_the_limit_is_refused_at_its_header(limit: int, header: bytes) -> None:
    reader = TokenReader(limit)

    reader.feed(header)

    with pytest.raises(TokenTooLargeError, match=f"the limit is {limit}"):
        reader.next_token()


def test_payload_of_exactly_the_limit_is_accepted() -> None:
    # The reference does not count the five octets of the header in; the specification does.
    reader = TokenReader(MAX_TOKEN)

    reader.feed(b"\x44\x00\x10\x00\x00" + b"x" * 1_048_576)

    assert reader.next_token() == (0x44, b"x" * 1_048_576)


def test_limit_can_be_raised_between_tokens() -> None:
    reader = TokenReader(1)
    reader.feed(b"\x42\x00\x00\x00\x01a\x44\x00\x00\x00\x02bc")
    assert reader.next_token() == (0x42, b"a")

    reader.limit = 2

    assert reader.next_token() == (0x44, b"bc")
