"""Fuzz tests of a running command's input: the extension of the wire, fed what no client should send."""

import re
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.gss_standin import StandIn
from tests.fuzz import BOUNDED
from tests.fuzz.test_session import HANDSHAKE, sealed_stream
from tests.fuzz.test_wire import PLAINTEXTS, mutants
from xman.server_session import Closed, CommandReceived, InputEnded, InputReceived, ServerSession
from xman.wire import messages as m
from xman.wire.tokens import TokenReader

CONSOLE = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x07console"
INPUT = st.one_of(
    st.binary(max_size=32).map(lambda octets: b"\x40\x40" + octets),
    st.sampled_from([b"\x40\x41", b"\x02\x02", CONSOLE]),
    PLAINTEXTS,
)
PIECES = st.one_of(st.lists(INPUT, max_size=8), st.lists(mutants(INPUT), max_size=8))


class Served:
    """A session whose commands take input; each is answered after so many pieces of it, or at its end."""

    def __init__(self, answer_after: int = 1 << 30) -> None:
        self.session = ServerSession(StandIn(initiates=False))
        self.events: list[object] = []
        self._answer_after = answer_after
        self._taken, self._asked = 0, False

    def receive(self, octets: bytes) -> None:
        """Take them, and do what they call for."""
        session = self.session
        session.receive(octets)
        while (event := session.next_input() if session.input_open else session.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, CommandReceived):
                session.open_input()
                self._taken, self._asked = 0, True
            self._taken += isinstance(event, InputReceived)
            done = isinstance(event, InputEnded) or self._taken >= self._answer_after
            if self._asked and done and not session.over:
                session.send_status(0)
                self._asked = False


@given(PIECES, st.integers(0, 3))
@BOUNDED
def test_no_input_makes_the_server_raise_or_speak_after_the_end(plaintexts: list[bytes], answer_after: int) -> None:
    served = Served(max(1, answer_after))

    served.receive(HANDSHAKE + sealed_stream([CONSOLE, *plaintexts]))

    closed = [place for place, event in enumerate(served.events) if isinstance(event, Closed)]
    assert closed in ([], [len(served.events) - 1])
    sent = TokenReader(65_536 + 2)
    sent.feed(served.session.take_outgoing())
    while (token := sent.next_token()) is not None:
        if token[0] == 0x44:
            assert isinstance(m.decode(token[1][2:]), m.Output | m.Status | m.Error | m.Version | m.Noop)


@given(PIECES)
@BOUNDED
def test_input_octet_by_octet_is_the_same_input(plaintexts: list[bytes]) -> None:
    octets = HANDSHAKE + sealed_stream([CONSOLE, *plaintexts])
    together, one_by_one = Served(), Served()

    together.receive(octets)
    for sip in sips(octets):
        one_by_one.receive(sip)

    assert [described(event) for event in one_by_one.events] == [described(event) for event in together.events]


def sips(octets: bytes) -> Iterator[bytes]:
    """Give each octet by itself, but for the inside of a chunk of hundreds of thousands, which nothing can cut."""
    for number, part in enumerate(re.split(rb"((?<=a)a{1000,}(?=a))", octets)):
        if number % 2:
            yield part
        else:
            yield from (bytes((octet,)) for octet in part)


def described(event: object) -> tuple[object, ...]:
    """Return what can be compared of an event."""
    return (type(event), *(getattr(event, name) for name in getattr(type(event), "__slots__", ())))
