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

ROOT = Path(__file__).resolve().parents[2]
# Debian keeps daemons where an ordinary user's PATH does not look.
PATH = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
# Below the ephemeral range (32768 up), from which any client may be given a port at any time.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
# By `start`; those of a module's or the session's fixtures are the first.
_started: list["subprocess.Popen[bytes]"] = []


def free_ports(count: int) -> int:
    """Return the first of `count` neighbouring TCP and UDP ports that nobody uses.

    Starts at a place of its own for every process, so that runs side by side do not meet.
    """
    span = _LAST_PORT - _FIRST_PORT
    for attempt in range(200):
        first = _FIRST_PORT + (os.getpid() * 97 + attempt * 53 + time.monotonic_ns() // 1000) % (span - count)
        if all(_free(first + n) for n in range(count)):
            return first
    raise RuntimeError("no free ports")


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("", port))
            except OSError:
                return False
    return True


def wait_for(condition: Callable[[], bool], seconds: float, what: str, interval: float = 0.02) -> None:
    """Wait until `condition` holds, looking every `interval` seconds. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds:.0f} s")
        time.sleep(interval)


def end(process: "subprocess.Popen[bytes]", seconds: float = 10.0) -> int:
    """End a process that we started, at first with SIGTERM; return its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def start(command: list[str], **how: Any) -> "subprocess.Popen[bytes]":
    """Start a program, told `how` as subprocess.Popen is; it is ended with the test that it was started for."""
    process = subprocess.Popen(command, **how)
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
