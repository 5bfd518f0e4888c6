"""xmand as a process, with a list, a keytab and a syslog of its own."""

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab import ready
from tests.lab.kerberos.realm import FQDN, Realm
from tests.lab.process import Running, end, fork, start, wait_for
from tests.lab.published import RESULTS

START_SECONDS = 20.0


class SyslogFile:
    """What stands for /dev/log: a datagram socket that keeps the lines it gets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[str] = []
        # Held where nothing shall be read.
        self._reading = threading.Lock()
        self._listen()

    def lines(self) -> list[str]:
        """Return all lines so far, without their headers."""
        return [line.split(": ", 1)[1] for line in self.raw()]

    def raw(self) -> list[str]:
        """Return all lines so far, with their headers."""
        return list(self._lines)

    def forget(self) -> None:
        """Forget all lines so far."""
        self._lines.clear()

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Read nothing meanwhile."""
        with self._reading:
            yield

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        """Be not there meanwhile, and come back with another socket."""
        self.close()
        yield
        self._listen()

    def _listen(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # One may be left by a test that did not come to its end, and is tried once more in the same folder.
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        # A thread, since the kernel's queue takes some ten datagrams only.
        threading.Thread(target=self._read, args=[self._socket], daemon=True).start()

    def _read(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := listening.recv(65_536):
                with self._reading:
                    self._lines.append(data.decode())

    def audit(self, **fields: str) -> list[dict[str, str]]:
        """Return the audit lines that have all of `fields`, as dictionaries."""
        found = [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in self.lines() if line.startswith('ev="')]
        return [line for line in found if fields.items() <= line.items()]

    def wait(self, **fields: str) -> dict[str, str]:
        """Return the last audit line that has all of `fields`, waiting for it."""
        wait_for(lambda: bool(self.audit(**fields)), 20.0, f"an audit line with {fields}")
        return self.audit(**fields)[-1]

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):  # wakes the reader
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Daemon:
    """One xmand. `settings` are lines of xmand.toml added to those that make it the test's own."""

    def __init__(
        self,
        realm: Realm,
        directory: Path,
        *,
        uri: str = "test:///default",
        admins: tuple[str, ...] = (),
        settings: str = "",
        tables: str = "",
        listen: str = "[::]:0",
        prefix: tuple[str, ...] = (),
        keytab: str = "",
        env: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
        host: str = FQDN,
        alone: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        # A process with memory that it shares with no other, for who measures that.
        self._alone = alone
        self.realm = realm
        self.directory = directory
        self.k5login = directory / "k5login"
        self.allow(*admins)
        self.syslog = SyslogFile(directory / "log")
        self.config = directory / "xmand.toml"
        self.config.write_text(
            f'listen = ["{listen}"]\nkeytab = "{keytab or realm.keytab}"\nk5login = "{self.k5login}"\n'
            f'libvirt_uri = "{uri}"\nstate_dir = "{directory / "state"}"\nrun_dir = "{directory / "run"}"\n'
            f'syslog = "{self.syslog.path}"\n'
            f"{settings}\n{tables}\n"
        )
        # What stands before every command: how to get where the daemon is.
        self.prefix = prefix
        self._pass_fds = pass_fds
        # By which name its clients call it.
        self.host = host
        self._env = realm.env | (env or {})
        self._stderr = directory / "stderr"
        self.process = self._start()
        self.port = 0
        wait_for(self._listening, START_SECONDS, "xmand's start")

    def allow(self, *principals: str) -> None:
        """Replace the list, in the way its readers are promised: by renaming."""
        new = self.k5login.with_suffix(".new")
        new.write_text("".join(f"{principal}\n" for principal in principals))
        new.chmod(0o600)
        new.rename(self.k5login)

    def rxm(self, env: dict[str, str], *words: str, host: str = "", stdin: str = "") -> "Answer":
        """Run rxm against this daemon."""
        return run_rxm(env, "-H", host or self.host, "-p", str(self.port), *words, stdin=stdin, prefix=self.prefix)

    def remctl(self, env: dict[str, str], *words: str) -> "Answer":
        """Run Debian's remctl against this daemon."""
        command = ["remctl", "-p", str(self.port), self.host, *words]
        return answer([*self.prefix, *command], env, "")

    def stderr(self) -> str:
        """Return what the daemon wrote to its standard error."""
        return self._stderr.read_text()

    def stop(self) -> int:
        """End it in order; return its exit status."""
        status = end(self.process)
        self.syslog.close()
        return status

    def _start(self) -> Running:
        command = [*self.prefix, "xmand", "--foreground", "--config", str(self.config)]
        with self._stderr.open("wb") as stderr:
            if ready.can(command, self._env) and not self._alone:
                return fork(command, self._env, 1, stderr.fileno(), self._pass_fds)
            return start(command, env=self._env, stdin=subprocess.DEVNULL, stderr=stderr, pass_fds=self._pass_fds)

    def _listening(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"xmand ended with {self.process.returncode}: {self.stderr()}")
        match = re.search(r"listens on \S*:(\d+)", self.stderr())
        if match:
            self.port = int(match[1])
        return match is not None


class Answer:
    """A finished program."""

    def __init__(self, status: int, stdout: str, stderr: str, seconds: float) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.stdout!r}, {self.stderr!r})"

    def json(self) -> dict[str, Any]:
        """Return the one JSON object on standard output."""
        (found,) = self.objects()
        return found

    def objects(self) -> list[dict[str, Any]]:
        """Return the JSON objects on standard output, each checked against the published schema."""
        found = [json.loads(line) for line in self.stdout.splitlines()]
        for result in found:
            RESULTS.validate(result)
        return found


def assert_one_line(answer: Answer, status: int, *words: str) -> None:
    """Assert the exit status, nothing on standard output, and one line for the user with all of `words`."""
    assert answer.status == status, answer
    assert answer.stdout == ""
    assert answer.stderr.startswith("Error: ")
    assert answer.stderr.count("\n") == 1
    for word in words:
        assert word in answer.stderr


def run_rxm(
    env: dict[str, str], *words: str, stdin: str = "", prefix: tuple[str, ...] = (), seconds: float = 300
) -> Answer:
    """Run rxm with `words`."""
    return answer([*prefix, "rxm", *words], env, stdin, seconds)


def answer(command: list[str], env: dict[str, str], stdin: str = "", seconds: float = 300) -> Answer:
    """Run a program to its end, which has to come within `seconds`."""
    started = time.monotonic()
    if ready.can(command, env):
        status, out, err = ready.run(command, env, stdin.encode(), seconds)
        return Answer(status, out.decode(), err.decode(), time.monotonic() - started)
    done = subprocess.run(command, env=env, input=stdin.encode(), capture_output=True, timeout=seconds, check=False)
    stdout, stderr = done.stdout.decode(), done.stderr.decode()
    return Answer(done.returncode, stdout, stderr, time.monotonic() - started)


def xmand(env: dict[str, str], *words: str) -> Answer:
    """Run xmand with `words` to its end."""
    return answer(["xmand", *words], env | {"PYTHONUNBUFFERED": "1"}, "")
