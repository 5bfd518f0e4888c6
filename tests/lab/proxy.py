"""A network that loses replies: passes tokens on between client and server, and breaks connections as a test says."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

_HEADER = struct.Struct(">BI")


class Proxy:
    """Listens on a port of its own in front of `port`.

    `breaks(n)` says whether the n-th connection is broken: as soon as the server answers its first command, before the
    client gets anything of that.
    """

    def __init__(self, port: int, breaks: Callable[[int], bool]) -> None:
        self._target = port
        self._breaks = breaks
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listening.getsockname()[1]
        # Connections accepted, and those broken.
        self.accepted = 0
        self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self.accepted += 1
                breaks = self._breaks(self.accepted)
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(client, server, breaks), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _down(self, client: socket.socket, server: socket.socket, breaks: bool) -> None:
        with contextlib.suppress(OSError, EOFError):
            client.sendall(_token(server))  # the server's half of the handshake, one token with krb5
            while token := _token(server):
                if breaks:
                    self.broken += 1
                    break
                client.sendall(token)
        for sock in (client, server):
            # Closing alone would wait for the thread that reads from it.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _token(sock: socket.socket) -> bytes:
    """Receive one whole token. Raises EOFError."""
    header = _exactly(sock, _HEADER.size)
    return header + _exactly(sock, _HEADER.unpack(header)[1])


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
