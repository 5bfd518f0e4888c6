"""A network that loses replies: passes tokens on between client and server, and breaks connections as a test says."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

_HEADER = struct.Struct(">BI")


class Proxy:
    """Listens on a port of its own in front of `port`.

    `breaks(n)` says whether the n-th command that is answered, of all connections, loses its answer: as soon as the
    server begins it, the connection is broken, before the client gets anything of that.
    """

    def __init__(self, port: int, breaks: Callable[[int], bool]) -> None:
        self._target = port
        self._breaks = breaks
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listening.getsockname()[1]
        # Connections accepted, commands answered, and connections broken.
        self.accepted = 0
        self.answered = 0
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
                asked = threading.Event()
                threading.Thread(target=self._up, args=(client, server, asked), daemon=True).start()
                threading.Thread(target=self._down, args=(client, server, asked), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                asked.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _down(self, client: socket.socket, server: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError, EOFError):
            token = _token(server)  # the server's half of the handshake, one token with krb5
            # A client waits for the whole reply before it says more; what it said so far is its half.
            asked.clear()
            client.sendall(token)
            while token := _token(server):
                if asked.is_set():
                    asked.clear()
                    self.answered += 1
                    if self._breaks(self.answered):
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
