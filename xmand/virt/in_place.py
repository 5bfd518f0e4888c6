"""Whether a volume is the file that its pool's folder has: whoever can write there can put a link in its place.

libvirt opens a volume by its path, as root, and follows links. So it is looked at before libvirt opens it, without
following any, and once more when it has: where the same file stands there, and nobody has renamed anything in the
folder meanwhile, that file is what was opened.
"""

import os
import stat
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from xman.errors import RefusedError

_T = TypeVar("_T")

_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device that is no disk"}
# Links from one name of a folder to another one, of which nobody needs more.
_MOST_LINKS = 8
# How often it is tried to open one while others come and go in its folder.
_TRIES = 5
# Times of files are those of the kernel's last tick, which is 10 ms ago at most.
_TICK_SECONDS = 0.02


class Standing(NamedTuple):
    """What stands at a path: device and inode of each link and of the file, and when the folder changed (ns)."""

    files: tuple[tuple[int, int], ...]
    changed: int


def look(folder: str, path: str, *, links: bool = True) -> Standing | None:
    """Return what stands at the path of a volume, None where this process cannot see the pool's `folder`, or it is "".

    Raises RefusedError for a link that leads out of the folder, or for any where no `links` will do, for what is
    neither a file nor a disk, and where nothing is there.
    """
    holder, name = os.path.split(path)
    try:
        inside = bool(folder) and os.path.realpath(holder, strict=True) == os.path.realpath(folder, strict=True)
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if folder else -1
    except OSError:
        return None
    if descriptor < 0:
        return None
    try:
        if not inside:
            raise _leads_out(path, folder)
        found = _standing(descriptor, holder, name, folder)
    except FileNotFoundError:
        raise RefusedError(f"'{path}' is not there any more.") from None
    except OSError as error:
        raise RefusedError(f"'{path}' cannot be looked at: {error.strerror}.") from error
    finally:
        os.close(descriptor)
    if len(found.files) > 1 and not links:
        raise RefusedError(f"'{path}' is a link, and what it leads to is not written through it.")
    return found


def opened(
    folder: str, path: str, open_it: Callable[[], _T], close: Callable[[_T], object], *, links: bool = True
) -> _T:
    """Return what `open_it` opens at the path of a volume, if that is the file which its pool's folder has.

    Raises RefusedError, as `look` does and where it was replaced meanwhile; then it is closed again.
    """
    for _ in range(_TRIES):
        before = look(folder, path, links=links)
        if before is None:
            return open_it()
        if abs(time.time_ns() - before.changed) < _TICK_SECONDS * 1e9:
            time.sleep(_TICK_SECONDS)
        found = open_it()
        after: Standing | None = None
        try:
            after = look(folder, path)
        finally:
            if after != before:
                close(found)
        if after == before:
            return found
        if after is None or after.files != before.files:
            break
    raise RefusedError(f"'{path}' was replaced while it was opened; nothing was done with it.")


def made_of(folder: str, path: str, make: Callable[[], _T], remove: Callable[[_T], object]) -> _T:
    """Return what `make` makes of the volume at a path, if the same file stood there all the time.

    Raises RefusedError, as `look` does and where it was replaced meanwhile; then what was made is removed.
    """
    before = look(folder, path)
    made = make()
    try:
        after = look(folder, path)
        if before is not None and (after is None or after.files != before.files):
            raise RefusedError(f"'{path}' was replaced meanwhile.")
    except RefusedError:
        remove(made)
        raise
    return made


def _standing(descriptor: int, holder: str, name: str, folder: str) -> Standing:
    files: list[tuple[int, int]] = []
    for _ in range(_MOST_LINKS):
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        files.append((found.st_dev, found.st_ino))
        kind = stat.S_IFMT(found.st_mode)
        if kind != stat.S_IFLNK:
            if kind in _KINDS:
                raise RefusedError(f"'{holder}/{name}' is {_KINDS[kind]}, and no image.")
            return Standing(tuple(files), os.fstat(descriptor).st_ctime_ns)
        target = os.readlink(name, dir_fd=descriptor)
        place, leads_to = os.path.split(target)
        # Nothing with `..` or another folder in it: what that leads to is the kernel's to say, and may change.
        if place not in ("", holder, folder) or leads_to in ("", ".", ".."):
            raise _leads_out(f"{holder}/{name}", folder)
        name = leads_to
    raise _leads_out(f"{holder}/{name}", folder)


def _leads_out(path: str, folder: str) -> RefusedError:
    return RefusedError(
        f"'{path}' is a link that leads out of the folder of its pool ({folder}), and is not followed; let the file"
        " itself be there, or make a pool of the folder where it is."
    )
