"""The files that a domain's disks are, looked at where a start would fail by them, or never come back.

libvirt and QEMU say what is wrong with an image, but not always which one it is. Where the files are out of this
process's sight nothing is said of them.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from xman.errors import HypervisorError, RefusedError, XmanError, of_outcome
from xmand.virt import images

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}
# The smallest cluster of qcow2; an image has more than one.
_SMALLEST_OCTETS = 512
# What stands around QEMU's own words where it ends at its start: libvirt's, QEMU's clock and name, and the option.
_AROUND = re.compile(
    r"(internal error: )?(qemu unexpectedly closed the monitor( \([^)]*\))?|process exited while connecting to monitor)"
    r": (\S+Z )?(qemu-\S+: )?(-\w+ (\{.*\}|\S+): )?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Disk:
    target: str
    path: str
    format: str


def require_files(xml: str) -> None:
    """Raise RefusedError where something else than a file stands for a disk that is one.

    libvirt opens it to see its format: with a FIFO it waits there for good, and keeps that domain's lock.
    """
    for disk in _disks(xml):
        try:
            mode = Path(disk.path).stat().st_mode
        except OSError:  # libvirt says it better; or it is out of sight
            continue
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            what = _KINDS.get(stat.S_IFMT(mode), "no file")
            raise RefusedError(f"Disk {disk.target}: {disk.path} is {what}, and no image.")


def explained(xml: str, error: XmanError) -> XmanError:
    """Return the error of a start that failed, in QEMU's own words, with the images that are plainly broken."""
    text = _AROUND.sub("QEMU ended at its start: ", str(error).rstrip("."))
    if not isinstance(error, HypervisorError) or text == str(error).rstrip("."):
        return error
    found = [f"disk {disk.target}, {disk.path}, {why}" for disk in _disks(xml) if (why := _broken(disk))]
    return of_outcome(error.outcome, f"{text}{': ' if found else ''}{'; '.join(found)}.")


def _disks(xml: str) -> Iterator[_Disk]:
    for element in etree.fromstring(xml.encode()).iterfind("devices/disk[@type='file']"):
        source, target, kind = element.find("source"), element.find("target"), element.find("driver")
        path = None if source is None else source.get("file")
        if path:
            name = "" if target is None else str(target.get("dev"))
            yield _Disk(name, str(path), "raw" if kind is None else str(kind.get("type", "raw")))


def _broken(disk: _Disk) -> str:
    """Return what is wrong with the image of a disk; empty where nothing is to be seen."""
    if disk.format != "qcow2":
        return ""
    try:
        octets = Path(disk.path).stat().st_size
        found = images.probe(os.path.realpath(disk.path))
    except (OSError, ValueError):
        return ""
    if not octets:
        return "is empty"
    if octets < _SMALLEST_OCTETS:
        return f"ends after {octets} octets"
    return "" if found.format == "qcow2" else "is not a qcow2 image"
