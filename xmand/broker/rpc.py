"""The packets of libvirt's remote protocol (src/rpc/virnetprotocol.x), and the few of ours that go between them. Pure.

A packet has 28 octets of header, seven words: its length, the program, its version, the procedure, the type, the
serial, the status.
"""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct(">IIIIIII")
HEADER = _HEADER.size
# A description of a guest has some KiB, a packet of its memory 64 or 256 of them.
MOST_OCTETS = 4 << 20

REMOTE, KEEPALIVE = 0x20008086, 0x6B656570
# Ours: "xman". It never reaches a libvirt.
OURS = 0x786D616E

CALL, REPLY, MESSAGE, STREAM = 0, 1, 2, 3
OK, ERROR, CONTINUE = 0, 1, 2

OPEN, CLOSE, FEATURE, AUTH_LIST = 1, 2, 60, 66
PREPARE, FINISH, REGISTER, UNREGISTER = 304, 306, 360, 361

# Our one procedure: the source's libvirt has the answer to FINISH, so the copy may go on.
COMMIT = 1


class RpcError(ValueError):
    """These are no packets that may pass; the text says what is wrong with them."""


@dataclass(frozen=True)
class Packet:
    """One packet; `raw` is all of it."""

    program: int
    version: int
    procedure: int
    type: int
    serial: int
    status: int
    raw: bytes

    @property
    def body(self) -> bytes:
        """What follows the header."""
        return self.raw[HEADER:]


class Packets:
    """Cuts a stream of octets into packets; what is held is bounded by the longest of them."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held(self) -> int:
        """How many octets wait for the rest of their packet, or to be taken."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Add octets."""
        self._held += data

    def next(self) -> Packet | None:
        """Return the next packet, None while it is not whole. Raises RpcError for one of an impossible length."""
        held = self._held
        if len(held) < 4:
            return None
        length = int.from_bytes(held[:4], "big")
        if not HEADER <= length <= MOST_OCTETS:
            raise RpcError(f"a packet of {length} octets")
        if len(held) < length:
            return None
        raw = bytes(memoryview(held)[:length])
        del held[:length]
        _length, program, version, procedure, kind, serial, status = _HEADER.unpack_from(raw)
        return Packet(program, version, procedure, kind, serial, status, raw)


def kind(raw: bytes) -> int:
    """Return the type of a whole packet."""
    return int.from_bytes(raw[16:20], "big")


def ours(kind: int, status: int = OK) -> bytes:
    """Return one of our own packets: the CALL that commits, or its REPLY."""
    return _HEADER.pack(HEADER, OURS, 1, COMMIT, kind, 0, status)


def packed(procedure: int, kind: int, serial: int, status: int = OK, body: bytes = b"", program: int = REMOTE) -> bytes:
    """Return a packet."""
    return _HEADER.pack(HEADER + len(body), program, 1, procedure, kind, serial, status) + body
