"""Which program listens on a port of this machine, for checks that say what is in the way."""

import contextlib
from pathlib import Path

# The state of a listening socket in /proc/net/tcp.
_LISTENING = "0A"


def holder(port: int) -> tuple[list[str], str]:
    """Return the first words by which the program was started, without folders, and its process; nothing if unseen."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(file.readlink()) in inodes for file in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().split(b"\0")
                return [Path(word.decode("utf-8", "replace")).name for word in words[:3]], process.name
    return [], ""
