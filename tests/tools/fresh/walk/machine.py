"""Machines in a fresh Debian, with files, a name, an address and processes of their own, and a person at each.

Python's own library alone: nothing is installed there yet.
"""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
_NETWORK, _GATEWAY = "10.0.2", "10.0.2.2"  # slirp4netns' own
_PASSWORD_ASKED = re.compile(rb"assword[^\n]*: ?$")
_UP_SECONDS = 60.0
_BLOCK_SECONDS = 900.0


class FailedError(Exception):
    """A block did not do what it says."""


class Machine:
    """One machine. Without an `address` it is the fresh Debian itself, on which the others stand."""

    def __init__(self, name: str, address: int = 0) -> None:
        self.name = name
        self._prefix: list[str] = []
        if address:
            self._start(address)

    def _start(self, address: int) -> None:
        holder = subprocess.Popen([str(HERE / "machine.sh"), self.name], stdin=subprocess.DEVNULL)
        _wait(Path(f"/srv/walk/{self.name}/up").exists, f"{self.name}'s namespaces")
        pid = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text())
        go = Path(f"/proc/{pid}/root/.go")
        _wait(go.is_fifo, f"{self.name}'s root")
        Path(f"/proc/{pid}/root/.up").read_text()
        _must("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _must("ip", "link", "set", self.name, "master", "bridge", "up")
        for words in (
            "link set lo up",
            "link set eth0 up",
            f"address add {_NETWORK}.{address}/24 dev eth0",
            f"route add default via {_GATEWAY}",
        ):
            _must("nsenter", f"--target={pid}", "--net", "ip", *words.split())
        go.write_text("go\n")
        spaces = ("mount", "uts", "ipc", "net", "pid", "cgroup")
        self._prefix = ["nsenter", f"--target={pid}", *(f"--{space}" for space in spaces), f"--root=/proc/{pid}/root"]
        _must(*self._prefix, "install", "-m", "755", str(HERE / "systemctl"), "/usr/local/sbin/systemctl")

    def types(self, script: str, *, user: str = "root", answers: tuple[str, ...] = ()) -> str:
        """Type a script, as `user`, in the clone of this tree, and `answers` where passwords are asked for.

        Return what was said. Raises FailedError with it where a command fails.
        """
        words = [*self._prefix]
        if user != "root":
            words += ["runuser", "-u", user, "--", "env", f"HOME=/home/{user}", f"USER={user}"]
        terminal, end = os.openpty()
        process = subprocess.Popen(
            [*words, "bash", "-e", "-o", "pipefail", "-c", f"cd /home/dev/xman; {script}"],
            env=dict(os.environ) | {"TERM": "dumb", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        os.close(end)
        said, status = _conversation(process, terminal, list(answers))
        if status:
            raise FailedError(f"exit status {status}\n{said}")
        return said


def connect() -> None:
    """Make the network that all machines share, with the way out that the fresh Debian has."""
    _must("ip", "link", "add", "bridge", "type", "bridge")
    _must("ip", "link", "set", "bridge", "up")
    _must("ip", "address", "flush", "dev", "tap0")
    _must("ip", "link", "set", "tap0", "master", "bridge")
    _must("ip", "address", "add", f"{_NETWORK}.100/24", "dev", "bridge")
    _must("ip", "route", "add", "default", "via", _GATEWAY)


def _conversation(process: "subprocess.Popen[bytes]", terminal: int, answers: list[str]) -> tuple[str, int]:
    said, asked = b"", 0
    ends = time.monotonic() + _BLOCK_SECONDS
    while time.monotonic() < ends:
        if not select.select([terminal], [], [], 1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            said += os.read(terminal, 65536)
        except OSError:  # nobody holds its other end any more
            break
        if answers and _PASSWORD_ASKED.search(said[asked:]):
            asked = len(said)
            os.write(terminal, f"{answers.pop(0)}\n".encode())
    os.close(terminal)
    try:
        status = process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    return said.decode(errors="replace").replace("\r\n", "\n"), status


def _must(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"walk: {' '.join(words)}: {done.stderr}")


def _wait(condition, what: str) -> None:  # type: ignore[no-untyped-def]
    ends = time.monotonic() + _UP_SECONDS
    while not condition():
        if time.monotonic() > ends:
            sys.exit(f"walk: {what} did not come up")
        time.sleep(0.05)
