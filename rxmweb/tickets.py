"""Ticket caches: one file for each session, and a copy for each action, so that an action outlives its session."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from rxmweb import rxm_process
from rxmweb.settings import Settings


class Tickets:
    """The private directory in which they are."""

    def __init__(self, settings: Settings) -> None:
        self._directory = Path(settings.run_dir) / "tickets"

    def prepare(self) -> None:
        """Make the directory. Raises OSError."""
        rxm_process.private_directory(self._directory)

    def key(self) -> bytes:
        """Return the portal's own secret, which outlives its processes and not the machine's start. Raises OSError."""
        path = self._directory.parent / "session.key"
        new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
                file.write(secrets.token_bytes(32))
            # Of several that begin together the first one's stays.
            with contextlib.suppress(FileExistsError):
                os.link(new, path)
            new.unlink()
        return path.read_bytes()

    def new(self) -> tuple[str, Path]:
        """Return the name and the path of a cache that does not exist yet."""
        name = secrets.token_hex(16)
        return name, self._directory / name

    def of_session(self, name: str) -> Path | None:
        """Return a session's cache, None where it has none, or where another portal has it."""
        path = self._directory / name
        return path if name and path.exists() else None

    def of_action(self, identifier: str) -> Path:
        """Return where an action's cache is, or is to be."""
        return self._directory / f"action-{identifier}"

    def give(self, name: str, identifier: str) -> bool:
        """Copy a session's tickets for an action; return whether there were any."""
        source = self.of_session(name)
        if source is None:
            return False
        target = self.of_action(identifier)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as copy, source.open("rb") as file:  # noqa: PTH123  # a descriptor
            shutil.copyfileobj(file, copy)
        return True

    def forget(self, name: str) -> None:
        """Remove a session's cache."""
        if name:
            (self._directory / name).unlink(missing_ok=True)

    def sweep(self, kept: set[str]) -> None:
        """Remove the caches of sessions that are not among `kept`."""
        for path in self._directory.iterdir():
            if path.name not in kept and not path.name.startswith("action-"):
                path.unlink(missing_ok=True)
