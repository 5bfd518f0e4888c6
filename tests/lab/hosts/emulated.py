"""A machine that QEMU emulates from an image, and what is run in it by ssh."""

import abc
import subprocess
from pathlib import Path

from tests.lab.hosts.daemon import Answer, answer
from tests.lab.process import PATH, end, wait_for

BOOT_SECONDS = 900.0
_INTERVAL = 1.0


class Emulated(abc.ABC):
    """One machine. Whoever is one says how QEMU is called (`command`), and when it has booted (`answers`).

    `image` has a disk, disk.img, and the key that logs in, id; `port` is where its sshd is found.
    """

    def __init__(self, directory: Path, name: str, image: Path, port: int) -> None:
        self.directory = directory
        self.name = name
        directory.mkdir(parents=True)
        key = directory / "id"
        key.write_bytes((image / "id").read_bytes())
        key.chmod(0o600)
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "BatchMode=yes",
            "ConnectTimeout=60",
        )
        self._ssh = ["ssh", "-i", str(key), "-p", str(port), *(f"-o{option}" for option in options)]
        self._ssh += ["-S", str(directory / "ssh"), "root@127.0.0.1"]
        # One connection for all that is run there: an emulated machine takes a second to agree on its keys.
        self._connection: subprocess.Popen[bytes] | None = None
        self.disk = str(directory / "disk.qcow2")
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image / "disk.img"), self.disk],
            check=True,
        )
        self._qemu: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return QEMU's command line."""

    @abc.abstractmethod
    def answers(self) -> bool:
        """Return whether it has booted."""

    def start(self) -> None:
        """Switch it on."""
        with (self.directory / "qemu.log").open("wb") as log:
            self._qemu = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stderr=log)

    def wait_until_up(self) -> None:
        """Wait until it has booted."""
        wait_for(self._up, BOOT_SECONDS, f"{self.name}'s boot (see {self.directory}/serial.log)", _INTERVAL)
        self._connection = subprocess.Popen([*self._ssh, "-MN"], stdin=subprocess.DEVNULL)

    def run(self, *words: str, stdin: str = "") -> Answer:
        """Run a command line in it, as root."""
        return answer([*self._ssh, *words], {"PATH": PATH}, stdin, BOOT_SECONDS)

    def must(self, *words: str, stdin: str = "") -> str:
        """Run a command line in it that has to succeed; return what it printed."""
        done = self.run(*words, stdin=stdin)
        assert done.status == 0, (words, done)
        return done.stdout

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file in it."""
        self.must(f"mkdir -p $(dirname {path}) && cat >{path} && chmod {mode:o} {path}", stdin=text)

    def put_octets(self, command: str, data: bytes) -> None:
        """Give octets to a command line in it."""
        subprocess.run([*self._ssh, command], input=data, check=True)

    def journal(self, unit: str = "xmand") -> str:
        """Return what a unit's program and systemd said of it."""
        return self.run("journalctl", "-u", unit, "--no-pager").stdout

    def stop(self) -> None:
        """Pull the plug: its disk is thrown away with it."""
        if self._connection is not None:
            end(self._connection)
        if self._qemu is not None:
            end(self._qemu)

    def _up(self) -> bool:
        if self._qemu is None or self._qemu.poll() is not None:
            raise RuntimeError(f"{self.name} is gone: {(self.directory / 'qemu.log').read_text()}")
        return self.answers()
