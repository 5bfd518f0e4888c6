"""A machine in which programs are run by ssh, as root."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.lab.hosts.daemon import Answer, answer
from tests.lab.process import PATH

SECONDS = 900.0


class BySsh:
    """One of them. `key` is the file of the key that logs in; `prefix` runs a program where the machine is reached."""

    def __init__(self, directory: Path, key: Path, address: str, port: int, prefix: tuple[str, ...] = ()) -> None:
        own = directory / "id"
        own.write_bytes(key.read_bytes())
        own.chmod(0o600)
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "BatchMode=yes",
            "ConnectTimeout=60",
        )
        self._ssh = [*prefix, "ssh", "-i", str(own), "-p", str(port), *(f"-o{option}" for option in options)]
        self._ssh += ["-S", str(directory / "ssh"), f"root@{address}"]

    def keep(self) -> "subprocess.Popen[bytes]":
        """Hold one connection for all that is run: an emulated machine takes a second to agree on its keys."""
        return subprocess.Popen([*self._ssh, "-MN"], stdin=subprocess.DEVNULL)

    def run(self, *words: str, stdin: str = "") -> Answer:
        """Run a command line in it, as root."""
        return answer([*self._ssh, *words], {"PATH": PATH}, stdin, SECONDS)

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

    def put_files(self, files: list[Path], folder: str) -> None:
        """Put files into a folder of it."""
        packed = BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for file in files:
                tar.add(file.resolve(), file.name)
        self.put_octets(f"mkdir -p {folder} && tar -x -C {folder}", packed.getvalue())

    def journal(self, unit: str = "xmand") -> str:
        """Return what a unit's program and systemd said of it."""
        return self.run("journalctl", "-u", unit, "--no-pager").stdout
