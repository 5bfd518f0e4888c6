"""`make bench-attack`: what an honest client notices of crowds, floods and memory hogs; the daemon has its defaults.

Attackers are processes of their own on addresses of 127/8; the honest client is this process, and opens a connection
for each command, as rxm does. Targets are those of the project's plan, for a quiet machine with two processors.
"""

import argparse
import contextlib
import datetime
import multiprocessing
import os
import platform
import resource
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.lab.clients.peer import Peer, command
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for

_PASSWORD = "for-the-bench"  # of a realm that lives for a minute
_HELLO = b"\x51\x00\x00\x00\x00"
_HALF_TOKEN = b"\x42\x00\x00\xff\xff" + bytes(32 * 1024)
_STATUS = 4
# Below the daemon's cap for each principal.
_CONNECTIONS_EACH = 30

_Row = tuple[str, str, str, str]


class Figures:
    """Seconds of honest commands, and how many failed."""

    def __init__(self, seconds: list[float], failed: int) -> None:
        self._seconds = sorted(seconds) or [float("nan")]
        self._failed = failed

    def part(self, share: float) -> float:
        """Return the milliseconds that `share` of the commands stayed below."""
        return self._seconds[min(len(self._seconds) - 1, int(share * len(self._seconds)))] * 1000

    def __str__(self) -> str:
        tried = len(self._seconds) + self._failed
        share = 100 * len(self._seconds) / tried
        return (
            f"{share:.1f} % of {tried} succeed; p50 {self.part(0.5):.1f} ms, p99 {self.part(0.99):.1f} ms,"
            f" most {self.part(1):.0f} ms"
        )


def one_after_the_other(once: Callable[[], bool], goes_on: Callable[[int], bool]) -> Figures:
    """Do it again and again, as long as it `goes_on` after so many; what returns False or raises has failed."""
    seconds: list[float] = []
    failed = 0
    while goes_on(len(seconds) + failed):
        began = time.monotonic()
        try:
            good = once()
        except Exception:  # closed, refused, late
            good = False
        if good:
            seconds.append(time.monotonic() - began)
        else:
            failed += 1
    return Figures(seconds, failed)


def for_seconds(seconds: float) -> Callable[[int], bool]:
    """Return what goes on for so long."""
    ends = time.monotonic() + seconds
    return lambda _tried: time.monotonic() < ends


class Scene:
    """A daemon, an honest client, and figures."""

    def __init__(self, directory: Path, *, quick: bool) -> None:
        self._realm = Realm(directory)
        self._directory = directory
        self.commands = 200 if quick else 2000
        self.seconds = 5.0 if quick else 60.0
        self.principals = [self._realm.add_principal(f"admin{n}", _PASSWORD) for n in range(8)]
        self.tickets = [self._realm.kinit(f"admin{n}", _PASSWORD, f"admin{n}") for n in range(8)]
        self.daemon = Daemon(self._realm, directory / "xmand", admins=tuple(self.principals))

    def close(self) -> None:
        """End everything."""
        self.daemon.stop()
        self._realm.stop()

    def honest(self, until: Callable[[], bool] | None = None) -> Figures:
        """Give commands, each over a connection of its own: so many, or until something is over."""
        return one_after_the_other(self._ping, lambda tried: not until() if until else tried < self.commands)

    def _ping(self) -> bool:
        with Peer(self.tickets[0], self.daemon.port) as client:
            client.send(command(b"ping"))
            while client.receive()[1] != _STATUS:
                pass
        return True

    def kib(self) -> int:
        """Return the daemon's resident memory."""
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def descriptors(self) -> int:
        """Return how many files the daemon has open."""
        return len(list(Path(f"/proc/{self.daemon.process.pid}/fd").iterdir()))


def _dial(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))


def hold(port: int, sources: list[str], count: int, said: bytes, ready: object, stop: object) -> None:
    """Open `count` connections, say something and no more, and open them again when they are closed."""
    held: list[socket.socket] = []
    for number in range(count):
        with contextlib.suppress(OSError):
            sock = _dial(port, sources[number % len(sources)])
            sock.sendall(said)
            held.append(sock)
    ready.set()  # type: ignore[attr-defined]
    stop.wait()  # type: ignore[attr-defined]


def flood(port: int, source: str, ready: object, stop: object) -> None:
    """Connect, send garbage, and connect again, as fast as it goes."""
    ready.set()  # type: ignore[attr-defined]
    while not stop.is_set():  # type: ignore[attr-defined]
        with contextlib.suppress(OSError), _dial(port, source) as sock:
            sock.sendall(os.urandom(64))
            sock.recv(1)


@contextlib.contextmanager
def _attackers(work: Callable[..., None], arguments: list[tuple[object, ...]]) -> Iterator[None]:
    """Have `work` done by a process for each of `arguments` meanwhile."""
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    ready = [context.Event() for _ in arguments]
    processes = [
        context.Process(target=work, args=(*words, one, stop)) for words, one in zip(arguments, ready, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        for one in ready:
            one.wait()
        yield
    finally:
        stop.set()
        for process in processes:
            process.join()


def sources(count: int) -> list[str]:
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


def measure(scene: Scene) -> list[_Row]:
    """Return a row for each target: what, the goal, the size that was run, what came of it."""
    port = scene.daemon.port
    rows: list[_Row] = []
    scene.honest()
    quiet = scene.honest()
    rows.append(("an empty house", "", f"{scene.commands} commands", str(quiet)))

    empty = scene.kib()
    with contextlib.ExitStack() as held:
        for env in scene.tickets:
            for _ in range(_CONNECTIONS_EACH):
                held.enter_context(Peer(env, port))
        count = len(scene.tickets) * _CONNECTIONS_EACH
        each = (scene.kib() - empty) / count
        rows.append(("L3: memory of an authenticated client", "256 KiB", str(count), f"{each:.1f} KiB"))
        rows.append(("L3: the whole daemon then", "128 MiB", "", f"{scene.kib() / 1024:.0f} MiB"))

    empty = scene.kib()
    with _attackers(hold, [(port, sources(40), 1000, b"")]):
        each = (scene.kib() - empty) / 1000
        rows.append(("L1: 1,000 idle strangers", "p99 below quiet + 5 ms, and 20 ms", "1,000", str(scene.honest())))
    rows.append(("L3: memory of an idle stranger", "16 KiB", "1,000", f"{each:.1f} KiB"))
    wait_for(lambda: scene.descriptors() < 50, 30, "the end of the attack")

    with _attackers(hold, [(port, ["127.0.0.66"], 10_000, b"")]):
        rows.append(("L2: 10,000 strangers of one source", "100 %, p99 50 ms", "10,000", str(scene.honest())))

    empty = scene.kib()
    with _attackers(hold, [(port, sources(40), 500, _HELLO + _HALF_TOKEN)]):
        each = (scene.kib() - empty) / 500
    rows.append(("L3: memory of half a token", "96 KiB", "500 of 32 KiB", f"{each:.1f} KiB"))

    with _attackers(hold, [(port, sources(250), 2000, _HELLO)] * 2):
        rows.append(("L4: strangers in every place", "99.9 %", "4,000 for 1,024", str(scene.honest())))

    lines, most = len(scene.daemon.syslog.lines()), 0
    ends = time.monotonic() + scene.seconds
    with _attackers(flood, [(port, f"127.0.0.{70 + n}") for n in range(4)]):

        def over() -> bool:
            nonlocal most
            most = max(most, scene.descriptors())
            return time.monotonic() > ends

        figures = scene.honest(over)
    strange = [line for line in scene.daemon.syslog.lines()[lines:] if line.startswith('ev="conn"')]
    size = f"4 processes, {scene.seconds:.0f} s"
    rows.append(("L5: garbage", "99.9 %, p99 200 ms, most 5 s", size, str(figures)))
    rows.append(("L5: lines in the log", "10 a second", size, f"{len(strange) / scene.seconds:.1f} a second"))
    rows.append(("L5: descriptors", "cap + 32 (1,312)", size, str(most)))
    return rows


def _circumstances() -> str:
    return (
        f"`make bench-attack`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {os.cpu_count()} processors,"
        f" Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the end. Each command is a"
        " connection of its own with handshake; attackers and client share the machine with the daemon."
    )


def main() -> None:
    """Measure, print, and with --write keep the result."""
    parser = argparse.ArgumentParser(prog="bench.attack")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and shorter")
    parser.add_argument("--write", metavar="FILE", help="keep the table in FILE as well")
    options = parser.parse_args()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="xman-attack") as name:
        scene = Scene(Path(name), quick=options.quick)
        try:
            rows = measure(scene)
        finally:
            scene.close()
    text = "\n".join(
        [
            "# What an honest client notices of an attack",
            "",
            _circumstances(),
            "",
            "| | goal | size run | result |",
            "| --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
        ]
    )
    print(text)
    if options.write:
        Path(options.write).write_text(text)


if __name__ == "__main__":
    main()
