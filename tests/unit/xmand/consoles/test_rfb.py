"""What a VNC client says (`xmand.consoles.rfb`): followed octet by octet, whatever the pieces."""

import struct

import pytest

from xmand.consoles.rfb import MOST_MESSAGE, RfbError, Said

HANDSHAKE = b"RFB 003.008\n\x01\x01"
OLD = b"RFB 003.003\n\x01"
FORMAT = b"\x00" + bytes(19)
ENCODINGS = struct.pack(">BxHii", 2, 2, 0, -239)
REQUEST = struct.pack(">BBHHHH", 3, 0, 0, 0, 720, 400)
KEY = struct.pack(">BBxxI", 4, 1, 0x61)
MOVE = struct.pack(">BBHH", 5, 0, 10, 20)
CLICK = struct.pack(">BBHH", 5, 1, 10, 20)
CUT = struct.pack(">BxxxI", 6, 5) + b"hello"
EXTENDED_CUT = struct.pack(">Bxxxi", 6, -4) + bytes(4)
QEMU_KEY = struct.pack(">BBHII", 255, 0, 1, 0x61, 30)
QEMU_SOUND = struct.pack(">BBH", 255, 1, 0)
QEMU_SOUND_FORMAT = struct.pack(">BBHBBI", 255, 1, 2, 3, 2, 44100)
CONTINUOUS = bytes([150, 1]) + bytes(8)
FENCE = struct.pack(">BxxxIB", 248, 1, 3) + b"abc"
DESKTOP = struct.pack(">BxHHBx", 251, 800, 600, 1) + bytes(16)
LOOKS = FORMAT + ENCODINGS + REQUEST + QEMU_SOUND + QEMU_SOUND_FORMAT + CONTINUOUS + FENCE
TYPES = {"key": KEY, "click": CLICK, "cut": CUT, "extended cut": EXTENDED_CUT, "QEMU's key": QEMU_KEY}


def fed(said: Said, octets: bytes, piece: int) -> bytes:
    """Return what is handed on of octets that come in pieces."""
    return b"".join(said.feed(octets[at : at + piece]) for at in range(0, len(octets), piece))


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize("handshake", [HANDSHAKE, OLD], ids=["3.8", "3.3"])
def test_all_is_handed_on_and_who_only_looks_has_not_typed(handshake: bytes, piece: int) -> None:
    said = Said(view_only=False)

    assert fed(said, handshake + LOOKS + MOVE + DESKTOP, piece) == handshake + LOOKS + MOVE + DESKTOP
    assert not said.typed


@pytest.mark.parametrize("message", TYPES.values(), ids=TYPES)
def test_who_types_has_typed(message: bytes) -> None:
    said = Said(view_only=False)

    assert said.feed(HANDSHAKE + message + REQUEST) == HANDSHAKE + message + REQUEST
    assert said.typed


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize("message", [*TYPES.values(), MOVE, DESKTOP], ids=[*TYPES, "move", "desktop"])
def test_who_may_only_look_is_not_heard_typing(message: bytes, piece: int) -> None:
    said = Said(view_only=True)

    assert fed(said, HANDSHAKE + message + LOOKS + message, piece) == HANDSHAKE + LOOKS
    assert not said.typed


def test_nobody_has_the_screen_alone() -> None:
    said = Said(view_only=False)

    assert said.feed(b"RFB 003.008\n\x01\x00") == HANDSHAKE


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n",
        b"RFB 003.008\n\x02",
        HANDSHAKE + b"\x63",
        HANDSHAKE + b"\xff\x07\0\0",
        HANDSHAKE + struct.pack(">BxxxI", 6, MOST_MESSAGE + 1),
    ],
)
def test_what_cannot_be_followed_is_the_servers_to_refuse_and_none_of_who_may_only_look(octets: bytes) -> None:
    said = Said(view_only=False)
    assert said.feed(octets) + said.feed(KEY) == octets + KEY
    assert said.typed

    with pytest.raises(RfbError):
        Said(view_only=True).feed(octets)
