"""A VNC client (RFC 6143), as small as one can be: it sees one picture, types keys, and moves the mouse."""

import socket
import struct
from collections.abc import Callable

VERSION = b"RFB 003.008\n"
_NONE, _RAW = 1, 0
_UPDATE = 0


class Viewer:
    """Over a stream: `read` returns the next octets, `write` sends some."""

    def __init__(self, read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
        self._read = read
        self._write = write
        self.types: tuple[int, ...] = ()
        self.size = (0, 0)

    def handshake(self, *, shared: bool = True) -> None:
        """Go through the handshake without a password."""
        assert self._octets(12) == VERSION
        self._write(VERSION)
        (count,) = self._octets(1)
        self.types = tuple(self._octets(count))
        self._write(bytes([_NONE]))
        assert self._octets(4) == bytes(4), "the security is not to the server's liking"
        self._write(bytes([shared]))
        width, height, _format, length = struct.unpack(">HH16sI", self._octets(24))
        self.size = (width, height)
        self._octets(length)

    def picture(self) -> bytes:
        """Ask for all of the screen, and return its points as the server has them."""
        width, height = self.size
        self._write(struct.pack(">BxHi", 2, 1, _RAW))
        self._write(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
        kind, count = struct.unpack(">BxH", self._octets(4))
        assert kind == _UPDATE
        points = b""
        for _ in range(count):
            _x, _y, wide, high, encoding = struct.unpack(">HHHHi", self._octets(12))
            assert encoding == _RAW
            points += self._octets(wide * high * 4)
        return points

    def key(self, keysym: int) -> None:
        """Press and let go a key, by X's number."""
        self._write(struct.pack(">BBxxI", 4, 1, keysym))
        self._write(struct.pack(">BBxxI", 4, 0, keysym))

    def _octets(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            more = self._read(count - len(found))
            assert more, f"the stream ended after {len(found)} of {count} octets"
            found += more
        return found


def at(sock: socket.socket) -> Viewer:
    """Return a viewer over a socket."""
    return Viewer(sock.recv, sock.sendall)
