"""Starting rxm: the one module of the portal that starts programs. Fixed words, no shell."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from rxmweb.settings import Settings

# Of the portal's own environment, what a child needs; above all nothing that would give it another identity.
_KEPT = ("PATH", "KRB5_CONFIG", "KRB5RCACHENAME", "LD_PRELOAD", "NSS_WRAPPER_HOSTS", "TZ")
_PERSON, _EVERYWHERE, _COLLECTOR, _OWN = "rxm.toml", "everywhere.toml", "collector.toml", "own.toml"
# How long a child that was asked to end may take.
_END_SECONDS = 5.0
# Of a pipe at once: what Linux lets one hold.
_PIECE = 65536


class Rxm:
    """How rxm is started: with a configuration of the portal's own, so that nobody else's decides for whom it acts."""

    def __init__(self, settings: Settings) -> None:
        self._collector = settings.collector
        self._hosts = settings.shown_names
        self.directory = Path(settings.run_dir)
        self._common = f"port = {settings.port}\nservice = {json.dumps(settings.host_service)}\n"

    def prepare(self) -> None:
        """Make the private directory, and in it the configuration with which people are served. Raises OSError."""
        private_directory(self.directory)
        self._write(_PERSON, self._common)
        self._write(_EVERYWHERE, self._common + _named(self._hosts()))
        self._write(_OWN, self._common + self._identity())

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command line for a person's words."""
        return self._command(_PERSON, words)

    def everywhere_command(self, words: Sequence[str]) -> list[str]:
        """Return the command line for a person's words to all configured hosts."""
        return self._command(_EVERYWHERE, words)

    def collector_command(self, hosts: Sequence[str], words: Sequence[str]) -> list[str]:
        """Return the command line for the collector's words to `hosts`. Raises OSError.

        The hosts stand in its configuration: Linux takes no word longer than 128 KiB, some four thousand names.
        """
        self._write(_COLLECTOR, f"{self._common}{self._identity()}{_named(hosts)}")
        return self._command(_COLLECTOR, words)

    def own_command(self, words: Sequence[str]) -> list[str]:
        """Return the command line for the portal's own words, as the collector: for who has no ticket to act with."""
        return self._command(_OWN, words)

    def _identity(self) -> str:
        keytab, principal = self._collector.client_keytab, self._collector.principal
        return f"client_keytab = {json.dumps(keytab)}\nprincipal = {json.dumps(principal)}\n"

    def _write(self, name: str, text: str) -> None:
        new = self.directory / f"{name}.{os.getpid()}"
        new.write_text(text)
        new.replace(self.directory / name)

    def _command(self, configuration: str, words: Sequence[str]) -> list[str]:
        return [_program(), "--config", str(self.directory / configuration), "--json", *words]

    def as_collector(self) -> dict[str, str]:
        """Return the environment that is the collector's: without a keytab, the portal's own tickets."""
        env = _environment()
        if not self._collector.client_keytab and "KRB5CCNAME" in os.environ:
            env["KRB5CCNAME"] = os.environ["KRB5CCNAME"]
        return env

    def as_person(self, cache: Path) -> dict[str, str]:
        """Return the environment of the person whose tickets are in the file `cache`, and nobody else's."""
        own = {"KRB5CCNAME": f"FILE:{cache}", "KRB5_CLIENT_KTNAME": "FILE:/nonexistent/keytab", "RXM_PROGRESS": "yes"}
        return _environment() | own


def with_files(words: Sequence[str], texts: Mapping[str, str], directory: Path, prefix: str = "") -> list[str]:
    """Write texts into a directory, for the options of these keys; return the words with them. Raises OSError."""
    options = []
    for key, text in texts.items():
        path = directory / f"{prefix}{key}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(text.encode())
        options.append(f"--{key}={path}")
    end = words.index("--") if options else 0
    return [*words[:end], *options, *words[end:]]


def _named(hosts: Sequence[str]) -> str:
    named = "".join(f"  {json.dumps(host)},\n" for host in hosts)
    return f"hosts = [\n{named}]\n"


def start(
    command: Sequence[str],
    env: dict[str, str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, so that no signal meant for the portal ends it. Raises OSError."""
    return subprocess.Popen(  # noqa: S603  # fixed words
        list(command), env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True, cwd="/"
    )


def run(command: Sequence[str], env: dict[str, str], stdin: bytes, seconds: float) -> tuple[bytes, bytes]:
    """Run a program to its end; return what it wrote on both streams. Raises TimeoutError and OSError."""
    process = start(command, env, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        return process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    finally:
        end(process)


def batches(stream: IO[bytes], most: int, seconds: float) -> Iterator[list[bytes]]:
    """Yield the lines of a pipe, about `most` together, and none later than `seconds` after it was written."""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    batch: list[bytes] = []
    begun = b""
    until = 0.0
    while True:
        left = max(0.0, until - time.monotonic()) if batch else None
        if poll.poll(None if left is None else 1000 * left):
            data = os.read(stream.fileno(), _PIECE)
            if not data:
                break
            *lines, begun = (begun + data).split(b"\n")
            if not batch:
                until = time.monotonic() + seconds
            batch += lines
        if batch and (len(batch) >= most or time.monotonic() >= until):
            yield batch
            batch = []
    batch += [begun] if begun else []
    if batch:
        yield batch


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a program that still runs, and be done with it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def begun(pid: int) -> int | None:
    """Return when a process began, in the kernel's ticks (proc(5), field 22); None where it is none any more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def private_directory(path: Path) -> Path:
    """Make a directory that only its owner can look into. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"} | kept


def _program() -> str:
    """Return the rxm that was installed with this portal."""
    beside = Path(sys.executable).parent / "rxm"
    return str(beside) if beside.exists() else shutil.which("rxm") or "rxm"
