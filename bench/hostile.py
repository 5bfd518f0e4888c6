"""What those do who have a ticket and may little or nothing, or who lie in wait at the portal: a function each.

Each runs in a process of its own until `stop`, opens its connections again where they are closed, and swallows whatever
the daemon does to it.
"""

import contextlib
import multiprocessing.synchronize
import os
import socket
from collections.abc import Callable, Iterator

from tests.lab.clients.peer import Peer, command

_NOOP = b"\x03\x07"
_MIB = 1 << 20
_BURST = 200
_Stop = multiprocessing.synchronize.Event
Attack = Callable[["dict[str, str]", int, _Stop], None]


class _Client(Peer):
    """A connection of an attacker's."""

    def __init__(self, env: dict[str, str], port: int) -> None:
        # Whether the daemon, or we, have ended it; and whether all has been said that there is to say.
        self.broken = self.said = False
        super().__init__(env, port)

    def end(self) -> None:
        """Take no further part."""
        self.broken = True
        self.__exit__(None, None, None)


def _again(env: dict[str, str], port: int, stop: _Stop, count: int) -> Iterator[list[_Client]]:
    """Give `count` connections, again and again; those that failed are opened anew."""
    held: list[_Client] = []
    while not stop.is_set():
        try:
            while len(held) < count:
                held.append(_Client(env, port))
        except Exception:  # refused, closed, broken off in the handshake: it is an attack
            stop.wait(0.02)
        yield held
        held = [peer for peer in held if not peer.broken]


def noops(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Send NOOPs in a row on eight connections, never a command."""
    for held in _again(env, port, stop, 8):
        for peer in held:
            _send(peer, [_NOOP] * _BURST)


def computes(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Keep a processor busy, and never come near: what of an attack is the machine's shows beside this."""
    del env, port
    while not stop.is_set():
        sum(range(10_000))


def denials(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Send a verb of 1 MiB of control characters."""
    for held in _again(env, port, stop, 2):
        for peer in held:
            _send(peer, _in_parts(command(b"\x01" * (_MIB - 100))))


def reasons(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Give a reason of 1 MiB for something that fails, then many of the largest that are taken."""
    for held in _again(env, port, stop, 2):
        for peer in held:
            _send(peer, _in_parts(command(b"shutdown", b"--reason=" + b"x" * (_MIB - 200), b"nosuch")))
            for _ in range(20):
                _send(peer, [command(b"shutdown", b"--reason=" + b"y" * 1000, b"nosuch")], answered=True)


def waits(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Wait on as many connections as there may be for what never comes."""
    for held in _again(env, port, stop, 32):
        for peer in held:
            if not peer.said:
                peer.said = True
                _send(peer, [command(b"wait", b"--for=crashed", b"test")])
        stop.wait(0.2)


def asks(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Ask for what only a slow program could allow."""
    for held in _again(env, port, stop, 4):
        for peer in held:
            _send(peer, [command(b"list")])
        stop.wait(0.05)


def _in_parts(whole: bytes) -> list[bytes]:
    """Return the messages of a command that is longer than one may be."""
    body, size = whole[4:], 60_000
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    last = len(pieces) - 1
    return [
        bytes((2, 1, 1, 0 if last == 0 else 1 if at == 0 else 3 if at == last else 2)) + piece
        for at, piece in enumerate(pieces)
    ]


def _send(peer: _Client, plaintexts: list[bytes], *, answered: bool = False) -> None:
    """Send them, as far as the daemon takes them."""
    if peer.broken:
        return
    try:
        for plaintext in plaintexts:
            peer.send(plaintext)
        if answered:
            while peer.receive()[1] not in (4, 5):
                pass
    except Exception:  # as above
        peer.end()


def half_heads(env: dict[str, str], port: int, stop: _Stop) -> None:
    """Hold sockets of the portal's with half a header each."""
    del env
    held: list[socket.socket] = []
    while not stop.is_set():
        with contextlib.suppress(OSError):
            while len(held) < 100:
                one = socket.create_connection(("127.0.0.1", port), timeout=5)
                one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + os.urandom(4).hex().encode())
                held.append(one)
        stop.wait(1)
        for one in held[:10]:
            one.close()
        held = held[10:]
    for one in held:
        one.close()
