"""What `rxmweb check` finds of files and directories: who can read them, and who could change them."""

import os
import stat
from pathlib import Path

from rxmweb.check.user import own_name
from xman.finding import BAD, NOTE, OK, Finding

# What systemd makes for the units (StateDirectory, RuntimeDirectory), and nobody before.
_OF_THE_UNITS = {Path("/var/lib/rxmweb"), Path("/run/rxmweb")}
_LEAST_ROOM = 1 << 20


def unreadable(name: str) -> str:
    """Return why this user cannot read a file, with the remedy; empty where it can."""
    path = Path(name.removeprefix("FILE:"))
    try:
        path.stat()
        if os.access(path, os.R_OK):
            return ""
    except FileNotFoundError:
        return f"{path} does not exist; create it, or correct its name"
    except OSError:
        return f"{own_name()} may not enter one of the folders above {path}; chmod o+x it"
    return f"{own_name()} cannot read {path}; chown {own_name()} it, or name another file"


def open_to_others(name: str) -> str:
    """Return what is wrong where others can read a secret, or its group can write it; empty if nothing."""
    path = Path(name.removeprefix("FILE:"))
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if not mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        return ""
    return f"{path} is readable by users other than its owner; chmod 600 it, and get a new one"


def writable(key: str, name: str) -> Finding:
    """Tell whether the portal can keep files of its own in the directory `name`, made or not."""
    path = Path(name)
    if not path.is_absolute():
        return BAD, f"{key}: '{name}' is relative; write the whole path"
    try:
        there = next(each for each in (path, *path.parents) if each.exists())
    except PermissionError as error:
        return BAD, f"{key}: {own_name()} may not enter one of the folders above {error.filename}; chmod o+x it"
    if not there.is_dir():
        return BAD, f"{key}: {there} is not a directory"
    if there != path and _OF_THE_UNITS & {path, *path.parents}:
        return NOTE, f"{key}: {path} is made by the portal's units at their first start"
    if not os.access(there, os.W_OK | os.X_OK):
        return BAD, f"{key}: {there} cannot be written by this user; chown it, or run as its owner"
    if there == path and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return BAD, f"{key}: {path} can be changed by others, who could remove the portal's files; chmod 700 it"
    room = os.statvfs(there)
    if room.f_bavail * room.f_frsize < _LEAST_ROOM:
        return BAD, f"{key}: the file system of {there} is full; make room there"
    return OK, f"{key}: {name}"
