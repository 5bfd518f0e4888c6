"""Volumes that are being uploaded: written down before they are made, so that one that was cut off is removed.

By whatever it was cut off: xmand's end, libvirt's, the host's. The head of a volume is written last
(`xmand.virt.contents`), and tells one that was cut off from one that is whole and was not crossed out any more.
"""

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from xman.errors import RefusedError
from xmand.system.locks import DomainLocks
from xmand.system.notes import Notes
from xmand.system.settling import Settling
from xmand.virt import connection_pool, pools, volume_users
from xmand.virt.contents import HEAD, Reading
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

FOLDER = "uploading"
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Upload:
    """One volume, and how many octets it is to have."""

    pool: str
    name: str
    octets: int

    @property
    def key(self) -> str:
        """Under what it is locked."""
        return key(self.pool, self.name)


def key(pool: str, name: str) -> str:
    """Return under what a volume is locked; no domain is called so."""
    return f"volume {pool}/{name}"


class Uploads:
    """Those that this host has begun and not ended, a file for each in a folder of `state_dir`."""

    def __init__(self, state_dir: str) -> None:
        self._notes = Notes(Path(state_dir) / FOLDER)

    def begin(self, upload: Upload) -> None:
        """Write it down, durably. Raises RefusedError where that cannot be."""
        self._notes.put(_name(upload), asdict(upload))

    def end(self, upload: Upload) -> None:
        """Take note that it is whole, or gone. Raises HypervisorError where that cannot be."""
        self._notes.drop(_name(upload))

    def pending(self) -> Iterator[Upload]:
        """Give those that have no end."""
        for note in self._notes.all().values():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                yield Upload(str(note["pool"]), str(note["name"]), int(note["octets"]))


def _name(upload: Upload) -> str:
    """Return the name of its note: the volume's may be longer than a file's."""
    return hashlib.sha256(upload.key.encode("utf-8", "surrogateescape")).hexdigest()


class CutUploads(Settling[Upload]):
    """Removes what was cut off; `record` writes an audit line."""

    def __init__(self, uploads: Uploads, driver: Driver, locks: DomainLocks, record: Callable[..., None]) -> None:
        super().__init__("uploads")
        self._uploads = uploads
        self._driver = driver
        self._locks = locks
        self._record = record

    def pending(self) -> Iterable[Upload]:
        """Return what was begun and has no end."""
        return self._uploads.pending()

    def told(self, left: Upload) -> str:
        """Return what it is called."""
        return f"the volume '{left.name}' of '{left.pool}', whose upload was cut off"

    def settle(self, left: Upload) -> None:
        """Remove it, unless it is under way, or whole."""
        held = self._locks.hold(left.key, "uploads", time.monotonic() + _PATIENCE_SECONDS, "volume")
        with connection_pool.session(), contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held)
            except RefusedError:  # it is under way
                return
            if left in self._uploads.pending() and (said := self._removed(left)) is not None:
                self._uploads.end(left)
                if said:
                    logger.warning("%s", said)
                    self._record(ev="settle", detail=said)

    def _removed(self, upload: Upload) -> str | None:
        """Remove it; return what is to be said of that, empty where there is nothing to say. Raises XmanError."""
        connection = self._driver.connection(CHANGE)
        # A pool that is not there may come back, with half an image in it.
        pool = pools.named(connection, upload.pool)
        pool.require_active()
        pool.refresh()
        if not pool.has(upload.name):
            return ""
        volume = pool.volume(upload.name)
        facts = volume.facts()
        pieces = Reading(volume, min(HEAD, upload.octets, facts.octets))
        if any(any(piece) for piece in pieces if isinstance(piece, bytes)):
            return ""  # whole: it was not crossed out any more
        volume_users.require_unused(connection, upload.pool, upload.name, facts.path)
        volume.delete()
        return f"the volume '{upload.name}' of '{upload.pool}' is removed: its upload was cut off"
