"""Which program has a port of this machine, or keeps a file locked, for checks that say what is in the way."""

import contextlib
import itertools
import os
from pathlib import Path

# The process that the kernel starts: where systemd is, that.
FIRST = "1"
# The state of a listening socket in /proc/net/tcp.
_LISTENING = "0A"


def of_port(port: int) -> tuple[list[str], str]:
    """Return the first words by which the program was started, without folders, and its process; nothing if unseen.

    systemd keeps the sockets that it has made for others: it is the answer only where nobody else has the port.
    """
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    found: tuple[list[str], str] = [], ""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(file.readlink()) in inodes for file in (process / "fd").iterdir()):
                found = _words(process), process.name
                if process.name != FIRST:
                    break
    return found


def configuration(process: str, default: str) -> str:
    """Return the file that a daemon of ours was started with (-c, --config), `default` where it was given none.

    It is absolute, and without links. Raises OSError where the process is gone, or somebody else's.
    """
    words = [
        word.decode("utf-8", "surrogateescape")
        for word in (Path("/proc") / process / "cmdline").read_bytes().split(b"\0")
    ]
    name = default
    for word, behind in itertools.pairwise(words):
        if word in ("-c", "--config"):
            name = behind
        elif word.startswith(("--config=", "-c")):
            name = word.removeprefix("--config=").removeprefix("-c")
    return os.path.realpath((Path("/proc") / process / "cwd").readlink() / name)


def of_lock(*paths: Path) -> tuple[list[str], str]:
    """Return the same of the program that keeps one of `paths` locked (fcntl(2))."""
    inodes = set()
    for path in paths:
        with contextlib.suppress(OSError):
            inodes.add(str(path.stat().st_ino))
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text("ascii").splitlines():
            fields = line.split()
            # 1: POSIX  ADVISORY  WRITE 4711 fd:01:1234 0 EOF; one that waits has an arrow in front.
            if len(fields) > 5 and fields[3] == "WRITE" and fields[5].rpartition(":")[2] in inodes:
                with contextlib.suppress(OSError):
                    return _words(Path("/proc") / fields[4]), fields[4]
    return [], ""


def _words(process: Path) -> list[str]:
    words = (process / "cmdline").read_bytes().split(b"\0")
    return [Path(word.decode("utf-8", "replace")).name for word in words[:3]]
