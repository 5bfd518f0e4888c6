"""Where on the host a description may lead, of somebody who is not on the list: what `[create]` of xmand.toml names.

What is looked at is where a path leads to, and that nobody else can lead it elsewhere afterwards.
"""

import os
import stat
from pathlib import Path

from lxml import etree

from xman.errors import XmanError
from xmand.settings import Create
from xmand.virt.binding import RawConnection, api
from xmand.virt.description import read_xml
from xmand.virt.errors import reading


def below(path: str, allowed: Create) -> str | None:
    """Return where a path leads to, if that is below one of the folders named; None otherwise.

    Nor is it where somebody else could put a link in its place afterwards: in a container's own tree, for one.
    """
    if not path.startswith("/") or "\0" in path:
        return None
    real = os.path.realpath(path)
    for folder in map(os.path.realpath, allowed.paths):
        if _within(real, folder) and _ours(folder, real):
            return real
    return None


def _ours(folder: str, real: str) -> bool:
    """Whether nobody but root, or who xmand runs as, can change what the folders from `folder` to `real` hold."""
    holder = Path(real).parent
    for place in (holder, *holder.parents):
        if not place.is_relative_to(folder):
            break
        try:
            found = place.lstat()
        except OSError:
            return False
        others = found.st_mode & stat.S_IWOTH or (
            found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid())
        )
        if found.st_uid not in (0, os.geteuid()) or others:
            return False
    return True


def device(path: str, allowed: Create) -> str | None:
    """Return the device that a path below one of the folders named (`/dev/vg0`) leads to; None where it is none."""
    if not path.startswith("/") or "\0" in path or os.path.normpath(path) != path:
        return None
    real = os.path.realpath(path)
    return real if any(_within(path, folder) for folder in allowed.paths) and _within(real, "/dev") else None


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/")


def volume(source: etree._Element, allowed: Create, connection: RawConnection) -> str | None:
    """Return the path of a volume in one of the pools named; None where it is none, or leads out of its pool.

    Nor is it where somebody else could put a link in its place afterwards, as for `below`.
    """
    pool, name = source.get("pool", ""), source.get("volume", "")
    if pool not in allowed.pools:
        return None
    try:
        with reading():
            holder = connection.storagePoolLookupByName(pool)
            path = str(holder.storageVolLookupByName(name).path())
            target = read_xml(str(holder.XMLDesc())).findtext("target/path") or ""
    except (XmanError, api.libvirtError):
        return None
    real, folder = os.path.realpath(path), os.path.realpath(target)
    if _within(real, "/dev"):
        return real
    return real if _within(real, folder) and _ours(folder, real) else None
