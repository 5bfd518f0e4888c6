"""`make bench-attack`, second table: honest callers beside those who have a ticket.

An earlier release stands beside in the same run with `--beside REVISION`: its tree is unpacked from the history. Each
attack meets a daemon of its own; honest commands are connections of their own, one after the other.
"""

import argparse
import contextlib
import datetime
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import hostile, portal_siege
from bench.attack import Figures, flood, for_seconds, hold, one_after_the_other, sources
from bench.meanwhile import PASSWORD, attackers, loop_seconds
from tests.lab.clients.peer import Peer, command
from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm
from tests.lab.process import ROOT

NOOPS, BUSY = "NOOPs of the unlisted", "as many programs that compute, and never come near"
# Of attackers, as a rule: the processors are shared with them, as other machines' are not.
_LOWEST_PRIORITY = 19
_STATUS, _ERROR = 4, 5
_OF_A_KIND = 8
# What an administrator did before an attack that writes into the journal, and its reason.
_CHANGES, _REASON = 50, b"an-administrators-own"
_JOURNAL = "[journal]\nsize_mib = 4\n"
_ALONE = 'methods = ["k5login", "principals"]\n'
_SLOW = "#!/bin/sh\nsleep 1\nexit 1\n"
# What makes the list hang: the file is there, on what is no file system of this machine's own, and whoever looks at it
# waits.
_HANGS = """
import os, pathlib, time
_flag = os.environ.get("BENCH_HANGS", "")
def _slow(call):
    def wrapped(path, *more, **options):
        if isinstance(path, (str, os.PathLike)) and str(path).endswith("k5login") and os.access(_flag, os.F_OK):
            time.sleep(5)
        return call(path, *more, **options)
    return wrapped
_read_text = pathlib.Path.read_text
def _read(self, *more, **options):
    return "" if str(self) == "/proc/self/mountinfo" else _read_text(self, *more, **options)
if _flag:
    pathlib.Path.read_text = _read
    os.open, os.stat, os.lstat = _slow(os.open), _slow(os.stat), _slow(os.lstat)
"""


@dataclass(frozen=True)
class Attack:
    """One row: who does what, and who is honest meanwhile."""

    name: str
    work: Callable[..., None]
    # By which of the principals; none: strangers without a ticket.
    who: str = ""
    processes: int = _OF_A_KIND
    slow: bool = False
    hangs: bool = False
    # The honest one is on the list, or is granted by a table what the list has nothing to say about.
    honest: str = "admin0"
    verb: bytes = b"ping"
    arguments: tuple[object, ...] = ()
    # Whether the release is measured beside it, where one is.
    beside: bool = True
    # Whether it is looked what becomes of an administrator's history.
    history: bool = False


ATTACKS = (
    Attack("1,000 idle strangers", hold, processes=1, arguments=(sources(40), 1000, b""), beside=False),
    Attack("garbage", flood, processes=4, beside=False),
    Attack(NOOPS, hostile.noops, "eve"),
    # For comparison: as many programs that take the processors as the NOOPs' do.
    Attack(BUSY, hostile.computes, "eve", beside=False),
    Attack("denials of 1 MiB", hostile.denials, "eve"),
    Attack("reasons of 1 MiB", hostile.reasons, "stop", 4, history=True),
    Attack("waiting principals", hostile.waits, "show"),
    Attack("a slow external", hostile.asks, "eve", 5, slow=True, beside=False),
    # For comparison: nobody attacks, and the same is asked by the same caller.
    Attack("an empty house, asked for a list", hostile.asks, "eve", 0, honest="show9", verb=b"list", beside=False),
    Attack("a hung list", hostile.asks, "eve", 2, hangs=True, honest="show9", verb=b"list"),
)


@dataclass
class Watched:
    """What the daemon came to meanwhile."""

    kib: int = 0
    journal: int = 0
    loop: float = 0.0
    # How long the loop was ready, and had no processor.
    waited: float = 0.0
    seconds: float = field(default=1.0)
    # Of how many changes of an administrator's the log still tells.
    kept: int | None = None

    def __str__(self) -> str:
        history = "" if self.kept is None else f", {self.kept} of an administrator's {_CHANGES} changes in the log"
        return (
            f"xmand {self.kib / 1024:.0f} MiB, journal {self.journal / 1048576:.1f} MiB,"
            f" loop {100 * self.loop / self.seconds:.0f} % of a processor,"
            f" {100 * self.waited / self.seconds:.0f} % waiting for one{history}"
        )


class Siege:
    """A realm, and a tree whose daemon is attacked; `tree` is empty for this one."""

    def __init__(
        self, realm: Realm, directory: Path, tickets: dict[str, dict[str, str]], seconds: float, nice: int
    ) -> None:
        self.realm, self.directory, self.tickets, self.seconds = realm, directory, tickets, seconds
        # How much less than the daemon attackers are given of the processors.
        self.nice = nice

    def daemon(self, attack: Attack | None, tree: Path | None) -> Daemon:
        """Start a daemon as the attack needs it."""
        directory = Path(tempfile.mkdtemp(dir=self.directory))
        methods = _ALONE
        if attack is not None and attack.slow:
            program = directory / "slow"
            program.write_text(_SLOW)
            program.chmod(0o755)
            methods = f'methods = ["k5login", "principals", "external"]\nexternal = ["{program}"]\n'
        granted = [f'"show{n}@XMAN.TEST" = ["show"]\n' for n in range(9)]
        # Also the portal's collector.
        granted += ['"show9@XMAN.TEST" = ["show", "host", "state"]\n']
        granted += [f'"stop{n}@XMAN.TEST" = ["shutdown"]\n' for n in range(_OF_A_KIND)]
        (directory / "sitecustomize.py").write_text(_HANGS)
        path = [str(directory), str((tree or ROOT) / "common"), str(tree or ROOT)]
        env = {
            "PYTHONPATH": ":".join(path),
            "BENCH_HANGS": str(directory / "hangs") if attack is not None and attack.hangs else "",
        }
        if tree is not None:
            program = directory / "bin" / "xmand"
            program.parent.mkdir()
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m xmand "$@"\n')
            program.chmod(0o755)
            env["PATH"] = f"{program.parent}:{self.realm.env.get('PATH', os.environ['PATH'])}"
        tables = f"{_JOURNAL}[authorize]\n{methods}[authorize.principals]\n{''.join(granted)}"
        prefix = ("env", f"PATH={env['PATH']}") if tree is not None else ()
        admins = tuple(f"admin{n}@XMAN.TEST" for n in range(2))
        return Daemon(self.realm, directory / "xmand", admins=admins, tables=tables, env=env, prefix=prefix)

    def row(self, attack: Attack | None, tree: Path | None) -> tuple[Figures, Watched]:
        """Attack a new daemon; None: an empty house."""
        daemon = self.daemon(attack, tree)
        try:
            honest = attack or Attack("", hold)
            self._ask(daemon, honest, 1.0)
            if honest.history:
                self._make_history(daemon)
            arguments = self._arguments(daemon, attack) if attack else []
            with attackers(attack.work if attack else hold, arguments, self.nice):
                if attack is not None and attack.hangs:
                    (daemon.directory.parent / "hangs").touch()
                    daemon.allow("admin0@XMAN.TEST")
                time.sleep(1.0 if attack else 0.0)
                figures, watched = self._watched(daemon, honest)
            if honest.history:
                watched.kept = self._history(daemon)
            return figures, watched
        finally:
            with contextlib.suppress(Exception):
                daemon.process.kill()
            daemon.stop()

    def _make_history(self, daemon: Daemon) -> None:
        """Let an administrator change something, or try to: each is a line of the log."""
        with Peer(self.tickets["admin1"], daemon.port) as client:
            for _ in range(_CHANGES):
                client.send(command(b"shutdown", b"--reason=" + _REASON, b"nosuch"))
                while client.receive()[1] not in (_STATUS, _ERROR):
                    pass

    def _history(self, daemon: Daemon) -> int:
        """Return how many of these the log still has."""
        found = bytearray()
        with Peer(self.tickets["admin0"], daemon.port) as client:
            client.send(command(b"log", b"--principal=admin1@XMAN.TEST"))
            while (reply := client.receive())[1] not in (_STATUS, _ERROR):
                found += reply
        return found.count(_REASON)

    def _arguments(self, daemon: Daemon, attack: Attack) -> list[tuple[object, ...]]:
        if attack.who:
            return [(self.tickets[f"{attack.who}{n}"], daemon.port) for n in range(attack.processes)]
        if attack.work is flood:
            return [(daemon.port, f"127.0.0.{70 + n}") for n in range(attack.processes)]
        return [(daemon.port, *attack.arguments) for _ in range(attack.processes)]

    def _watched(self, daemon: Daemon, attack: Attack) -> tuple[Figures, Watched]:
        watched, over = Watched(), threading.Event()

        def look() -> None:
            while not over.wait(0.1):
                with contextlib.suppress(OSError, IndexError):
                    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
                    watched.kib = max(watched.kib, int(status.split("VmRSS:")[1].split()[0]))
                    sizes = [path.stat().st_size for path in (daemon.directory / "state").glob("journal.db*")]
                    watched.journal = max(watched.journal, sum(sizes))

        looking = threading.Thread(target=look)
        looking.start()
        began, spent, waited = time.monotonic(), *loop_seconds(daemon.process.pid)
        try:
            figures = self._ask(daemon, attack, self.seconds)
        finally:
            over.set()
            looking.join()
        watched.seconds = time.monotonic() - began
        used, ready = loop_seconds(daemon.process.pid)
        watched.loop, watched.waited = used - spent, ready - waited
        return figures, watched

    def _ask(self, daemon: Daemon, attack: Attack, seconds: float) -> Figures:
        """Give honest commands for so long."""

        def once() -> bool:
            with Peer(self.tickets[attack.honest], daemon.port) as client:
                client.send(command(attack.verb))
                kind = 0
                while kind not in (_STATUS, _ERROR):
                    reply = client.receive()
                    kind = reply[1]
            return bool(kind == _STATUS and reply[2] == 0)

        return one_after_the_other(once, for_seconds(seconds))


def _tree(revision: str, directory: Path) -> Path:
    """Unpack a revision of our own history."""
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    directory.mkdir()
    subprocess.run(["tar", "-x", "-C", str(directory)], input=packed, check=True)
    return directory


def measure(siege: Siege, beside: Path | None) -> list[str]:
    """Return the lines of the table, printing each as it comes."""
    lines: list[str] = []
    found: dict[tuple[str, bool], Figures] = {}
    for attack in (None, *ATTACKS):
        for tree in (None, *([beside] if beside and (attack is None or attack.beside) else [])):
            figures, watched = siege.row(attack, tree)
            name = attack.name if attack else "an empty house"
            found[name, tree is None] = figures
            lines.append(f"| {name} | {'release' if tree else 'this tree'} | {figures} | {watched} |")
            print(lines[-1], flush=True)
    ratio = [found[NOOPS, True].part(share) / found[BUSY, True].part(share) for share in (0.5, 0.99)]
    said = f"p50 {ratio[0]:.1f} times as long, p99 {ratio[1]:.1f} times as long"
    lines.append(f"| NOOPs beside as many busy programs that send nothing | this tree | {said} | |")
    print(lines[-1], flush=True)
    for name, result, loop in portal_siege.rows(
        siege.realm, siege.directory, siege.daemon(None, None), siege.seconds, siege.nice
    ):
        lines.append(f"| {name} | this tree | {result} | {loop} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, print, and with --append add the table to a file."""
    parser = argparse.ArgumentParser(prog="bench.besieged")
    parser.add_argument("--quick", action="store_true", help="shorter")
    parser.add_argument("--nice", type=int, default=_LOWEST_PRIORITY, help="attackers' (19)")
    parser.add_argument("--beside", metavar="REVISION", help="the release that is measured in the same run")
    parser.add_argument("--append", metavar="FILE", help="add the table to FILE as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xman-siege") as name:
        directory = Path(name)
        (directory / "realm").mkdir()
        realm = Realm(directory / "realm")
        try:
            names = [f"{kind}{n}" for kind in ("admin", "eve", "stop", "show") for n in range(10)]
            for one in names:
                realm.add_principal(one, PASSWORD)
            tickets = {one: realm.kinit(one, PASSWORD, one) for one in names}
            siege = Siege(realm, directory, tickets, 5.0 if options.quick else 10.0, options.nice)
            beside = _tree(options.beside, directory / "beside") if options.beside else None
            lines = measure(siege, beside)
        finally:
            realm.stop()
    text = "\n".join(
        [
            "",
            "## Beside those who have a ticket, and at the portal",
            "",
            (
                f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {os.cpu_count()} processors, Python"
                f" {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the end; {siege.seconds:.0f} s each,"
                " the journal's cap 4 MiB. Attackers, honest caller and daemon share the processors, attackers with"
                f" nice {siege.nice}."
            ),
            "",
            "| attack | xmand | honest commands | the daemon |",
            "| --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )
    if options.append:
        with Path(options.append).open("a") as file:
            file.write(text)


if __name__ == "__main__":
    main()
