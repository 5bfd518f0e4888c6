"""A machine that QEMU emulates from an image, and what is run in it by ssh."""

import abc
import subprocess
from pathlib import Path

from tests.lab.hosts.by_ssh import BySsh
from tests.lab.process import end, wait_for

BOOT_SECONDS = 900.0
_INTERVAL = 1.0


class Emulated(BySsh, abc.ABC):
    """One machine. Whoever is one says how QEMU is called (`command`), and when it has booted (`answers`).

    `image` has a disk, disk.img, and the key that logs in, id; `port` is where its sshd is found.
    """

    def __init__(self, directory: Path, name: str, image: Path, port: int) -> None:
        self.directory = directory
        self.name = name
        directory.mkdir(parents=True)
        super().__init__(directory, image / "id", "127.0.0.1", port)
        self._connection: subprocess.Popen[bytes] | None = None
        self.disk = overlay(directory, image)
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
        self._connection = self.keep()

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


def overlay(directory: Path, image: Path) -> str:
    """Make a disk that begins as an image's, which is never written to; return its path."""
    disk = str(directory / "disk.qcow2")
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image / "disk.img"), disk]
    subprocess.run(words, check=True)
    return disk
