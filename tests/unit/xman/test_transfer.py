"""Images as they go over the wire: frames written by hand, and what both ends make of them."""

import hashlib

import pytest

from xman import transfer
from xman.transfer import Receiver, Sender, TransferError

DIGEST = hashlib.sha256(b"ab" + bytes(5) + b"c").digest()
IMAGE = b"S\0\0\0\0\0\0\0\x08D\0\0\0\0\0\0\0\x02abH\0\0\0\0\0\0\0\x05D\0\0\0\0\0\0\0\x01cE\0\0\0\0\0\0\0\x20" + DIGEST


def frames() -> bytes:
    """Return the image as a sender makes it."""
    sender = Sender(8)
    return b"".join((sender.begin(), sender.data(b"ab"), *sender.hole(5), sender.data(b"c"), sender.end()))


def test_the_frames_octet_for_octet() -> None:
    assert frames() == IMAGE


@pytest.mark.parametrize("piece", [1, 2, 7, 8, 9, 10, 100])
def test_they_are_read_however_they_are_cut(piece: int) -> None:
    receiver = Receiver(8)
    found: list[bytes | int] = []

    for at in range(0, len(IMAGE), piece):
        found += receiver.feed(IMAGE[at : at + piece])

    assert b"".join(bytes(each) if isinstance(each, int) else each for each in found) == b"ab" + bytes(5) + b"c"
    assert [each for each in found if isinstance(each, int)] == [5]
    assert (receiver.whole, receiver.summed.data, receiver.summed.hexadecimal()) == (True, 3, DIGEST.hex())


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (IMAGE[9:], "does not begin"),
        (IMAGE[:9] + IMAGE, "two lengths"),
        (b"S\0\0\0\0\0\0\0\x09" + IMAGE[9:], "9 octets, but 8 were announced"),
        (IMAGE[:9] + b"D\0\0\0\0\0\0\0\x09", "longer than what remains"),
        (IMAGE[:9] + b"D\xff\xff\xff\xff\xff\xff\xff\xff", "longer than what remains"),
        (IMAGE[:9] + b"H\0\0\0\0\0\0\0\0", "longer than what remains"),
        (IMAGE[:9] + b"H\xff\xff\xff\xff\xff\xff\xff\xff", "longer than what remains"),
        (IMAGE[:9] + b"X\0\0\0\0\0\0\0\x01", "an unknown kind"),
        (IMAGE[:9] + b"E\0\0\0\0\0\0\0\x21" + bytes(33), "an unknown kind"),
        (IMAGE[:20] + IMAGE[-41:], "2 of 8 octets have arrived"),
        (IMAGE[:-1] + b"\0", "digests differ"),
        (IMAGE + b"D\0\0\0\0\0\0\0\x01", "after its end"),
    ],
)
def test_what_is_no_image(octets: bytes, why: str) -> None:
    receiver = Receiver(8)

    with pytest.raises(TransferError, match=why):
        list(receiver.feed(octets))


def test_what_is_cut_off_is_not_whole() -> None:
    for end in range(len(IMAGE)):
        receiver = Receiver(8)
        list(receiver.feed(IMAGE[:end]))
        assert not receiver.whole


def test_a_long_hole_is_told_in_parts() -> None:
    sender = Sender(2 * transfer.MOST_HOLE + 1)

    lengths = [int.from_bytes(frame[1:]) for frame in sender.hole(sender.length)]

    assert lengths == [transfer.MOST_HOLE, transfer.MOST_HOLE, 1]


def test_a_file_that_is_shorter_now_has_no_end() -> None:
    sender = Sender(8)
    sender.data(b"ab")

    with pytest.raises(TransferError, match="has 2 octets now, and had 8"):
        sender.end()
