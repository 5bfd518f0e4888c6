"""What Xen keeps of consoles: a file for each name, in which a domain's own begins where it was defined.

Whoever has a name next would see what the one before him printed: so it is noted, on this host, where each one's own
begins. Of a domain that was defined past xmand that is not known, and it begins when it is first asked for.
"""

import contextlib
from pathlib import Path

from xman.errors import RefusedError
from xmand.consoles import kept
from xmand.consoles.kept import Mark
from xmand.system.notes import Notes

# Where Xen's xenconsoled writes what guests print, if it is told to (--log=guest).
DIRECTORY = "/var/log/xen/console"


class ByName:
    """Where in the files each domain's own begins; `state_dir` keeps that."""

    def __init__(self, state_dir: str, directory: str = DIRECTORY) -> None:
        self._notes = Notes(Path(state_dir) / "consoles")
        self._directory = directory

    def begins(self, uuid: str, name: str) -> None:
        """Let what is printed from now on be the domain's own. Raises RefusedError and HypervisorError."""
        end = kept.mark(self._path(name), self._directory)
        self._notes.put(uuid, {"name": name, "inode": end.inode, "octets": end.octets})

    def read(self, uuid: str, name: str) -> bytes:
        """Return what it printed last. Raises HypervisorError."""
        note = self._notes.get(uuid)
        if note is None or note.get("name") != name:
            with contextlib.suppress(RefusedError):  # where nothing can be noted, nothing is shown
                self.begins(uuid, name)
            return b""
        return kept.since(self._path(name), self._directory, Mark(int(note["inode"]), int(note["octets"])))

    def forget(self, uuid: str) -> None:
        """There is no such domain any more. Raises HypervisorError."""
        self._notes.drop(uuid)

    def _path(self, name: str) -> str:
        return f"{self._directory}/guest-{name.replace('/', '_')}.log"
