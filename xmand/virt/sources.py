"""What a domain needs of its host, its disks' files above all, looked at where a start would fail, or never come back.

libvirt and QEMU say what is wrong with an image, but not always which one it is, and of all that is missing they name
the first. Where the files are out of this process's sight nothing is said of them.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from xman.errors import HypervisorError, RefusedError, XmanError, of_outcome
from xmand.virt import images, qemu_log

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}
# The smallest cluster of qcow2; an image has more than one.
_SMALLEST_OCTETS = 512
# xmand.service gives xmand folders of its own instead of these: what is missing there may be on the host.
_OUT_OF_SIGHT = ("/dev/", "/tmp/", "/var/tmp/")  # noqa: S108
_CARDS = "/sys/class/net"
# What stands around QEMU's own words where it ends at its start: libvirt's, QEMU's clock and name, and the option.
_AROUND = re.compile(
    r"(internal error: )?(qemu unexpectedly closed the monitor( \([^)]*\))?|process exited while connecting to monitor)"
    r": (\S+Z )?(qemu-\S+: )?(-\w+ (\{.*\}|\S+): )?",
    re.IGNORECASE,
)
_ENDED = "QEMU ended at its start: "
# What libvirt says instead where the system still knows the process that has ended.
_NOBODY_LISTENS = f"failed to connect to monitor socket: {os.strerror(errno.ECONNREFUSED)}"


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
    said = str(error).rstrip(".")
    if not isinstance(error, HypervisorError):
        return error
    if _NOBODY_LISTENS in said:
        name = etree.fromstring(xml.encode()).findtext("name") or ""
        text = f"{_ENDED}{qemu_log.last_words(name).rstrip('.') or said}"
    else:
        text = _AROUND.sub(_ENDED, said)
    if text == said:
        others = [each for each in missing(xml) if each.rpartition(" ")[2] not in text]
        return of_outcome(error.outcome, f"{text}. Also missing: {', '.join(others)}.") if others else error
    found = [f"disk {disk.target}, {disk.path}, {why}" for disk in _disks(xml) if (why := _broken(disk))]
    return of_outcome(error.outcome, f"{text}{': ' if found else ''}{'; '.join(found)}.")


def missing(xml: str) -> tuple[str, ...]:
    """Return the kernel, the files of disks and the bridges that a description names and this host does not have."""
    root = etree.fromstring(xml.encode())
    paths = [root.findtext("os/kernel"), root.findtext("os/initrd")]
    for disk in root.iterfind("devices/disk[@type='file']"):
        source = disk.find("source")
        if source is not None and source.get("startupPolicy") is None:
            paths.append(source.get("file"))
    bridges = [each.get("bridge") for each in root.iterfind("devices/interface[@type='bridge']/source")]
    found = [
        *(path for path in paths if path and seen_missing(path)),
        *(f"bridge {name}" for name in bridges if name and not os.path.lexists(f"{_CARDS}/{name}")),
    ]
    return tuple(dict.fromkeys(found))


def seen_missing(path: str) -> bool:
    """Whether it is not there, as far as that can be told: only root sees into every folder."""
    if not path.startswith("/") or os.path.normpath(path).startswith(_OUT_OF_SIGHT):
        return False
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


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
