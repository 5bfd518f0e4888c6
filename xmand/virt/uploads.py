"""Volumes that are being uploaded: written down before they are made, so that one that was cut off is removed.

By whatever it was cut off: xmand's end, libvirt's, the host's. The head of a volume is written last
(`xmand.virt.contents`), and tells one that was cut off from one that is whole and was not crossed out any more.
"""

import contextlib
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from xman.errors import RefusedError, XmanError
from xmand.system.locks import DomainLocks
from xmand.virt import connection_pool, pools, volume_users
from xmand.virt.contents import HEAD, Reading
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

FOLDER = "uploading"
# libvirt, or the pool, may be there by then.
_AGAIN_SECONDS = 30.0
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
        self._folder = Path(state_dir) / FOLDER

    def begin(self, upload: Upload) -> None:
        """Write it down, durably. Raises RefusedError where that cannot be."""
        path = self._path(upload)
        new = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8") as file:
                json.dump(asdict(upload), file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise RefusedError(f"{path}: {error.strerror}; nothing was changed.") from error

    def end(self, upload: Upload) -> None:
        """Take note that it is whole, or gone. Raises RefusedError where that cannot be."""
        try:
            self._path(upload).unlink(missing_ok=True)
        except OSError as error:
            raise RefusedError(f"{self._path(upload)}: {error.strerror}.") from error

    def pending(self) -> Iterator[Upload]:
        """Give those that have no end."""
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found = json.loads(path.read_bytes())
                yield Upload(str(found["pool"]), str(found["name"]), int(found["octets"]))

    def _path(self, upload: Upload) -> Path:
        return self._folder / f"{hashlib.sha256(upload.key.encode('utf-8', 'surrogateescape')).hexdigest()}.json"


class CutUploads:
    """Removes what was cut off, in a thread of its own; `record` writes an audit line."""

    def __init__(self, uploads: Uploads, driver: Driver, locks: DomainLocks, record: Callable[..., None]) -> None:
        self._uploads = uploads
        self._driver = driver
        self._locks = locks
        self._record = record
        self._told: set[str] = set()
        # Never set: a wait by a clock that nobody can set.
        self._never = threading.Event()

    def start(self) -> None:
        """Begin, and look at once."""
        threading.Thread(target=self._run, name="uploads", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a fault of ours must not end the thread
                logger.exception("what was uploaded cannot be looked at")
            self._never.wait(_AGAIN_SECONDS)

    def look(self) -> None:
        """Settle each that can be settled now."""
        for upload in self._uploads.pending():
            try:
                self._settle(upload)
            except XmanError as error:
                said = f"the volume '{upload.name}' of '{upload.pool}', whose upload was cut off: {error}"
                # Once, and not every half minute; and nothing of those that are still under way.
                logger.log(logging.DEBUG if said in self._told else logging.WARNING, "%s", said)
                self._told.add(said)

    def _settle(self, upload: Upload) -> None:
        held = self._locks.hold(upload.key, "uploads", time.monotonic() + _PATIENCE_SECONDS, "volume")
        with connection_pool.session(), contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held)
            except RefusedError:  # it is under way
                return
            if upload in self._uploads.pending() and (said := self._removed(upload)) is not None:
                self._uploads.end(upload)
                if said:
                    logger.warning("%s", said)
                    self._record(ev="settle", detail=said)

    def _removed(self, upload: Upload) -> str | None:
        """Remove it; return what is to be said of that, empty where there is nothing to say. Raises XmanError."""
        connection = self._driver.connection(CHANGE)
        found = [pool for pool in pools.each(connection) if pool.name == upload.pool]
        if not found:
            return ""
        (pool,) = found
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
