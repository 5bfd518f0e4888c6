"""What a console printed while nobody looked: the file that libvirt's virtlogd writes (`<log file=…>`), its end.

The file is named by a description, which others may have written: only libvirt's own directory is read.
"""

import contextlib
import os
import stat
from pathlib import Path

# Where libvirt keeps such files; only root writes there.
DIRECTORY = "/var/log/libvirt"
# What is read of the end: more than anybody scrolls through.
MOST = 256 * 1024


def read(path: str, directory: str = DIRECTORY) -> bytes:
    """Return the end of the log `path`, what was rotated away before it first; empty where there is none."""
    if not path:
        return b""
    octets = _end(path, directory, MOST)
    if len(octets) < MOST:
        octets = _end(f"{path}.0", directory, MOST - len(octets)) + octets
    return octets


def forget(uuid: str, directory: str) -> None:
    """Remove what was kept of the domain `uuid`, which is no more; what cannot be is left to whoever rotates."""
    with contextlib.suppress(OSError):
        for path in Path(directory).glob(f"{uuid}-*.log*"):
            path.unlink(missing_ok=True)


def _end(path: str, directory: str, most: int) -> bytes:
    """Return the last `most` octets of a regular file below `directory`."""
    try:
        real = Path(path).parent.resolve()
        if not real.is_relative_to(Path(directory).resolve()):
            return b""
        descriptor = os.open(real / Path(path).name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError, RuntimeError):
        return b""
    with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most)
