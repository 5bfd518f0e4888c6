"""The realm and the hosts of the demonstration, and how a command is shown there."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import Realm, without_wrapper

PASSWORD = "correct-horse"
# How long a table stands before it changes, where somebody watches.
_SECONDS = 0.7


def say(text: str) -> None:
    """Tell the audience what comes next."""
    print(f"\n--- {text}", flush=True)


def bold(text: str) -> str:
    """Return text as a terminal shows it in bold."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


class Stage:
    """Where the demonstration happens. `prefix` is what stands before every command of a user."""

    def __init__(self, realm: Realm, daemons: list[Daemon], prefix: tuple[str, ...], port: int) -> None:
        self.realm = realm
        self.port = port
        self.prefix = prefix
        self.hosts = [daemon.host for daemon in daemons]
        self.home = realm.directory / "home"
        configuration = self.home / ".config" / "xman" / "rxm.toml"
        configuration.parent.mkdir(parents=True)
        names = ", ".join(f'"{host}"' for host in self.hosts)
        configuration.write_text(f"hosts = [{names}]\nport = {port}\n")
        env = without_wrapper(realm.env) if prefix else realm.env
        self.env = env | {"HOME": str(self.home), "TERM": os.environ.get("TERM", "dumb")}
        self.use("alice")
        for name in ("alice", "mallory"):
            realm.add_principal(name, PASSWORD)

    def use(self, cache: str) -> None:
        """Use the ticket cache of that name from now on."""
        self.env |= {"KRB5CCNAME": self.realm.cache(cache)["KRB5CCNAME"]}

    def ticket(self, who: str, cache: str, *options: str) -> None:
        """Get a ticket into the cache of that name, without a word."""
        self.realm.kinit(who, PASSWORD, cache, *options)

    def show(self, command: str, *, expect: int = 0, stdin: str = "", shown: str = "") -> None:
        """Run a command as a user would have typed it, show it and its output, and judge its exit status."""
        print(f"\n{bold(f'$ {shown or command}')}", flush=True)
        status, output = self._run(command, stdin)
        sys.stdout.write(output)
        if expect:
            print(f"[exit status {status}]", flush=True)
        if status != expect:
            sys.exit(f"demo: expected exit status {expect}, not {status}")

    def watch(self, command: str, changes: list[tuple[str, str]]) -> None:
        """Show what a command tells while others change it: each change is (who, command)."""
        print(f"\n{bold(f'$ watch {command}')}", flush=True)
        height = self._frame(command, 0, "")
        for who, change in changes:
            if sys.stdout.isatty():
                time.sleep(_SECONDS)
            status, output = self._run(change, "")
            if status:
                sys.exit(f"demo: {change}: {output}")
            height = self._frame(command, height, f"{who}: {bold(f'$ {change}')}")
        if sys.stdout.isatty():
            time.sleep(_SECONDS)

    def kinit(self, who: str, *options: str) -> None:
        """Show the user getting a ticket."""
        self.use(who)
        words = " ".join(["kinit", *options, who])
        self.show(f"{words} >/dev/null", stdin=f"{PASSWORD}\n", shown=f"{words}        # password: {PASSWORD}")

    def _frame(self, command: str, height: int, change: str) -> int:
        """Show a table, on a terminal over the one before it, which was `height` lines high; return its own height."""
        status, output = self._run(command, "")
        if status:
            sys.exit(f"demo: {command}: {output}")
        text = f"{change}\n{output}" if change else output
        if height and sys.stdout.isatty():
            sys.stdout.write(f"\033[{height}A\033[J")
        elif height:
            sys.stdout.write("\n")
        sys.stdout.write(text)
        sys.stdout.flush()
        columns = os.get_terminal_size().columns if sys.stdout.isatty() else len(text)
        plain = text.replace("\033[1m", "").replace("\033[0m", "")
        return sum(max(1, -(-len(line) // max(columns, 1))) for line in plain.splitlines())

    def _run(self, command: str, stdin: str) -> tuple[int, str]:
        done = subprocess.run(
            # Entering a mount namespace leads to its root.
            [*self.prefix, "bash", "-o", "pipefail", "-c", f'cd "$HOME" && {command}'],
            env=self.env,
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, done.stdout.decode()


def console(directory: Path, name: str) -> Path:
    """Return the file into which a guest's console goes."""
    return directory / f"{name}.console"
