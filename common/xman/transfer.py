"""An image as it goes over the wire, both ways: frames of data and of holes, its length first, its digest at the end.

A frame is a kind, one octet, and a number, eight octets in network order (xman-protocol(7)):

    S LENGTH         how long the image is; the first one
    D LENGTH data    the next octets
    H LENGTH         a hole: the next octets are zeros
    E 32 digest      the end: SHA-256 of the whole image, holes as zeros

Pure: no file and no socket.
"""

import struct
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE, DATA, HOLE, END = b"S", b"D", b"H", b"E"
_HEAD = struct.Struct(">cQ")
_DIGEST_OCTETS = 32
# No hole is told in one that is longer, so that whoever counts its zeros has said something meanwhile.
MOST_HOLE = 256 * 1024 * 1024
_ZEROS = bytes(1024 * 1024)


class TransferError(Exception):
    """What came is not an image as it is sent, or not the whole of it."""


class Summed:
    """The octets of an image in order, counted and digested; `octets` so far, `data` of them that were no hole."""

    def __init__(self) -> None:
        self.octets = 0
        self.data = 0
        self._digest = sha256()

    def add(self, data: bytes) -> None:
        """Here are the next."""
        self._digest.update(data)
        self.octets += len(data)
        self.data += len(data)

    def skip(self, length: int) -> None:
        """The next so many are zeros."""
        self.octets += length
        while length:
            step = min(length, len(_ZEROS))
            self._digest.update(_ZEROS if step == len(_ZEROS) else _ZEROS[:step])
            length -= step

    def hexadecimal(self) -> str:
        """Return the digest."""
        return self._digest.hexdigest()


class Sender:
    """Makes the frames of one image of `length` octets."""

    def __init__(self, length: int) -> None:
        self.summed = Summed()
        self.length = length

    def begin(self) -> bytes:
        """Return the first frame."""
        return _HEAD.pack(SIZE, self.length)

    def data(self, data: bytes) -> bytes:
        """Return the frame of the next octets."""
        self.summed.add(data)
        return _HEAD.pack(DATA, len(data)) + data

    def hole(self, length: int) -> "Iterator[bytes]":
        """Yield the frames of a hole."""
        while length:
            step = min(length, MOST_HOLE)
            self.summed.skip(step)
            yield _HEAD.pack(HOLE, step)
            length -= step

    def end(self) -> bytes:
        """Return the last frame. Raises TransferError where it is not the end."""
        if self.summed.octets != self.length:
            raise TransferError(f"the image has {self.summed.octets} octets now, and had {self.length} before")
        return _HEAD.pack(END, _DIGEST_OCTETS) + bytes.fromhex(self.summed.hexadecimal())


class Receiver:
    """Takes the frames of one image; `length` is what it is to have, None until that is known."""

    def __init__(self, length: int | None = None) -> None:
        self.summed = Summed()
        self.length = length
        # Whether the end was there, and all before it right.
        self.whole = False
        self._held = bytearray()
        # Of the frame of data that is under way.
        self._more = 0
        self._begun = False

    def feed(self, data: bytes) -> "Iterator[bytes | int]":
        """Yield what comes of more octets: data as it is, or the length of a hole. Raises TransferError."""
        self._held += data
        while True:
            if self._more:
                piece = bytes(self._held[: self._more])
                del self._held[: len(piece)]
                if not piece:
                    return
                self._more -= len(piece)
                self.summed.add(piece)
                yield piece
                continue
            if len(self._held) < _HEAD.size or not self._held:
                return
            if self.whole:
                raise TransferError("there is more data after its end")
            kind, number = _HEAD.unpack_from(self._held)
            if kind == END and len(self._held) < _HEAD.size + _DIGEST_OCTETS:
                return
            del self._held[: _HEAD.size]
            yield from self._frame(kind, number)

    def _frame(self, kind: bytes, number: int) -> "Iterator[bytes | int]":
        if (kind == SIZE) == self._begun:
            raise TransferError("it does not begin with its length" if kind != SIZE else "it has two lengths")
        if kind == SIZE:
            if self.length not in (None, number):
                raise TransferError(f"it has {number} octets, but {self.length} were announced")
            self.length, self._begun = number, True
        elif kind in (DATA, HOLE):
            assert self.length is not None  # noqa: S101  # it has begun
            if not number or number > self.length - self.summed.octets or (kind == HOLE and number > MOST_HOLE):
                raise TransferError("a part of it is longer than what remains")
            if kind == DATA:
                self._more = number
            else:
                self.summed.skip(number)
                yield number
        elif kind == END and number == _DIGEST_OCTETS:
            self._end()
        else:
            raise TransferError("it has a part of an unknown kind")

    def _end(self) -> None:
        told = bytes(self._held[:_DIGEST_OCTETS]).hex()
        del self._held[:_DIGEST_OCTETS]
        if self.summed.octets != self.length:
            raise TransferError(f"{self.summed.octets} of {self.length} octets have arrived")
        if told != self.summed.hexadecimal():
            raise TransferError("what arrived is not what was sent: the digests differ")
        self.whole = True
