"""What a console printed while nobody looked: the file that libvirt's virtlogd writes (`<log file=…>`), its end.

The file is named by a description, which others may have written: only libvirt's own directory is read.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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


class Mark(NamedTuple):
    """A place in a log: which file it is, and how many octets stand before it."""

    inode: int
    octets: int


def mark(path: str, directory: str) -> Mark:
    """Return the end of the log `path` as it is now."""
    with _opened(path, directory) as descriptor:
        if descriptor is None:
            return Mark(0, 0)
        found = os.fstat(descriptor)
        return Mark(found.st_ino, found.st_size)


def since(path: str, directory: str, begin: Mark) -> bytes:
    """Return the end of the log `path`, but nothing that stood there before `begin`."""
    now = mark(path, directory)
    # What was rotated away, or emptied, has nothing in it that is older.
    older = begin.octets if (now.inode, now.octets >= begin.octets) == (begin.inode, True) else 0
    return _end(path, directory, min(MOST, max(0, now.octets - older)))


def _end(path: str, directory: str, most: int) -> bytes:
    """Return the last `most` octets of a regular file below `directory`."""
    with _opened(path, directory) as descriptor:
        if descriptor is None:
            return b""
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, most, max(0, size - most))


@contextlib.contextmanager
def _opened(path: str, directory: str) -> Iterator[int | None]:
    """Give a regular file below `directory`; None where there is none."""
    descriptor = None
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        real = Path(path).parent.resolve()
        if real.is_relative_to(Path(directory).resolve()):
            descriptor = os.open(real / Path(path).name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        regular = descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode)
        yield descriptor if regular else None
    finally:
        if descriptor is not None:
            os.close(descriptor)
