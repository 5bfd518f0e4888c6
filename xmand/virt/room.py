"""Whether there is room for what is to be written into a volume: asked first, since libvirt may not survive the answer.

Where libvirtd 11.3 has no room for what a stream brings, it frees a message twice and ends (remote_daemon_stream.c);
`virsh vol-upload` does the same to it.
"""

import errno
import os
import stat
from pathlib import Path

from xman.errors import HypervisorError

# What libvirt may have taken and not written: a few messages, and a few more in its thread. Nobody misses the rest.
_AHEAD = 4 * 1024 * 1024


def require(path: str, octets: int) -> None:
    """Raise HypervisorError where the file system of the volume at `path` has no room for so many octets more.

    Of a device it is not asked, nor where this process may not look: then libvirt's own answer stands.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return
        there = os.statvfs(path)
    except OSError:
        return
    if there.f_bfree * there.f_frsize < octets + _AHEAD:
        raise HypervisorError(f"{path}: {os.strerror(errno.ENOSPC)}.")
