"""Whether what is written somewhere outlives a restart of the host."""

from pathlib import Path

# File systems that live in memory (proc_pid_mountinfo(5) has their types).
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")


def volatile(path: str, mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the type of the file system that `path` is (or would be) on, where that lives in memory; else nothing."""
    try:
        lines = mountinfo.read_text(errors="surrogateescape").splitlines()
    except OSError:  # no /proc: nothing speaks against it
        return ""
    wanted = Path(path).resolve()
    found, kind = Path(), ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) > 4 and after:
            point = Path(_unescaped(fields[4]))
            # Of mounts at the same point the last one counts.
            if wanted.is_relative_to(point) and len(point.parts) >= len(found.parts):
                found, kind = point, after.split()[0]
    return kind if kind in _IN_MEMORY else ""


def _unescaped(text: str) -> str:
    """Return a mount point as it is; the kernel writes blanks and backslashes as octal numbers."""
    for octal, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, sign)
    return text
