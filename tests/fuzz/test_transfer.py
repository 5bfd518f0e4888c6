"""Fuzz tests of images on the wire: whatever the octets and their pieces."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import BOUNDED
from tests.unit.xman.test_transfer import IMAGE
from xman.transfer import Receiver, TransferError

FRAMES = st.sampled_from([IMAGE[:9], IMAGE[9:20], IMAGE[20:29], IMAGE[29:39], IMAGE[39:], b"H", b"D\0", b"E"])
OCTETS = st.one_of(
    st.just(IMAGE),
    st.binary(max_size=64),
    st.tuples(st.lists(FRAMES, max_size=8), st.binary(max_size=16)).map(lambda parts: b"".join(parts[0]) + parts[1]),
)


def told(octets: bytes, piece: int) -> tuple[bytes, list[int], bool, str]:
    """Return what comes of octets in such pieces: data, holes, whether it is whole, and why it is none."""
    receiver, why = Receiver(), ""
    found: list[bytes | int] = []
    try:
        for at in range(0, len(octets), piece):
            found += receiver.feed(octets[at : at + piece])
    except TransferError as error:
        why = str(error)
    data = b"".join(each for each in found if isinstance(each, bytes))
    return data, [each for each in found if isinstance(each, int)], receiver.whole, why


@given(OCTETS, st.integers(1, 16))
@BOUNDED
def test_however_they_are_cut_they_mean_the_same(octets: bytes, piece: int) -> None:
    """Invariant: the image, whether it is whole, and what is wrong with it are those of the octets in one piece."""
    assert told(octets, piece) == told(octets, len(octets) or 1)


@given(OCTETS)
@BOUNDED
def test_only_what_has_its_digest_is_whole(octets: bytes) -> None:
    """Invariant: what is whole has the length and the digest that it says."""
    receiver = Receiver()
    with contextlib.suppress(TransferError):
        list(receiver.feed(octets))

    if receiver.whole:
        assert receiver.summed.octets == receiver.length
        assert bytes.fromhex(receiver.summed.hexadecimal()) in octets
