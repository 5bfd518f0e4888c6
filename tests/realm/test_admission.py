"""A crowd at the door: caps and deadlines, and that an honest client gets in none the less."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.lab.clients.peer import Peer, command
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for

ADMINS = ("alice@XMAN.TEST",)
LIST = command(b"list")
_LIMITS = """\
[limits]
connections_per_principal = 2
unauthenticated = 24
unauthenticated_per_source = 8
first_seconds = 1
handshake_seconds = 2
write_seconds = 0.5
"""


@pytest.fixture(scope="module")
def crowded(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with caps and deadlines that a test can reach."""
    started = Daemon(realm, tmp_path_factory.mktemp("crowded"), admins=ADMINS, tables=_LIMITS)
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.stderr()


@pytest.fixture(scope="module")
def aged(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that lets nobody stay for long."""
    started = Daemon(realm, tmp_path_factory.mktemp("aged"), admins=ADMINS, tables="[limits]\nage_seconds = 2.5\n")
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.stderr()


def connect(daemon: Daemon, address: str = "127.0.0.1") -> socket.socket:
    """Connect from an address of this machine's."""
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=20, source_address=(address, 0))


def closed(client: socket.socket) -> bool:
    """Whether the daemon closes within the socket's patience."""
    with contextlib.suppress(ConnectionResetError):
        return client.recv(100) == b""
    return True


def descriptors(daemon: Daemon) -> int:
    """Return how many the daemon has open."""
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))  # noqa: PTH208


class Crowd:
    """Connections that say nothing, from `sources`, renewed as fast as they are closed."""

    def __init__(self, daemon: Daemon, sources: tuple[str, ...], size: int) -> None:
        self._daemon = daemon
        self._sources = sources
        self._size = size
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._come)

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _come(self) -> None:
        held: list[socket.socket] = []
        number = 0
        while not self._stop.is_set():
            number += 1
            with contextlib.suppress(OSError):
                held.append(connect(self._daemon, self._sources[number % len(self._sources)]))
            if len(held) > self._size:
                held.pop(0).close()
            time.sleep(0.005)
        for sock in held:
            sock.close()


@pytest.mark.parametrize(
    "sources",
    [("127.0.0.66",), tuple(f"127.0.1.{number}" for number in range(1, 101)), ("127.0.0.1",)],
    ids=["one source", "a hundred sources", "the honest client's own source"],
)
def test_a_crowd_locks_nobody_out(crowded: Daemon, alice: dict[str, str], sources: tuple[str, ...]) -> None:
    with Crowd(crowded, sources, 100):
        answers = [crowded.rxm(alice, "ping") for _ in range(4)]
        assert descriptors(crowded) < 24 + 40

    assert [answer.status for answer in answers] == [0] * 4
    assert crowded.syslog.audit(ev="conn", detail="closed to make room")


def test_established_connections_survive_a_crowd(crowded: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, crowded.port) as client, Crowd(crowded, ("127.0.0.1", "127.0.0.66"), 100):
        for _ in range(3):
            time.sleep(0.1)
            client.send(LIST)
            assert b"test" in client.receive()
            client.receive()


def test_a_source_holds_no_more_than_its_share(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    # One that waits for strangers as long as any.
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, tables="[limits]\nunauthenticated_per_source = 8\n")
    held = [connect(daemon, "127.0.0.67") for _ in range(12)]

    assert daemon.rxm(alice, "ping").status == 0, "who came later is in, and so all of these have been looked at"
    for sock in held:
        sock.setblocking(False)
    open_still = 0
    for sock in held:
        try:
            sock.recv(1)
        except BlockingIOError:
            open_still += 1
        sock.close()
    assert open_still == 8
    assert daemon.stop() == 0


def test_silence_is_not_waited_for(crowded: Daemon) -> None:
    began = time.monotonic()
    with connect(crowded, "127.0.0.68") as client:
        assert closed(client)
        assert time.monotonic() - began > 0.9


def test_a_slow_kdc_does_not_cost_an_honest_client_its_place(crowded: Daemon, realm: Realm, tmp_path: Path) -> None:
    """The ticket takes rxm longer than the host waits for a stranger's first octets."""
    env = realm.kinit("alice", PASSWORD, "patient")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        before = f"\tkdc = 127.0.0.1:{silent.getsockname()[1]}\n\tkdc = "
        slow = tmp_path / "krb5.conf"
        slow.write_text(Path(realm.env["KRB5_CONFIG"]).read_text().replace("\tkdc = ", before, 1))

        began = time.monotonic()
        answer = crowded.rxm(env | {"KRB5_CONFIG": str(slow)}, "ping")

    assert answer.status == 0, answer
    assert time.monotonic() - began > 1, "the host has closed its first connection by then"


def test_octets_now_and_then_gain_no_time(realm: Realm, tmp_path: Path) -> None:
    """Who speaks on and on is closed in its turn: behind a mute one, before a silent one that came later."""
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, tables=_LIMITS)
    hello = b"\x51\x00\x00\x00\x00\x42\x00\x00\xff\x00"
    with connect(daemon) as mute, connect(daemon) as talking, connect(daemon) as silent:
        peers = ["{}:{}".format(*client.getsockname()) for client in (mute, talking, silent)]
        talking.sendall(hello)
        silent.sendall(hello)
        silent.settimeout(0.1)

        def silent_is_closed() -> bool:
            with contextlib.suppress(ConnectionError):
                talking.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                return silent.recv(1) == b""
            return False

        wait_for(silent_is_closed, 20, "the end of the silent one")

        def ended() -> list[str]:
            return [line["peer"] for line in daemon.syslog.audit(ev="conn", detail="nothing came in time")]

        wait_for(lambda: peers[2] in ended(), 20, "the line that tells of it")
        assert ended() == peers
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    "frame", [b"\x51\xff\xff\xff\xff", b"\x51\x00\x01\x00\x01", b"\x51\0\0\0\0\x42\x00\x01\x00\x01"]
)
def test_an_oversized_frame_is_refused_at_its_header(crowded: Daemon, frame: bytes) -> None:
    with connect(crowded, "127.0.0.70") as client:
        client.sendall(frame)
        assert closed(client)
        own = "{}:{}".format(*client.getsockname())
    assert "the limit is 65536" in crowded.syslog.wait(ev="conn", peer=own)["detail"]


def test_who_does_not_read_is_cut_off(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, tables="[limits]\nwrite_seconds = 0.5\n")
    with Peer(alice, daemon.port) as client:
        asked = 0
        with contextlib.suppress(ConnectionError):
            while asked < 100_000:
                client.send(command(b"help"))
                asked += 1
        assert asked < 100_000
    assert daemon.syslog.wait(ev="conn", princ=ADMINS[0])["detail"] == "the client does not read what it is sent"
    resident = Path(f"/proc/{daemon.process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
    assert int(resident) < 128 * 1024
    assert daemon.stop() == 0


def test_an_idle_connection_is_closed(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, tables="[limits]\nidle_seconds = 0.5\n")
    with Peer(alice, daemon.port) as client:
        assert client.closed()
    assert daemon.stop() == 0


def test_a_connection_has_an_age(aged: Daemon, alice: dict[str, str]) -> None:
    began = time.monotonic()
    with Peer(alice, aged.port) as client:
        with contextlib.suppress(EOFError, ConnectionError):
            while time.monotonic() - began < 20:
                client.send(LIST)
                client.receive()
                client.receive()
                time.sleep(0.1)
        assert 2.4 < time.monotonic() - began < 20


def waiting(daemon: Daemon, alice: dict[str, str]) -> Peer:
    """Return a client whose command runs until it is told otherwise."""
    client = Peer(alice, daemon.port)
    client.send(command(b"wait", b"test", b"--for", b"paused"))
    return client


def end_waiting(daemon: Daemon, alice: dict[str, str]) -> None:
    """Let what all those clients wait for happen, and wait until they have been told."""
    daemon.rxm(alice, "pause", "test")
    begun = len(daemon.syslog.audit(ev="begin", verb="wait"))
    wait_for(lambda: len(daemon.syslog.audit(ev="end", verb="wait")) == begun, 20, "the end of all waiting")
    daemon.rxm(alice, "unpause", "test")


def test_too_many_commands_of_one_principal_are_refused_in_words(
    crowded: Daemon, realm: Realm, alice: dict[str, str], mallory: dict[str, str]
) -> None:
    begun = len(crowded.syslog.audit(ev="begin", verb="wait"))
    with waiting(crowded, alice), waiting(crowded, alice):
        wait_for(lambda: len(crowded.syslog.audit(ev="begin", verb="wait")) == begun + 2, 20, "two commands")

        answer = crowded.rxm(alice, "list")

        assert answer.status == 3
        assert "busy" in answer.stderr
        assert crowded.rxm(mallory, "list").status == 5, "others are not concerned"

    # Both clients are gone: their places are free before their commands end.
    wait_for(lambda: crowded.rxm(alice, "list").status == 0, 20, "a free place")
    end_waiting(crowded, alice)


def test_what_a_client_began_is_finished_without_it(crowded: Daemon, alice: dict[str, str]) -> None:
    crowded.syslog.forget()

    for verb in (b"pause", b"unpause"):
        with Peer(alice, crowded.port) as client:
            client.send(command(verb, b"test"))
            begun = client.address

        assert crowded.syslog.wait(ev="end", verb=verb.decode(), peer=begun)["res"] == "ok"


def test_who_waits_and_leaves_keeps_neither_his_place_nor_a_descriptor(crowded: Daemon, alice: dict[str, str]) -> None:
    descriptors = Path(f"/proc/{crowded.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    crowded.syslog.forget()

    for _ in range(8):
        with Peer(alice, crowded.port) as client:
            client.send(command(b"wait", b"--for=crashed", b"test"))
            begun = client.address
        crowded.syslog.wait(ev="end", verb="wait", peer=begun)

    wait_for(lambda: len(list(descriptors.iterdir())) <= before, 20, "the descriptors of those who have left")


def test_garbage_from_many_is_counted_and_not_logged_line_by_line(crowded: Daemon) -> None:
    before = len(crowded.syslog.lines())
    for _ in range(300):
        with connect(crowded, "127.0.0.71") as client, contextlib.suppress(ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.recv(1)

    def told() -> bool:
        return any("more connections failed" in line for line in crowded.syslog.lines()[before:])

    wait_for(told, 20, "a line with their number")
    assert len(crowded.syslog.lines()) - before < 100
