"""What is written down of what is under way, so that it outlives xmand: a file each, on the disk at once."""

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from xman.errors import HypervisorError, RefusedError

# The run of the kernel: numbers of domains, and sockets, mean nothing after it.
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_boot() -> str:
    """Return which run of the kernel this is."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Notes:
    """Notes by name in `directory`, which nobody else writes to; safe to use from several threads.

    A note that cannot be read is empty: it stands for one of which nothing is known.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] | None = None

    def all(self) -> dict[str, dict[str, Any]]:
        """Return all of them by name. Raises HypervisorError where they cannot be read."""
        with self._lock:
            return {name: dict(note) for name, note in sorted(self._read().items())}

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a note, None where there is none. Raises HypervisorError."""
        with self._lock:
            found = self._read().get(name)
            return None if found is None else dict(found)

    def put(self, name: str, note: dict[str, Any]) -> None:
        """Write a note; it is on the disk when this returns. Raises RefusedError, and HypervisorError as `get` does."""
        with self._lock:
            known = self._read()
            path = self._directory / f"{name}.json"
            try:
                replace(path, json.dumps(note))
            except OSError as error:
                raise RefusedError(f"{path}: {error.strerror}; nothing was changed.") from error
            known[name] = dict(note)

    def drop(self, name: str) -> None:
        """Forget a note. Raises HypervisorError."""
        with self._lock:
            known = self._read()
            if name not in known:
                return
            try:
                (self._directory / f"{name}.json").unlink(missing_ok=True)
                _sync(self._directory)
            except OSError as error:
                raise HypervisorError(f"{self._directory}: {error.strerror}.") from error
            del known[name]

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._known is not None:
            return self._known
        found: dict[str, dict[str, Any]] = {}
        try:
            paths = list(self._directory.glob("*.json"))
        except OSError as error:
            raise HypervisorError(f"{self._directory}: {error.strerror}.") from error
        for path in paths:
            note: Any = None
            with contextlib.suppress(OSError, ValueError):
                note = json.loads(path.read_bytes())
            found[path.stem] = note if isinstance(note, dict) else {}
        self._known = found
        return found


def replace(path: Path, text: str) -> None:
    """Put `text` in the place of what `path` holds, all at once and on the disk. Raises OSError."""
    new = path.with_suffix(".new")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Let names be on the disk as well."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
