"""Writing the file, in a thread of its own that nothing waits for.

It is replaced as a whole, so that whoever reads meets the one before or this one. The directory may be another user's:
the new file is made where nothing is yet, and what a crash left of an earlier one is removed, never written through.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xman
from xmand.metrics import families
from xmand.model import Model
from xmand.report.look import Looker
from xmand.settings import Settings

logger = logging.getLogger(__name__)

# Whoever watches the host may read it: it has nothing that others may not know.
_MODE = 0o644
_LEAVE_SECONDS = 1.0


class TextFile:
    """Writes from `start` until `stop`, where the configuration names a file; `condition` blocks."""

    def __init__(
        self, settings: Settings, model: Model, condition: Callable[[], dict[str, Any]], audit_lost: Callable[[], int]
    ) -> None:
        self._settings = settings
        # Not the reports' own: of two that look at once neither finds the other in its way.
        self._looker = Looker(model, condition)
        self._audit_lost = audit_lost
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._written = ""
        # What was complained of last, so that a full disk is one line.
        self._complaint = ""

    def start(self) -> None:
        """Begin, where a file is wanted."""
        if self._settings.metrics.textfile and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="textfile", daemon=True)
            self._thread.start()

    def stop(self, seconds: float = _LEAVE_SECONDS) -> None:
        """End, and remove the file: what nobody keeps up to date is no news. A disk that hangs is not waited for."""
        self._ended.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def configure(self, settings: Settings) -> None:
        """Go by another configuration; a file that it does not name any more is removed soon."""
        self._settings = settings
        self._changed.set()
        self.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._changed.clear()
            wanted = self._settings.metrics
            try:
                if self._written != wanted.textfile:
                    self._remove()
                if wanted.textfile:
                    self._write(wanted.textfile)
            except Exception:  # whatever it is, the next time may do better
                logger.exception("metrics: the file could not be written")
            if not self._ended.is_set():
                self._changed.wait(wanted.interval_seconds)
        self._remove()

    def _write(self, path: str) -> None:
        seen = self._looker.look(condition=True)
        text = families.text(seen, time.time(), xman.__version__, self._audit_lost())
        try:
            replace(Path(path), text.encode())
        except OSError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                logger.warning("metrics: %s: %s", path, error.strerror)
        else:
            self._written, self._complaint = path, ""

    def _remove(self) -> None:
        if self._written:
            with contextlib.suppress(OSError):
                Path(self._written).unlink()
            self._written = ""


def replace(path: Path, content: bytes) -> None:
    """Put `content` in place of what is at `path`, all at once. Raises OSError, and leaves nothing else behind."""
    # Not *.prom, which would be read half written.
    new = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            # Whatever the umask is.
            os.fchmod(file.fileno(), _MODE)
        new.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
