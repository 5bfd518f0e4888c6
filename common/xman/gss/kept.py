"""The tickets that a client keytab gives, kept between calls.

A scheduler calls rxm each time anew, and a KDC that is away for a minute would otherwise fail every call. They are kept
in a file in a directory of the user's own: `rxm` below $XDG_RUNTIME_DIR, or /run/rxm/UID, if the
package has made /run/rxm. Where there is none, they go with the process. Another keytab in its place, or another
principal, has another file.

Sources: the format of caches in files, version 4 (MIT krb5's documentation, "Credential cache file format").
"""

import posix

from xman import lowlevel

_RUN = "/run/rxm"
_TYPE, _DIRECTORY = 0o170000, 0o040000
_OTHERS = 0o077
# What such a file begins with, and how much of it says by how much this machine's clock differed from the KDC's.
_VERSION, _HEAD = b"\x05\x04", 16
_KDC_OFFSET = b"\x00\x01\x00\x08"
# Clocks that differ by less are right: Kerberos takes five minutes.
_RIGHT_SECONDS = 60
# The file of this process, for `forget`.
_used: list[str] = []


def cache(client_keytab: str, principal: str) -> str:
    """Return the name of the cache for a keytab's tickets, empty where they cannot be kept."""
    own = own_directory()
    if not own:
        return ""
    try:
        found = posix.stat(client_keytab)
    except OSError:
        return ""
    whose = lowlevel.sha256(lowlevel.octets(f"{client_keytab}\n{principal}"))
    name = f"krb5cc_{found.st_ino:x}_{found.st_mtime_ns:x}_{whose}"
    _used[:] = [f"{own}/{name}"]
    return f"FILE:{own}/{name}"


def forget() -> None:
    """Drop what is kept: a host has a new key, for which a ticket has to be fetched anew."""
    while _used:
        try:  # noqa: SIM105  # contextlib is dear
            posix.unlink(_used.pop())
        except OSError:
            pass  # another process did it


def is_gone(said: str) -> bool:
    """Whether what libkrb5 `said` is that the file of this process is not there: another process has dropped it."""
    return any(path in said for path in _used)


def forget_another_clocks() -> None:
    """Drop what is kept, where it was got while this machine's clock was wrong.

    libkrb5 notes by how much, and goes by that until the tickets end: once the clock is set, they are not yet valid, or
    no host takes what is made with them.
    """
    for path in _used:
        if abs(_kdc_offset(path)) > _RIGHT_SECONDS:
            forget()
            return


def _kdc_offset(path: str) -> int:
    """Return by how many seconds the KDC's clock was ahead of ours when a file's tickets were got."""
    try:
        number = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            head = posix.read(number, _HEAD)
        finally:
            posix.close(number)
    except OSError:
        return 0
    if len(head) < _HEAD or head[:2] != _VERSION or head[4:8] != _KDC_OFFSET:
        return 0
    return int.from_bytes(head[8:12], "big", signed=True)


def own_directory() -> str:
    """Return a directory that only this user can look into, made where that is possible; empty where there is none."""
    runtime = lowlevel.environment("XDG_RUNTIME_DIR")
    place = f"{runtime}/rxm" if runtime.startswith("/") else f"{_RUN}/{posix.geteuid()}"
    try:  # noqa: SIM105  # contextlib is dear
        posix.mkdir(place, 0o700)
    except OSError:
        pass  # it is there, or what it would be in is not
    try:
        found = posix.lstat(place)
    except OSError:
        return ""
    ours = found.st_mode & _TYPE == _DIRECTORY and found.st_uid == posix.geteuid() and not found.st_mode & _OTHERS
    return place if ours else ""
