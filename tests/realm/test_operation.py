"""xmand in the hands of a service manager: SIGHUP, the watchdog, an end in which nothing runs."""

import contextlib
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.clients.peer import Peer, command
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for

ADMINS = ("alice@XMAN.TEST",)


@pytest.fixture
def subject(realm: Realm, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of the test's own."""
    started = Daemon(realm, tmp_path / "x", admins=ADMINS)
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.stderr()


def hang_up(daemon: Daemon, said: str) -> None:
    """Send SIGHUP and wait for what the daemon says to it."""
    seen = len(daemon.syslog.lines())
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: any(said in line for line in daemon.syslog.lines()[seen:]), 20, said)


def test_sighup_reads_the_configuration_and_its_drop_ins(subject: Daemon, alice: dict[str, str]) -> None:
    other = subject.directory / "other"
    other.write_text("bob@XMAN.TEST\n")
    other.chmod(0o600)
    directory = subject.config.with_name("xmand.toml.d")
    directory.mkdir()
    (directory / "50-list.toml").write_text(f'k5login = "{other}"\n')

    assert subject.rxm(alice, "list").status == 0
    hang_up(subject, "is read again")
    assert subject.rxm(alice, "list").status == 5

    (directory / "50-list.toml").unlink()
    hang_up(subject, "is read again")
    assert subject.rxm(alice, "list").status == 0


def test_sighup_closes_no_connection(subject: Daemon, alice: dict[str, str]) -> None:
    with Peer(alice, subject.port) as client:
        hang_up(subject, "is read again")
        client.send(command(b"list"))

        assert b"test" in client.receive()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("keytab = 1", "keytab: expected a string"),
        ('keytab = "/nonexistent"', "/nonexistent: "),
        ("x = ", "xmand.toml: "),
        ("[limits]\nworkers = 0", "limits.workers"),
    ],
)
def test_a_bad_configuration_changes_nothing(subject: Daemon, alice: dict[str, str], line: str, words: str) -> None:
    good = subject.config.read_text()
    kept = "\n".join(old for old in good.splitlines() if not line.startswith(old.split(" = ")[0]))
    subject.config.write_text(f'{kept.replace("k5login = ", "# ")}\nk5login = "/nonexistent"\n{line}\n')

    hang_up(subject, words)

    assert any("stays as it was" in line for line in subject.syslog.lines())
    assert subject.rxm(alice, "list").status == 0


def test_what_cannot_change_at_run_time_is_named(subject: Daemon, alice: dict[str, str]) -> None:
    subject.config.write_text(subject.config.read_text().replace("listen = [", 'listen = ["127.0.0.1:1", '))

    hang_up(subject, "listen takes effect when xmand is started again")

    assert subject.rxm(alice, "list").status == 0


def test_many_sighups_under_load(subject: Daemon, alice: dict[str, str]) -> None:
    good = subject.config.read_text()
    with Peer(alice, subject.port) as client:
        for number in range(100):
            subject.config.write_text(good if number % 2 else f"{good}\nlisten = 1\n")
            subject.process.send_signal(signal.SIGHUP)
            client.send(command(b"list"))
            assert b"test" in client.receive()
            client.receive()
    assert subject.rxm(alice, "list").status == 0


class Manager:
    """Stands for the service manager: takes what is told to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(10)

    def next(self) -> str:
        """Return what it is told next."""
        return self._socket.recv(1000).decode()

    def silent_for(self, seconds: float, patience: float = 20.0) -> bool:
        """Wait until nothing has come for `seconds`; whether that happens within `patience`."""
        give_up = time.monotonic() + patience
        self._socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < give_up:
                self.next()
            return False
        return True

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """The service manager."""
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_the_watchdog_is_fed(realm: Realm, tmp_path: Path, manager: Manager) -> None:
    env = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "3000000"}
    daemon = Daemon(realm, tmp_path / "x", env=env)

    assert [manager.next() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    daemon.stop()


def test_a_dead_thread_of_libvirts_starves_the_watchdog(
    realm: Realm, alice: dict[str, str], tmp_path: Path, manager: Manager
) -> None:
    marker = tmp_path / "die"
    env = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "2000000"}
    broken = (sys.executable, "-m", "tests.lab.faults.dead_thread", str(marker))
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS, env=env, prefix=broken)
    assert [manager.next() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]

    marker.touch()

    # What the service manager does: it ends with SIGABRT what is silent for so long, and starts it anew.
    assert manager.silent_for(2.0), "it is fed for ever"
    assert "libvirt's event loop: no progress" in daemon.stderr()
    daemon.process.send_signal(signal.SIGABRT)
    assert daemon.process.wait(10) == -signal.SIGABRT
    daemon.syslog.close()
    marker.unlink()
    again = Daemon(realm, tmp_path / "x", admins=ADMINS, env=env)
    assert again.rxm(alice, "list").status == 0
    assert again.stop() == 0


def test_sigterm_does_not_wait_for_who_only_waits(realm: Realm, alice: dict[str, str], tmp_path: Path) -> None:
    daemon = Daemon(realm, tmp_path / "x", admins=ADMINS)
    with Peer(alice, daemon.port) as client:
        client.send(command(b"wait", b"test", b"--for", b"off"))
        wait_for(lambda: bool(daemon.syslog.audit(ev="begin", verb="wait")), 20, "the command")

        assert daemon.stop() == 0


def test_a_syslog_that_stalls_or_is_gone_holds_nobody_up_and_gets_every_line(
    subject: Daemon, alice: dict[str, str]
) -> None:
    with Peer(alice, subject.port) as client:
        for away in (subject.syslog.stalled, subject.syslog.gone):
            begun = len(subject.syslog.audit(ev="begin"))
            with away():
                for _ in range(40):  # the kernel keeps some ten lines
                    client.send(command(b"list"))
                    assert b"test" in client.receive()
                    client.receive()
            wait_for(lambda begun=begun: len(subject.syslog.audit(ev="end")) == begun + 40, 10, "all lines")  # type: ignore[misc]
    assert not subject.syslog.audit(ev="lost")
