"""Fuzz tests of the wire protocol: tokens, messages, argument vectors and both state machines.

What is fed in is either random octets or, since those rarely get past the first check, a mutant: something that a peer
might send, with a few octets changed, lost or added.
"""

import struct
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import BOUNDED
from xman.wire import messages as m
from xman.wire.client import ClientProtocol
from xman.wire.constants import (
    ERROR_BAD_COMMAND,
    ERROR_TEXTS,
    ERROR_TOOMUCH_DATA,
    MAX_ARGUMENTS,
    MAX_COMMAND,
    MAX_OUTPUT,
    MAX_PLAINTEXT,
)
from xman.wire.server import CLOSED, IDLE, RUNNING, ServerProtocol
from xman.wire.tokens import TokenReader, TokenTooLargeError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Numbers at which length checks go wrong.
COUNTS = st.one_of(
    st.integers(0, 8), st.sampled_from([255, 4096, 4097, 65_536, 1_048_576, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1])
)
LARGE_CHUNK = b"a" * 600_000


@st.composite
def mutants(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """An original with none to three of its octets replaced, lost, repeated or cut off."""
    octets = bytearray(draw(originals))
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, min(len(octets), 64)))
        change = draw(st.sampled_from(["replace", "insert", "delete", "repeat", "cut"]))
        if change == "replace":
            octets[position : position + 1] = draw(st.binary(min_size=1, max_size=1))
        elif change == "insert":
            octets[position:position] = draw(st.binary(min_size=1, max_size=5))
        elif change == "delete":
            del octets[position : position + draw(st.integers(1, 4))]
        elif change == "repeat":
            octets[position:position] = octets[position : position + 8]
        else:
            del octets[position:]
    return bytes(octets)


@st.composite
def vectors(draw: st.DrawFn) -> bytes:
    """An argument vector whose counts are mostly right."""
    arguments = draw(st.lists(st.binary(max_size=6), max_size=4))
    count = draw(st.one_of(st.just(len(arguments)), COUNTS))
    body = struct.pack(">I", count)
    for argument in arguments:
        length = draw(st.one_of(st.just(len(argument)), st.just(len(argument)), COUNTS))
        body += struct.pack(">I", length) + argument
    return body


@st.composite
def commands(draw: st.DrawFn) -> list[bytes]:
    """The chunks of one command, continued as they should be; what they make up need not be a vector."""
    body = draw(st.one_of(vectors(), st.just(LARGE_CHUNK)))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    if draw(st.booleans()):
        chunks.insert(draw(st.integers(0, len(chunks))), LARGE_CHUNK)
    kinds = [0] if len(chunks) == 1 else [1] + [2] * (len(chunks) - 2) + [3]
    # Only the last one's keep-alive counts, and it is kept.
    keepalives = [*draw(st.lists(st.sampled_from([0, 1, 255]), min_size=len(kinds) - 1, max_size=len(kinds) - 1)), 1]
    return [bytes((2, 1, *octets)) + chunk for *octets, chunk in zip(keepalives, kinds, chunks, strict=True)]


@st.composite
def chunks_out_of_order(draw: st.DrawFn) -> bytes:
    """One COMMAND with any keep-alive and continue octet."""
    header = bytes((2, 1, draw(st.sampled_from([0, 1, 1, 1])), draw(st.integers(0, 4))))
    return header + draw(st.one_of(vectors(), st.binary(max_size=8), st.just(LARGE_CHUNK)))


def counted(prefix: bytes) -> st.SearchStrategy[bytes]:
    """A message that ends in counted octets, with a count that is mostly right."""
    return st.one_of(
        st.binary(max_size=20).map(lambda text: prefix + struct.pack(">I", len(text)) + text),
        st.builds(lambda count, text: prefix + struct.pack(">I", count) + text, COUNTS, st.binary(max_size=20)),
    )


FROM_CLIENT = st.one_of(chunks_out_of_order(), chunks_out_of_order(), st.sampled_from([b"\x02\x02", b"\x03\x07"]))
FROM_SERVER = st.one_of(
    counted(b"\x02\x03\x01"),
    counted(b"\x02\x03\x02"),
    counted(b"\x02\x05\x00\x00\x00\x04"),
    st.sampled_from([b"\x02\x04\x00", b"\x02\x04\xff", b"\x02\x06\x03", b"\x03\x07"]),
)
PLAINTEXTS = st.one_of(st.binary(max_size=32), mutants(FROM_CLIENT), mutants(FROM_SERVER))
# As above, but without the QUITs that would end most sequences early.
SERVER_INPUT = st.one_of(mutants(chunks_out_of_order()), mutants(chunks_out_of_order()), PLAINTEXTS)


def attempt(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result | m.ProtocolError:
    """Return what `function` returns, or the one error that it may raise."""
    try:
        return function(*args, **kwargs)
    except m.ProtocolError as error:
        return error


def drain(reader: TokenReader) -> list[tuple[int, bytes] | str]:
    """Return all tokens that are whole; the refusal of an oversize one, which ends a connection, is the last."""
    tokens: list[tuple[int, bytes] | str] = []
    try:
        while (token := reader.next_token()) is not None:
            tokens.append(token)
    except TokenTooLargeError as error:
        tokens.append(str(error))
    return tokens


@st.composite
def token_streams(draw: st.DrawFn) -> bytes:
    """Tokens behind each other, with lengths that are mostly right."""
    stream = b""
    for payload in draw(st.lists(st.binary(max_size=24), max_size=6)):
        length = draw(st.one_of(st.just(len(payload)), st.just(len(payload)), COUNTS))
        stream += bytes((draw(st.sampled_from([0x51, 0x42, 0x44, 0x11])),)) + struct.pack(">I", length) + payload
    return stream


@given(PLAINTEXTS)
@BOUNDED
def test_decode(plaintext: bytes) -> None:
    """No octets make `decode` raise anything but ProtocolError, with a code that has a text."""
    result = attempt(m.decode, plaintext)

    if isinstance(result, m.ProtocolError):
        assert result.code in ERROR_TEXTS
    elif not isinstance(result, m.UnsupportedVersion):
        assert m.decode(m.encode(result)) == result


@given(st.one_of(st.binary(max_size=40), mutants(vectors())))
@BOUNDED
def test_decode_arguments(body: bytes) -> None:
    """No octets make `decode_arguments` raise anything but ProtocolError; what it returns encodes to the same again."""
    result = attempt(m.decode_arguments, body)

    if isinstance(result, m.ProtocolError):
        assert result.code in ERROR_TEXTS
    else:
        assert len(result) <= MAX_ARGUMENTS
        assert m.encode_arguments(result) == body


@given(st.lists(st.binary(max_size=20).filter(lambda argument: b"\0" not in argument), max_size=20))
@BOUNDED
def test_arguments_survive(arguments: list[bytes]) -> None:
    """No argument vector without NUL octets comes out of `decode_arguments` changed or refused."""
    assert m.decode_arguments(m.encode_arguments(arguments)) == arguments


@given(st.lists(st.one_of(st.binary(max_size=24), token_streams()), max_size=6), st.sampled_from([0, 8, 65_536]))
@BOUNDED
def test_token_reader(pieces: list[bytes], limit: int) -> None:
    """No octets make TokenReader raise anything but TokenTooLargeError, or return a payload over the limit."""
    reader = TokenReader(limit)

    for piece in pieces:
        reader.feed(piece)
        for token in drain(reader):
            assert isinstance(token, str) or len(token[1]) <= limit


@given(st.one_of(st.binary(max_size=64), token_streams()), st.sampled_from([0, 8, 65_536]))
@BOUNDED
def test_token_reader_octet_by_octet(stream: bytes, limit: int) -> None:
    """No octets give other tokens when they arrive one by one than when they arrive together."""
    whole, single = TokenReader(limit), TokenReader(limit)

    whole.feed(stream)
    one_by_one: list[tuple[int, bytes] | str] = []
    for octet in stream:
        single.feed(bytes((octet,)))
        one_by_one += drain(single)
        if one_by_one and isinstance(one_by_one[-1], str):
            break

    assert one_by_one == drain(whole)


@given(st.lists(SERVER_INPUT, max_size=12), st.data())
@BOUNDED
def test_server(plaintexts: list[bytes], data: st.DataObject) -> None:
    """No plaintexts make ServerProtocol raise; what it sends is well-formed, and what it keeps is bounded."""
    protocol = ServerProtocol()

    for plaintext in plaintexts:
        arguments = protocol.receive(plaintext)
        assert (arguments is not None) == (protocol.state == RUNNING)
        if arguments is not None:
            protocol.send_output(1, bytes(data.draw(st.sampled_from([0, 1, MAX_OUTPUT, MAX_OUTPUT + 1]))))
            if data.draw(st.booleans()):
                protocol.send_status(data.draw(st.integers(0, 255)))
            else:
                protocol.send_error(data.draw(st.sampled_from(sorted(ERROR_TEXTS))))
        for sent in protocol.take_outgoing():
            assert len(sent) <= MAX_PLAINTEXT
            assert isinstance(m.decode(sent), m.Output | m.Status | m.Error | m.Version | m.Noop)
        assert len(protocol._body) <= MAX_COMMAND
        if protocol.state == CLOSED:
            break


@given(st.lists(commands(), min_size=1, max_size=6))
@BOUNDED
def test_server_replies_once(sequence: list[list[bytes]]) -> None:
    """No command that is properly continued, whatever it holds, gets no reply or more than one."""
    protocol = ServerProtocol()

    for chunks in sequence:
        for chunk in chunks:
            if protocol.receive(chunk) is not None:
                protocol.send_status(0)
        replies = [m.decode(sent) for sent in protocol.take_outgoing()]
        assert len(replies) == 1
        assert isinstance(replies[0], m.Status | m.Error)
        assert protocol.state == IDLE


@given(st.lists(st.one_of(mutants(FROM_SERVER), PLAINTEXTS), max_size=12))
@BOUNDED
def test_client(plaintexts: list[bytes]) -> None:
    """No plaintexts make ClientProtocol raise anything but ProtocolError."""
    protocol = ClientProtocol()

    for plaintext in plaintexts:
        if protocol.finished:
            protocol.command([b"list"])
        result = attempt(protocol.receive, plaintext)
        if isinstance(result, m.ProtocolError):
            assert result.code in ERROR_TEXTS
            break
        assert protocol.finished == (not isinstance(result, m.Output))


@given(
    st.lists(st.binary(max_size=20), max_size=5),
    st.sampled_from([0, 65_520, 65_524, 65_525, 131_060, 1_048_560, 1_048_576]),
    st.booleans(),
)
@BOUNDED
def test_pair(arguments: list[bytes], padding: int, keepalive: bool) -> None:
    """No arguments that ClientProtocol accepts are refused by ServerProtocol or come out of it changed."""
    arguments = [*arguments, b"a" * padding]
    server = ServerProtocol()
    plaintexts = attempt(ClientProtocol().command, arguments, keepalive)
    if isinstance(plaintexts, m.ProtocolError):
        assert plaintexts.code in (ERROR_BAD_COMMAND, ERROR_TOOMUCH_DATA)
        return

    *unfinished, received = [server.receive(plaintext) for plaintext in plaintexts]

    assert all(len(plaintext) <= MAX_PLAINTEXT for plaintext in plaintexts)
    assert unfinished == [None] * (len(plaintexts) - 1)
    assert received == arguments
    assert server.take_outgoing() == []
