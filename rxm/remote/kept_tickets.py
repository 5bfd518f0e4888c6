"""Tickets for many hosts' services, kept from one call to the next, beside a ticket cache that is a file.

A file of the user's own in $XDG_RUNTIME_DIR/rxm, for a client keytab also in /run/rxm/UID. Its name has which cache it
is beside, and which ticket for tickets: another one, or none, and it is dropped. Tickets in KCM, KEYRING and MEMORY are
never put into a file. Whatever goes wrong here costs a question to the KDC, and nothing else.
"""

import posix
import time

from xman import lowlevel
from xman.gss import kept, tickets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX = "services_"
# Who has less left is not worth a failure in the middle of a command.
_LEAST_SECONDS = 60
_TYPE, _REGULAR, _OTHERS = 0o170000, 0o100000, 0o077


class Kept:
    """What is kept for one identity, whose tickets for tickets are in the cache `everything`.

    `path` is empty where nothing can be kept.
    """

    def __init__(self, everything: str, client_keytab: str) -> None:
        self.path = ""
        self._where: Callable[[bytes], str] = lambda _service: ""
        self._loaded = 0
        place = _place(client_keytab)
        try:
            beside, own = _beside(client_keytab), tickets.fingerprint(everything)
        except LookupError:
            return
        if place and beside:
            self.path = f"{place}/{beside}_{own[:32]}"
            _drop(place, beside, self.path)

    def load(self, where: "Callable[[bytes], str]") -> None:
        """Put the tickets into the caches that `where` names by their services; no others are read now."""
        self._where = where
        self._loaded = self._copied(where)

    def save(self, caches: list[str], others: str, without: "Callable[[str, bytes], bool]", *, renewed: bool) -> None:
        """Keep what the caches have, where that is more than was there, or some of it is `renewed`.

        What is kept and was not loaded stays, by way of the cache `others`.
        """
        if not self.path:
            return
        new = f"{self.path}.{posix.getpid()}"
        try:
            if renewed or sum(len(tickets.services(cache)) for cache in caches) > self._loaded:
                self._copied(lambda service: "" if self._where(service) else others)
                tickets.save([*caches, others], f"FILE:{new}", without)
                posix.rename(new, self.path)
        except (OSError, LookupError):
            _unlink(new)

    def _copied(self, where: "Callable[[bytes], str]") -> int:
        """Copy kept tickets into the caches that `where` names, and return how many there were."""
        try:
            found = posix.lstat(self.path)
            ours = found.st_mode & _TYPE == _REGULAR and found.st_uid == posix.geteuid()
            if ours and not found.st_mode & _OTHERS:
                return tickets.load(f"FILE:{self.path}", where, time.time() + _LEAST_SECONDS)
        except (OSError, LookupError):
            pass
        return 0  # there is none yet, or it is broken: it is written anew


def forget(client_keytab: str = "") -> None:
    """Drop what is kept beside the default cache, or for a keytab: there is no ticket for tickets any more."""
    try:
        place, beside = _place(client_keytab), _beside(client_keytab)
    except LookupError:
        return
    if place and beside:
        _drop(place, beside, "")


def _place(client_keytab: str) -> str:
    if not client_keytab and not lowlevel.environment("XDG_RUNTIME_DIR").startswith("/"):
        return ""
    return kept.own_directory()


def _beside(client_keytab: str) -> str:
    """Return how files are called that are kept beside a cache, or for a keytab; empty where none may be."""
    name = f"keytab {client_keytab}" if client_keytab else tickets.default_cache()
    if not client_keytab and not name.startswith("FILE:"):
        return ""
    return _PREFIX + lowlevel.sha256(lowlevel.octets(name))[:32]


def _drop(place: str, beside: str, but: str) -> None:
    for name in posix.listdir(place):
        path = f"{place}/{name}"
        # What another process is just writing begins as `but` does.
        if name.startswith(beside) and not (but and path.startswith(but)):
            _unlink(path)


def _unlink(path: str) -> None:
    try:  # noqa: SIM105  # contextlib is dear
        posix.unlink(path)
    except OSError:
        pass  # another process did it
