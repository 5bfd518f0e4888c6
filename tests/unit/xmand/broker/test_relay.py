"""Unit tests of what carries a migration at its source: what the other host says is not believed before its turn."""

import contextlib
import select
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.xmand.broker import said
from xman.errors import HypervisorError
from xmand.broker import relay as module
from xmand.broker import rpc
from xmand.broker.relay import Relay

ARRIVED = rpc.packed(rpc.FINISH, rpc.REPLY, 4)
# A socket's own time to hand over what is in it.
SOON = 30.0


class Far:
    """The other host, which says what a test wants it to."""

    over = False
    unsent = 0

    def __init__(self) -> None:
        self.sock, self.mouth = socket.socketpair()
        self.ears, self._tongue = socket.socketpair()

    def pull(self) -> list[bytes]:
        return [self.sock.recv(65_536)]

    def put(self, octets: bytes) -> None:
        self._tongue.sendall(octets)

    def push(self) -> None: ...

    def end(self) -> None: ...

    def require_ok(self) -> None: ...

    def close(self) -> None:
        for each in (self.sock, self.mouth, self.ears, self._tongue):
            each.close()


@pytest.fixture
def run_dir() -> Iterator[str]:
    """A path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="r-") as made:
        yield made


def read(sock: socket.socket, count: int) -> bytes:
    """Return so many octets."""
    sock.settimeout(SOON)
    return sock.recv(count, socket.MSG_WAITALL)


@dataclass
class Carried:
    """A migration that is carried from a libvirtd to another host; `decided` is what its source has written down."""

    relay: Relay
    far: Any
    libvirtd: socket.socket
    decided: list[str]

    def says(self, octets: bytes) -> None:
        """Have libvirtd say something, and wait until the other host has heard it."""
        self.libvirtd.sendall(octets)
        assert read(self.far.ears, len(octets)) == octets

    def hung_up(self) -> bool:
        """Whether libvirtd sees the end of its connection, by which it lets its guest go on."""
        self.libvirtd.settimeout(SOON)
        return self.libvirtd.recv(1) == b""


@contextlib.contextmanager
def carrying(run_dir: str) -> Iterator[Carried]:
    """Carry one; libvirtd has closed its connection, and the relay has ended, after that."""
    far: Any = Far()
    decided: list[str] = []
    relay = Relay(far, run_dir, lambda: decided.append("given"))
    relay.start()
    with socket.socket(socket.AF_UNIX) as libvirtd:
        libvirtd.connect(relay.path)
        yield Carried(relay, far, libvirtd, decided)
    relay.finish()


@pytest.mark.parametrize(
    ("libvirtd_says", "given"),
    [
        (said.finishing(), ["given"]),
        # It has asked for nothing yet, or has called it off: its guest is here, whatever the other host says.
        (said.plain(rpc.REGISTER), []),
        (said.finishing(called_off=1), []),
    ],
    ids=["asked", "not yet", "called off"],
)
def test_a_guest_is_given_when_its_libvirtd_has_asked_for_that(
    run_dir: str, libvirtd_says: bytes, given: list[str]
) -> None:
    with carrying(run_dir) as carried:
        carried.says(libvirtd_says)

        carried.far.mouth.sendall(ARRIVED)

        assert read(carried.libvirtd, len(ARRIVED)) == ARRIVED
        carried.far.over = True
        carried.relay.finish()
    assert (carried.decided, carried.relay.told) == (given, bool(given))


def test_what_libvirtd_has_not_read_is_not_told_to_it(run_dir: str) -> None:
    """It may have given the connection up meanwhile, as one in which nothing came: then its guest goes on."""
    with carrying(run_dir) as carried:
        carried.says(said.finishing())

        carried.far.mouth.sendall(ARRIVED)

        assert select.select([carried.libvirtd], [], [], SOON)[0]
    assert (carried.decided, carried.relay.told) == ([], False)
    assert carried.relay.why == "Connection reset by peer"


@pytest.mark.parametrize(
    "lie",
    [
        rpc.ours(rpc.REPLY),
        rpc.ours(rpc.CALL),
        said.word(rpc.MOST_OCTETS + 1) + bytes(24),
        said.word(3) + bytes(24),
    ],
    ids=["a confirmation nobody asked for", "a question", "a packet without an end", "a packet without a header"],
)
def test_a_host_that_lies_is_hung_up_on_and_the_guest_stays(run_dir: str, lie: bytes) -> None:
    with carrying(run_dir) as carried:
        carried.says(said.finishing())

        carried.far.mouth.sendall(lie)

        assert carried.hung_up()
    assert (carried.decided, carried.relay.told, carried.relay.committed) == ([], False, False)
    assert carried.relay.why


def test_that_it_has_no_place_to_listen_is_told_in_words(run_dir: str) -> None:
    far: Any = Far()

    with pytest.raises(HypervisorError, match=f"{run_dir}/none: No such file"):
        Relay(far, f"{run_dir}/none", lambda: None)

    far.close()


def test_a_host_that_stands_still_is_given_up(run_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is there, and nothing comes over it: its xmand was stopped, or the network is gone."""
    monkeypatch.setattr(module, "_SILENT_SECONDS", 0.2)
    with carrying(run_dir) as carried:
        assert carried.hung_up()

    assert (carried.decided, carried.relay.told) == ([], False)
    assert carried.relay.why == "nothing came over the connection any more"
