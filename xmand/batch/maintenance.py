"""A host that is in maintenance takes no starts, jobs or migrations, and says why and by whom; kept on disk."""

import json
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from xman import times
from xman.errors import HypervisorError, RefusedError
from xmand.system import notes

FILE = "maintenance.json"


@dataclass(frozen=True)
class Notice:
    """Why, by which principal, and since when (RFC 3339)."""

    reason: str
    by: str
    since: str


class Maintenance:
    """The notice of this host, in `directory`."""

    def __init__(self, directory: str) -> None:
        self._path = Path(directory) / FILE
        # One after the other: they write the same file.
        self._writing = threading.Lock()

    def notice(self) -> Notice | None:
        """Return the notice, None where the host takes everything. A damaged one counts."""
        try:
            found = json.loads(self._path.read_bytes())
            times.seconds(found["since"])
            return Notice(str(found["reason"]), str(found["by"]), found["since"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return Notice(f"{self._path} cannot be read", "", "")

    def refuse(self) -> None:
        """Raise RefusedError where the host is in maintenance."""
        notice = self.notice()
        if notice is not None:
            by = f" by {notice.by} since {times.local(notice.since)}" if notice.since else ""
            raise RefusedError(f"This host is in maintenance{by}: {notice.reason}")

    def begin(self, reason: str, by: str) -> Notice:
        """Put up the notice; it is on the disk when this returns. Raises HypervisorError."""
        notice = Notice(reason, by, times.utc(time.time()))
        with self._writing:
            self._write(notice)
        return notice

    def _write(self, notice: Notice) -> None:
        try:
            notes.replace(self._path, json.dumps(asdict(notice)))
        except OSError as error:
            raise HypervisorError(f"{self._path}: {error.strerror}; nothing was changed.") from error

    def end(self) -> bool:
        """Take the notice down; return whether there was one. Raises HypervisorError."""
        try:
            with self._writing:
                self._path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise HypervisorError(f"{self._path}: {error.strerror}; nothing was changed.") from error
        return True
