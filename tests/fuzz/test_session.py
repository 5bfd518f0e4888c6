"""Fuzz tests of the session: both sides are fed what no peer should send, before, in and after the handshake.

The context is the unit tests' stand-in, so that what is mutated arrives at the layers above it; the real library's own
parsers are not what is tested here.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.gss_standin import StandIn, sealed
from tests.fuzz import BOUNDED
from tests.fuzz.test_wire import FROM_SERVER, PLAINTEXTS, SERVER_INPUT, mutants
from xman.gss import GssError
from xman.server_session import Authenticated, Closed, CommandReceived, MessageRefused, ServerSession
from xman.session import ClientSession, SessionError
from xman.wire import messages as m
from xman.wire.constants import FLAGS_CONTEXT, FLAGS_DATA, FLAGS_HELLO
from xman.wire.tokens import TokenReader, encode_token

HELLO = encode_token(FLAGS_HELLO, b"")
HANDSHAKE = HELLO + encode_token(FLAGS_CONTEXT, b"ap-req")

WORDS = [b"ap-req", b"ap-rep", b"more", b"go on", b"nowhere", b"one-way", b"refuse-me", b"krb-error", b""]
FLAGS = st.sampled_from([0x42, 0x42, 0x42, 0x42, 0x51, 0x44, 0x11, 0x02, 0x00])
HANDSHAKE_TOKENS = st.builds(encode_token, FLAGS, st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)))


def sealed_stream(plaintexts: list[bytes]) -> bytes:
    """Return `plaintexts` as data tokens in their order."""
    return b"".join(encode_token(FLAGS_DATA, sealed(number, text)) for number, text in enumerate(plaintexts))


def streams(plaintexts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Properly sealed plaintexts; the same with their frames damaged; random octets."""
    proper = st.lists(plaintexts, max_size=8).map(sealed_stream)
    return st.one_of(proper, proper, mutants(proper), st.binary(max_size=64))


# What a server may be sent from the first octet on.
CLIENT_STREAMS = st.one_of(
    st.binary(max_size=64),
    st.lists(HANDSHAKE_TOKENS, max_size=5).map(lambda tokens: HELLO + b"".join(tokens)),
    mutants(st.just(HANDSHAKE)),
    st.builds(lambda rest: HANDSHAKE + rest, streams(SERVER_INPUT)),
)


def serve(session: ServerSession, octets: bytes) -> list[tuple[object, ...]]:
    """Feed `octets`, answer commands, and return what can be compared of the events."""
    session.receive(octets)
    events: list[tuple[object, ...]] = []
    while (event := session.next_event()) is not None:
        if isinstance(event, CommandReceived):
            events.append((event.arguments,))
            session.send_output(2, b"done")
            session.send_status(len(event.arguments) % 256)
        elif isinstance(event, Authenticated):
            events.append((event.initiator, event.initiator_is_principal))
        elif isinstance(event, MessageRefused):
            events.append((event.code, MessageRefused))
        elif isinstance(event, Closed):
            events.append((event.detail, event.reason, Closed))
    return events


def converse(session: ClientSession, octets: bytes) -> list[object]:
    """Feed `octets` through the handshake and the replies to commands, and return what was read, or the refusal."""
    read: list[object] = []
    try:
        session.receive(octets)
        if not session.handshake():
            return read
        if session.finished:
            session.command([b"list"])
        while (message := session.next_message()) is not None:
            read.append(message)
            if session.finished:
                session.command([b"list"])
    except (SessionError, GssError) as error:
        read.append((type(error), str(error)))
    return read


def refused(read: list[object]) -> bool:
    """Whether the client gave up."""
    return bool(read) and isinstance(read[-1], tuple)


@given(st.lists(CLIENT_STREAMS, min_size=1, max_size=3))
@BOUNDED
def test_server(pieces: list[bytes]) -> None:
    """No octets make ServerSession raise, say anything after Closed, or send anything but well-formed tokens."""
    session = ServerSession(StandIn(initiates=False))
    sent = TokenReader(65_536 + 2)
    closed = False

    for piece in pieces:
        events = serve(session, piece)
        sent.feed(session.take_outgoing())
        assert not (closed and events)
        assert [event[-1] for event in events].count(Closed) <= 1
        closed = closed or (bool(events) and events[-1][-1] is Closed)

    while (token := sent.next_token()) is not None:
        flags, payload = token
        assert flags in (FLAGS_CONTEXT, FLAGS_DATA)
        if flags == FLAGS_DATA:
            assert isinstance(m.decode(payload[2:]), m.Output | m.Status | m.Error | m.Version | m.Noop)


@given(st.one_of(st.binary(max_size=64), st.lists(HANDSHAKE_TOKENS, max_size=5).map(b"".join)), st.booleans())
@BOUNDED
def test_server_before_authentication(octets: bytes, hello: bool) -> None:
    """No octets without a finished handshake yield a command, or an answer sealed for nobody."""
    session = ServerSession(StandIn(initiates=False))
    session.receive(HELLO + octets if hello else octets)
    authenticated = False

    while (event := session.next_event()) is not None:
        authenticated = authenticated or isinstance(event, Authenticated)
        assert authenticated or isinstance(event, Closed)

    assert authenticated or b"\x44\x00" not in session.take_outgoing()


@given(CLIENT_STREAMS)
@BOUNDED
def test_server_octet_by_octet(octets: bytes) -> None:
    """No octets give other events or answers when they arrive one by one than when they arrive together."""
    octets = octets[:4096]
    whole, single = ServerSession(StandIn(initiates=False)), ServerSession(StandIn(initiates=False))

    one_by_one = [event for octet in octets for event in serve(single, bytes((octet,)))]

    assert one_by_one == serve(whole, octets)
    assert single.take_outgoing() == whole.take_outgoing()


SERVER_STREAMS = st.one_of(
    st.binary(max_size=64),
    st.lists(HANDSHAKE_TOKENS, max_size=4).map(b"".join),
    st.builds(
        lambda rest: encode_token(FLAGS_CONTEXT, b"ap-rep") + rest, streams(st.one_of(mutants(FROM_SERVER), PLAINTEXTS))
    ),
)


def client() -> ClientSession:
    """Return a client that has sent its first tokens."""
    session = ClientSession(StandIn(initiates=True))
    session.start()
    return session


@given(st.lists(SERVER_STREAMS, min_size=1, max_size=3))
@BOUNDED
def test_client(pieces: list[bytes]) -> None:
    """No octets make ClientSession raise anything but SessionError and GssError, or skip its handshake."""
    session = client()

    for piece in pieces:
        read = converse(session, piece)
        assert session.authenticated or not read or refused(read)
        if refused(read):
            break


@given(SERVER_STREAMS)
@BOUNDED
def test_client_octet_by_octet(octets: bytes) -> None:
    """No octets give other messages or refusals when they arrive one by one than when they arrive together."""
    octets = octets[:4096]
    whole, single = client(), client()

    one_by_one: list[object] = []
    for octet in octets:
        one_by_one += converse(single, bytes((octet,)))
        if refused(one_by_one):
            break

    assert one_by_one == converse(whole, octets)
    assert single.take_outgoing() == whole.take_outgoing()
