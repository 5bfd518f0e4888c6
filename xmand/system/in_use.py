"""What this host itself does with a disk: mounted, swap, a part of something larger, behind a loop device.

Read from /proc and /sys, which also xmand's own unit shows, where devices cannot be opened.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from xmand.system.mounts import unescaped

_MOUNTS, _SWAPS, _SYS = Path("/proc/self/mountinfo"), Path("/proc/swaps"), Path("/sys/class/block")


def by_host(path: str, mounts: Path = _MOUNTS, swaps: Path = _SWAPS, sys: Path = _SYS) -> str:
    """Return what the host does with the file or block device `path` (`is mounted at /srv`); empty where nothing."""
    paths = {path, os.path.realpath(path)}
    devices = set(_devices(paths, sys))
    for number, source, point in _mounted(mounts):
        if number in {_text(sys / name / "dev") for name in devices} or source in paths:
            return f"is mounted at {point}"
    used = {line.split()[0] for line in _text(swaps).splitlines()[1:] if line.split()}
    if used & (paths | {f"/dev/{name}" for name in devices}):
        return "is swap"
    for name in sorted(devices):
        holders = _names(sys / name / "holders")
        if holders:
            return f"is a part of {', '.join(holders)}"
    for name in _names(sys):
        if name.startswith("loop") and unescaped(_text(sys / name / "loop" / "backing_file")) in paths:
            return f"is the loop device {name}"
    return ""


def _devices(paths: set[str], sys: Path) -> Iterator[str]:
    """Give the kernel's names of a block device and of its partitions; none of a file."""
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder == "/dev" and (sys / name).is_dir():
            yield from _with_partitions(name, sys)
    for name in _names(sys):
        mapped = _text(sys / name / "dm" / "name") if name.startswith("dm-") else ""
        if mapped and paths & {f"/dev/mapper/{mapped}", f"/dev/{_volume(mapped)}"}:
            yield from _with_partitions(name, sys)


def _with_partitions(name: str, sys: Path) -> Iterator[str]:
    yield name
    yield from (part for part in _names(sys / name) if (sys / name / part / "partition").exists())


def _volume(mapped: str) -> str:
    """Return the volume `group/name` that the device mapper calls `group-name`, a hyphen in either doubled."""
    parts = mapped.replace("--", "\0").split("-", 1)
    return "/".join(part.replace("\0", "-") for part in parts)


def _mounted(mounts: Path) -> Iterator[tuple[str, str, str]]:
    """Give number of the device, its name, and where it is mounted."""
    for line in _text(mounts).splitlines():
        before, _, after = line.partition(" - ")
        fields, behind = before.split(), after.split()
        if len(fields) > 4 and len(behind) > 1:
            yield fields[2], unescaped(behind[1]), unescaped(fields[4])


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(entry.name for entry in folder.iterdir())
    return []


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="surrogateescape").strip()
    return ""
