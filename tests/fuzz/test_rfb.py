"""Fuzz tests of what a VNC client says: whatever the octets and their pieces."""

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import BOUNDED
from tests.unit.xmand.consoles import test_rfb as rfb
from xmand.consoles.rfb import RfbError, Said

MESSAGES = st.sampled_from([rfb.LOOKS, rfb.MOVE, rfb.DESKTOP, *rfb.TYPES.values()])
OCTETS = st.one_of(
    st.binary(max_size=64),
    st.tuples(st.lists(MESSAGES, max_size=6), st.binary(max_size=16)).map(
        lambda parts: rfb.HANDSHAKE + b"".join(parts[0]) + parts[1]
    ),
)


@given(OCTETS, st.integers(1, 16))
@BOUNDED
def test_nothing_is_lost_or_made_up_however_it_is_cut(octets: bytes, piece: int) -> None:
    """Invariant: who may type has all handed on but what is not whole, in its order, however it comes."""
    whole, cut = Said(view_only=False), Said(view_only=False)

    passed = rfb.fed(cut, octets, piece)

    assert passed == whole.feed(octets)
    assert octets.startswith(passed) or passed[13:14] == b"\x01" or passed[12:13] == b"\x01"
    assert cut.typed == whole.typed


@given(OCTETS, st.integers(1, 16))
@BOUNDED
def test_no_octets_type_for_who_may_only_look(octets: bytes, piece: int) -> None:
    """Invariant: what is handed on for who only looks is followed as such by another: nothing in it types."""
    said, other = Said(view_only=True), Said(view_only=False)
    passed = b""

    try:
        for at in range(0, len(octets), piece):
            passed += said.feed(octets[at : at + piece])
    except RfbError:
        pass

    assert other.feed(passed) == passed
    assert not other.typed
