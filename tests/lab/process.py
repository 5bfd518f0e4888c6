"""Programs that a test starts and is sure to end."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.lab import ready

ROOT = Path(__file__).resolve().parents[2]
# Debian keeps daemons where an ordinary user's PATH does not look.
Running = subprocess.Popen[bytes] | ready.Process
PATH = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# Below the ephemeral range (32768 up), from which any client may be given a port at any time.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
# By `start`; those of a module's or the session's fixtures are the first.
_started: list[Running] = []
# What holds this process's ports against others of ours, from when they are found free until they are used, and later.
_reserved: list[socket.socket] = []
_BLOCK = 10
_MOST_SLOWNESS = 8.0
_MOST_REST = 0.25


def free_ports(count: int) -> int:
    """Return the first of `count` neighbouring TCP and UDP ports that nobody uses, nor another of our runs will."""
    blocks = (count + _BLOCK - 1) // _BLOCK
    room = (_LAST_PORT - _FIRST_PORT) // _BLOCK - blocks
    for attempt in range(room):
        block = (os.getpid() * 97 + time.monotonic_ns() // 1000 + attempt) % room
        first = _FIRST_PORT + block * _BLOCK
        if _reserve(range(block, block + blocks)) and all(_free(first + n) for n in range(count)):
            return first
    raise RuntimeError("no free ports")


def _reserve(blocks: range) -> bool:
    """Say whether these blocks of ports are ours: each is a name that the kernel gives to one process at a time."""
    mine = []
    for block in blocks:
        name = socket.socket(socket.AF_UNIX)
        mine.append(name)
        try:
            name.bind(f"\0xman-test-ports-{block}")
        except OSError:
            for taken in mine:
                taken.close()
            return False
    _reserved.extend(mine)
    return True


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("", port))
            except OSError:
                return False
    return True


def need(*files: Path) -> None:
    """Raise RuntimeError where one of these is missing that tests/tools/setup.sh brings.

    A test is skipped for what a machine does not let it do, never for what was not installed.
    """
    for file in files:
        if not file.exists():
            raise RuntimeError(f"{file} is missing: `tests/tools/setup.sh test` has not been run, or forgets it")


def wait_for(condition: Callable[[], bool], seconds: float, what: str, interval: float = 0.02) -> None:
    """Wait until `condition` holds, looking every `interval` seconds. Raises TimeoutError naming `what`.

    On a machine that has more to do than processors `seconds` are longer, by as much as everything there is slower. One
    that starts a program to look rests as long as that took: what is waited for needs the processors as well.
    """
    began = looked = time.monotonic()
    while not condition():
        now = time.monotonic()
        waited = now - began
        if waited > seconds and waited > seconds * slowness():
            raise TimeoutError(f"{what} did not happen in {waited:.0f} s")
        time.sleep(max(interval, min(now - looked, _MOST_REST)))
        looked = time.monotonic()


def slowness() -> float:
    """Return how many processes want each processor of this machine, between one and what is no longer patience."""
    return min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), _MOST_SLOWNESS)


def end(process: Running, seconds: float = 10.0) -> int:
    """End a process that we started, at first with SIGTERM; return its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def start(command: list[str], **how: Any) -> "subprocess.Popen[bytes]":
    """Start a program, told `how` as subprocess.Popen is; it is ended with the test that it was started for."""
    process = subprocess.Popen(command, **how)
    _started.append(process)
    return process


def fork(
    command: list[str], env: dict[str, str], stdout: int, stderr: int, pass_fds: tuple[int, ...] = ()
) -> ready.Process:
    """Start a program that stands ready (`ready.can`), with nothing to read; it is ended likewise."""
    with Path(os.devnull).open("rb") as nothing:
        process = ready.start(command, env, nothing.fileno(), stdout, stderr, pass_fds)
    _started.append(process)
    return process


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Leave nothing of what is started in the block, however it ends: a second try of a test meets no first one."""
    before = len(_started)
    try:
        yield
    finally:
        for process in reversed(_started[before:]):
            with process:
                end(process)
        del _started[before:]


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Leave what is started in the block to whoever starts it: a session's server may be asked for first by a test."""
    before = len(_started)
    yield
    del _started[before:]


@contextlib.contextmanager
def ending_if_it_fails() -> Iterator[None]:
    """Leave nothing of what is started in the block where that fails: its ports would stay taken."""
    before = len(_started)
    try:
        yield
    except BaseException:
        for process in reversed(_started[before:]):
            with process:
                end(process)
        del _started[before:]
        raise


def children_of(pid: int) -> list[int]:
    """Return the processes that a process of one thread has started and that live."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def mount_namespace(pid: int) -> str:
    """Return which mount namespace a process lives in. Raises OSError where it lives no more."""
    return str(Path(f"/proc/{pid}/ns/mnt").readlink())


def in_namespace(namespace: str) -> list[int]:
    """Return the processes that live in a mount namespace, whoever started them and whose children they are by now."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone, or not ours
            if mount_namespace(int(entry.name)) == namespace:
                found.append(int(entry.name))
    return found
