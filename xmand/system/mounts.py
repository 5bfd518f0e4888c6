"""What file system something is on: whether it outlives a restart of the host, and whether it can hang with another."""

import functools
import os
from pathlib import Path

# File systems that live in memory (proc_pid_mountinfo(5) has their types).
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")

# Those that only this machine itself can keep waiting. What is not known is none of them.
_LOCAL = frozenset(
    (
        "bcachefs",
        "btrfs",
        "erofs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "overlay",
        "ramfs",
        "reiserfs",
        "squashfs",
        "tmpfs",
        "xfs",
        "zfs",
    )
)


@functools.lru_cache(maxsize=64)
def local(path: str, device: int) -> bool:
    """Whether the file `path`, which is on `device`, is on a file system of this machine's own. Blocks."""
    return _kind(path) in _LOCAL


def volatile(path: str, mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the type of the file system that `path` is (or would be) on, where that lives in memory; else nothing."""
    kind = _kind(path, mountinfo)
    return kind if kind in _IN_MEMORY else ""


def freezer(mountinfo: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether this host has the control groups' first freezer, the only one by which libvirt pauses containers."""
    try:
        lines = mountinfo.read_text(errors="surrogateescape").splitlines()
    except OSError:  # no /proc: nothing speaks against it
        return True
    behind = [line.partition(" - ")[2].split() for line in lines]
    return any(words[0] == "cgroup" and "freezer" in words[-1].split(",") for words in behind if words)


def _kind(path: str, mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    try:
        lines = mountinfo.read_text(errors="surrogateescape").splitlines()
    except OSError:  # no /proc: nothing speaks against it
        return ""
    wanted = Path(os.path.realpath(path))  # which takes a link to itself for what it is
    found, kind = Path(), ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) > 4 and after:
            point = Path(unescaped(fields[4]))
            # Of mounts at the same point the last one counts.
            if wanted.is_relative_to(point) and len(point.parts) >= len(found.parts):
                found, kind = point, after.split()[0]
    return kind


def unescaped(text: str) -> str:
    """Return a mount point as it is; the kernel writes blanks and backslashes as octal numbers."""
    for octal, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, sign)
    return text
