"""What is written down of guests that come and go, so that it outlives xmand: a file each, on the disk at once."""

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from xman import values
from xman.errors import HypervisorError

# The run of the kernel: numbers of domains, and sockets, mean nothing after it.
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_boot() -> str:
    """Return which run of the kernel this is."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Notes:
    """Notes by UUID in `directory`; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] | None = None

    def all(self) -> dict[str, dict[str, Any]]:
        """Return all of them. Raises HypervisorError where they cannot be read."""
        with self._lock:
            return {uuid: dict(note) for uuid, note in self._read().items()}

    def get(self, uuid: str) -> dict[str, Any] | None:
        """Return the note of a domain, None where there is none. Raises HypervisorError."""
        with self._lock:
            found = self._read().get(uuid)
            return None if found is None else dict(found)

    def put(self, uuid: str, note: dict[str, Any]) -> None:
        """Write a note; it is on the disk when this returns. Raises HypervisorError."""
        with self._lock:
            known = self._read()
            path = self._directory / f"{uuid}.json"
            new = path.with_suffix(".new")
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                with new.open("w", encoding="utf-8") as file:
                    json.dump(note, file)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(path)
                self._sync()
            except OSError as error:
                raise HypervisorError(f"{path}: {error.strerror}; nothing was moved.") from error
            known[uuid] = dict(note)

    def drop(self, uuid: str) -> None:
        """Forget a domain. Raises HypervisorError."""
        with self._lock:
            known = self._read()
            if uuid not in known:
                return
            try:
                (self._directory / f"{uuid}.json").unlink(missing_ok=True)
                self._sync()
            except OSError as error:
                raise HypervisorError(f"{self._directory}: {error.strerror}.") from error
            del known[uuid]

    def _sync(self) -> None:
        """Let names be on the disk as well."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self) -> dict[str, dict[str, Any]]:
        """Return what there is. A note that cannot be read stands for one of which nothing is known."""
        if self._known is not None:
            return self._known
        found: dict[str, dict[str, Any]] = {}
        try:
            paths = sorted(self._directory.glob("*.json"))
        except OSError as error:
            raise HypervisorError(f"{self._directory}: {error.strerror}.") from error
        for path in paths:
            if not values.is_uuid(path.stem):
                continue
            note: Any = None
            with contextlib.suppress(OSError, ValueError):
                note = json.loads(path.read_bytes())
            found[path.stem] = note if isinstance(note, dict) else {}
        self._known = found
        return found
