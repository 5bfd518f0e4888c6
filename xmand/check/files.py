"""Files and directories that xmand's safety rests on: could somebody else change them, or put others in their place?"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from xman.finding import BAD, Finding

_OTHERS = "can be changed by users other than root"
# Whose is what belongs to nobody in this namespace of users (user_namespaces(7)).
_UNMAPPED = 65534


def exposed(key: str, path: str) -> Iterator[Finding]:
    """Yield what is wrong with a file or directory and those that it is in; what is not there yet is passed over."""
    try:
        here = Path(os.path.realpath(path, strict=True))
    except OSError:
        here = Path(os.path.realpath(path))
    for each in (here, *here.parents):
        try:
            found = each.stat()
        except OSError:
            continue
        if each != here and not stat.S_ISDIR(found.st_mode):  # which is told elsewhere
            return
        kept = found.st_mode & stat.S_ISVTX and each != here
        if found.st_uid not in (0, os.geteuid(), _UNMAPPED):
            yield BAD, f"{key}: {each} belongs to uid {found.st_uid}, who can replace what is in it; chown root it"
            return
        if found.st_mode & stat.S_IWOTH and not kept:
            yield BAD, f"{key}: {each} {_OTHERS}, who can replace what is in it; chmod o-w it"
            return


def usable(key: str, path: str) -> str:
    """Return what keeps a path from being that of a file that can be read; empty where nothing is known to."""
    if path.startswith(("FILE:", "WRFILE:", "MEMORY:")):
        return f"{key}: '{path}': write the file alone, {path.partition(':')[2]}"
    if not Path(path).is_absolute():
        return f"{key}: '{path}' is relative, so it would depend on where xmand is started; write the absolute path"
    if Path(path).exists() and not Path(path).is_file():
        return f"{key}: {path} is not a file; move it away, or name the file"
    return ""
