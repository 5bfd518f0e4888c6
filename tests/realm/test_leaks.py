"""Thousands of clients of every kind, and a daemon that is afterwards as it was before."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.clients.peer import Peer, command
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for
from tests.tools.soak import rounds

ADMINS = ("alice@XMAN.TEST",)
# Each is of five connections. Growth is measured from this round on, and anew from the ten thousandth connection.
_ROUNDS = 300
_TEN_THOUSANDTH = 2000
# What the allocator may keep; a leak of a connection's state would be some KiB each.
_MOST_GROWTH_KIB = 2048


@pytest.fixture
def strict(realm: Realm, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon in Python's development mode, in which every warning (a resource that is not closed …) is an error."""
    env = {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}
    started = Daemon(realm, tmp_path / "x", admins=ADMINS, env=env)
    yield started
    assert started.stop() == 0


def listed(daemon: Daemon, env: dict[str, str]) -> None:
    """A command that works."""
    with Peer(env, daemon.port) as client:
        client.send(command(b"list"))
        while client.receive()[1] != 4:
            pass


def denied(daemon: Daemon, env: dict[str, str]) -> None:
    """A command of somebody who is on no list."""
    with Peer(env, daemon.port) as client:
        client.send(command(b"destroy", b"test"))
        assert client.receive()[1] == 5


def aborted(daemon: Daemon, env: dict[str, str]) -> None:
    """A client that leaves while it is waiting for its reply."""
    with Peer(env, daemon.port) as client:
        client.send(command(b"list"))


def garbage(daemon: Daemon) -> None:
    """Something that is no client."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=20) as client:
        client.sendall(b"\x51\x00\x00\x00\x00\x42\x00\x00\x00\x04junk")
        with contextlib.suppress(ConnectionError):
            client.recv(100)


def silence(daemon: Daemon) -> None:
    """Somebody who connects and leaves."""
    socket.create_connection(("127.0.0.1", daemon.port), timeout=20).close()


def size(daemon: Daemon) -> tuple[int, int, int]:
    """Return descriptors, threads, and resident memory in KiB."""
    process = Path(f"/proc/{daemon.process.pid}")
    resident = (process / "status").read_text().split("VmRSS:")[1].split()[0]
    return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir())), int(resident)


def round_of_clients(daemon: Daemon, alice: dict[str, str], mallory: dict[str, str]) -> None:
    """One client of each kind."""
    listed(daemon, alice)
    denied(daemon, mallory)
    aborted(daemon, alice)
    garbage(daemon)
    silence(daemon)


def test_nothing_is_left_of_clients_that_are_gone(
    realm: Realm, alice: dict[str, str], mallory: dict[str, str], tmp_path: Path
) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, alone=True)
    idle = size(daemon)[0]
    for _ in range(_ROUNDS):
        round_of_clients(daemon, alice, mallory)
    wait_for(lambda: size(daemon)[0] <= idle + 8, 10, "the end of all connections")
    before = size(daemon)
    for number in rounds("F2", _ROUNDS):
        round_of_clients(daemon, alice, mallory)
        if number == _TEN_THOUSANDTH:
            before = size(daemon)

    wait_for(lambda: size(daemon)[0] <= before[0], 10, "the end of all connections")
    after = size(daemon)
    assert after[1] <= before[1] + 3, "threads are started as they are needed, and kept"
    assert after[2] <= before[2] + _MOST_GROWTH_KIB, (before, after)
    assert daemon.stop() == 0


def test_no_warning_in_development_mode(strict: Daemon, alice: dict[str, str], mallory: dict[str, str]) -> None:
    for _ in range(5):
        round_of_clients(strict, alice, mallory)
    changes: list[Callable[[], object]] = [
        lambda: strict.rxm(alice, "pause", "test"),
        lambda: strict.rxm(alice, "pause", "nope"),
        lambda: strict.rxm(alice, "unpause", "test"),
        lambda: strict.rxm(alice, "events"),
        lambda: strict.rxm(alice, "create", "-", stdin="<domain>"),
        lambda: strict.rxm(alice, "wait", "test", "--for", "paused", "--timeout", "1"),
    ]
    for change in changes:
        change()

    strict.process.terminate()
    strict.process.wait(20)
    lines = [line for line in strict.stderr().splitlines() if "Warning" in line or "Traceback" in line]
    assert lines == []
