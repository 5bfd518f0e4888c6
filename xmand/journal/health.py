"""Whether the journal's file is in order; what to do where it is not, and what is lost by that; that it was emptied."""

import errno
import os
import sqlite3
import stat
import tempfile
import time
from pathlib import Path

from xman import holders, times

# Stands beside the journal from its begin on: where the one is there without the other, the journal was emptied.
MARK = "journal.begun"

_LOST = "this loses the record of who did what before, and the answers that retries would get"
_ERRORS = {
    sqlite3.SQLITE_NOTADB: f"it is not a journal, or damaged. Move it away (with its -wal and -shm); {_LOST}",
    sqlite3.SQLITE_CORRUPT: f"it is damaged or truncated. Move it away (with its -wal and -shm); {_LOST}",
    sqlite3.SQLITE_READONLY: "it cannot be written. Look at its owner and modes, and how its file system is mounted",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened. Look at its owner and modes, and at those of its directory",
    sqlite3.SQLITE_FULL: "its file system is full. Make room there; nothing is lost",
    sqlite3.SQLITE_IOERR: "its disk fails, or is full. Look at the kernel's messages, and make room there",
    sqlite3.SQLITE_BUSY: "another program has it open, such as a second xmand with the same state_dir. Stop it",
    sqlite3.SQLITE_ERROR: f"another program or a later release has changed it. Move it away; {_LOST}",
}
_OS_ERRORS = {
    errno.EROFS: "its file system is read-only. Mount it so that it can be written",
    errno.ENOSPC: "its file system is full. Make room there; nothing is lost",
    errno.EACCES: "the user that xmand runs as may not write there. Look at owner and modes",
    errno.EISDIR: f"it is a directory. Move it away; {_LOST}",
    errno.ELOOP: f"it is a link to itself. Move it away; {_LOST}",
    errno.ENXIO: f"it is a FIFO, a socket or a device. Move it away; {_LOST}",
    errno.ENOTDIR: "a file stands in the way of its directory. Move that away",
    errno.EEXIST: "a file stands in the way of its directory. Move that away",
}


class ForeignError(sqlite3.DatabaseError):
    """The file is a database of another program's."""

    sqlite_errorcode = sqlite3.SQLITE_ERROR


def require_file(path: Path) -> None:
    """Raise OSError where something stands there that is neither a file nor a directory."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.ENXIO, "no file", str(path))


def explain(error: Exception) -> str:
    """Return what is wrong with the file, in the words of the system or of SQLite, and what to do about it."""
    if isinstance(error, sqlite3.Error):
        # The first octet is the kind; what is above it says more than anybody can act upon.
        remedy = _ERRORS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")
        return f"{error}: {remedy}" if remedy else str(error)
    if isinstance(error, OSError):
        remedy = _OS_ERRORS.get(error.errno or 0, "")
        return f"{error.strerror}: {remedy}" if remedy else str(error.strerror)
    return f"{error}: a row of it cannot be read. Move it away (with its -wal and -shm); {_LOST}"


def require_ours(db: sqlite3.Connection) -> bool:
    """Return whether the file has a journal already, which an empty one has not. Raises ForeignError."""
    tables = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "change" not in tables:
        raise ForeignError("a database of another program's")
    return bool(tables)


def begun_anew(directory: Path) -> str:
    """Mark that a journal begins in `directory`; return what is to be told where there was one before, else nothing."""
    mark = directory / MARK
    try:
        before = mark.read_text().strip()
    except OSError:
        before = ""
    mark_begin(directory)
    if not before:
        return ""
    return (
        f"The journal was emptied or removed, and a new one begins: there was one from {before} on, and"
        f" {_LOST.removeprefix('this loses ')} are lost."
    )


def mark_begin(directory: Path) -> None:
    """Write down that the journal begins now."""
    mark = directory / MARK
    new = mark.with_suffix(".new")
    new.write_text(f"{times.utc(time.time())}\n")
    new.chmod(0o600)
    new.replace(mark)


def examine(directory: str, file: str) -> tuple[bool, str]:
    """Return whether changes can be written down, and words for it; nothing is changed by looking.

    A journal that is there is opened, and written to in a transaction that is taken back; for one that is not, a file
    is made beside and removed. Who runs this should be the user whom xmand runs as.
    """
    path = Path(directory) / file
    try:
        try:
            require_file(path)
        except FileNotFoundError:
            # Behind a link to what is not there yet it will be begun as well.
            return _examine_directory(path.resolve().parent)
        with path.open("r+b"):  # SQLite itself would open a file for reading that it may not write
            pass
        db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=0.2, isolation_level=None)
        try:
            if not require_ours(db):
                marked = (Path(directory) / MARK).exists()
                return not marked, "it is empty, though there was one before" if marked else "it is empty"
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"{verdict}")
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "INSERT INTO change (principal, rid, digest, peer, verb, domain, reason, asked, begun)"
                " VALUES ('', 'check', '', '', '', '', '', '{}', 0)"
            )
            (count,) = db.execute("SELECT count(*) FROM change").fetchone()
            db.execute("ROLLBACK")
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            words, process = holders.of_lock(path, Path(f"{path}-wal"), Path(f"{path}-shm"))
            if words and "xmand" not in words:
                return (
                    False,
                    f"{words[0]} (process {process}) keeps it locked, so changes could not be recorded; stop it",
                )
            return True, "in use by an xmand that runs"
        return False, explain(error)
    except (sqlite3.Error, OSError) as error:
        return False, explain(error)
    return True, f"{count - 1} changes, and can be written"


def _examine_directory(directory: Path) -> tuple[bool, str]:
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent  # xmand makes what is missing
    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"\0" * 65_536)
        file.flush()
    return True, "it will be begun"
