"""The list of administrators, read strictly.

Our own reader and not krb5_kuserok(3): that one *allows* by its defaults where the file is absent. The contract is that
whom we allow, MIT with the file present would allow too. Source: MIT krb5, k5login(5) and
src/lib/krb5/os/localauth_k5login.c.
"""

import contextlib
import functools
import hashlib
import logging
import os
import re
import stat
import time
from dataclasses import dataclass

from xmand.authorize.grant import EVERY_VERB, Grant, UnreadError
from xmand.system import mounts

MOST_OCTETS = 1 << 20
# MIT reads lines into a buffer of BUFSIZ (8,192) octets and skips what does not fit.
MOST_LINE_OCTETS = 8190
# As GSSAPI writes what would be a sign in a name.
_ESCAPED = re.compile(rb"\\.")
_TRIES = 4
_TRY_SECONDS = 0.03
_GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class K5loginError(Exception):
    """The list cannot be used, so nobody is allowed; the text names the file and what is wrong with it."""


class _ChangedError(Exception):
    """The file was being rewritten while it was read."""


@dataclass(frozen=True)
class AccessList:
    """One reading of the file."""

    entries: frozenset[bytes]
    # Lines that look like a slip (white space, a comment, no realm): they allow nobody.
    warnings: tuple[str, ...]
    sha256: str
    modified: float

    def permits(self, principal: bytes) -> bool:
        """Whether `principal` stands on a line of its own, exactly."""
        return principal in self.entries


# Which file it was: whatever is done to a file changes one of these, but for a change within the clock's grain.
_Mark = tuple[int, int, int, int, int, int, int]
# git's rule for racy times: what was changed so shortly before it was read may have been changed again unseen.
_RACY_SECONDS = 2.0


def read(path: str) -> AccessList:
    """Read the list as it is now. Raises K5loginError.

    The file must be a regular one (a symbolic link is refused), owned by root or by the user we run as, and writable by
    its owner only. A file that is replaced by rename(2) is never seen half.
    """
    return _read_marked(path)[0]


def _read_marked(path: str) -> tuple[AccessList, _Mark | None]:
    """Return the list, and by what its file can be told unchanged; nothing where it cannot be, yet or at all."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_TRY_SECONDS)
        try:
            content, found = _read_whole(path)
            settled = time.time() - found.st_ctime > _RACY_SECONDS and mounts.local(path, found.st_dev)
            return AccessList(*_parse(path, content), found.st_mtime), _mark(found) if settled else None
        except _ChangedError:
            continue
        except OSError as error:
            raise K5loginError(f"{path}: {error.strerror}; nobody is authorized") from error
    raise K5loginError(f"{path}: changes while it is read; nobody is authorized (replace it by renaming)")


def _mark(found: os.stat_result) -> _Mark:
    return (
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_mode,
        found.st_uid,
    )


def _read_whole(path: str) -> tuple[bytes, os.stat_result]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        before = os.fstat(descriptor)
        _check(path, before)
        content = b""
        while len(content) <= MOST_OCTETS and (chunk := os.read(descriptor, MOST_OCTETS + 1 - len(content))):
            content += chunk
        after, at_path = os.fstat(descriptor), os.lstat(path)
    finally:
        os.close(descriptor)
    marks = {(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns) for s in (before, after, at_path)}
    if len(marks) != 1 or len(content) != before.st_size:
        raise _ChangedError
    return content, before


def _check(path: str, found: os.stat_result) -> None:
    problem = ""
    if not stat.S_ISREG(found.st_mode):
        problem = "is not a regular file"
    elif found.st_uid not in (0, os.geteuid()):
        problem = f"is owned by uid {found.st_uid}, not by root"
    elif found.st_mode & _GROUP_OR_OTHERS_WRITE:
        problem = f"is writable by others (mode {stat.S_IMODE(found.st_mode):04o}); run chmod go-w"
    elif found.st_size > MOST_OCTETS:
        problem = f"is larger than {MOST_OCTETS} octets"
    if problem:
        raise K5loginError(f"{path}: {problem}; nobody is authorized")


# The file is read for every question, and hardly ever says anything else than the last time.
@functools.lru_cache(maxsize=1)
def _parse(path: str, content: bytes) -> tuple[frozenset[bytes], tuple[str, ...], str]:
    """Return the entries, the warnings and the SHA-256 of a list that holds `content`. Raises K5loginError."""
    lines = content.split(b"\n")
    if b"\0" in content:
        number = content[: content.index(b"\0")].count(b"\n") + 1
        raise K5loginError(f"{path}: line {number} holds a NUL octet; nobody is authorized")
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_LINE_OCTETS:
            raise K5loginError(f"{path}: line {number} is longer than {MOST_LINE_OCTETS} octets; nobody is authorized")
    entries = set()
    warnings = []
    for number, line in enumerate(lines, 1):
        slip = _slip(line)
        if slip:
            warnings.append(f"{path}: line {number} {slip}, so it authorizes nobody")
        elif line:
            entries.add(line)
            if _realms(line) > 1:  # no KDC gives such a name, but it is a line like others
                warnings.append(f"{path}: line {number} has more than one '@'; write one principal on a line")
    return frozenset(entries), tuple(warnings), hashlib.sha256(content).hexdigest()


def _slip(line: bytes) -> str:
    """Return what keeps a line from naming a principal, empty where nothing does."""
    if line.startswith(b"#"):
        return "looks like a comment, and .k5login has none"
    if any(not 0x21 <= octet <= 0x7E for octet in line):
        return "holds white space or an octet that is not ASCII"
    if line and not _realms(line):
        return "names no realm"
    return ""


def _realms(line: bytes) -> int:
    return _ESCAPED.sub(b"", line).count(b"@")


logger = logging.getLogger(__name__)

_PROBLEM_SECONDS = 60.0


class Listed:
    """The list at `path`, as it is at each question; any thread may ask.

    A file that has not changed, on a file system of this machine's own, is told by one lstat(2). Everything else may
    take its time, or for ever, and is for a worker.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._problem_at = -_PROBLEM_SECONDS
        self._warned = ""
        self._kept: tuple[_Mark, AccessList] | None = None
        # As it was read last: for what is no permission.
        self.last: AccessList | None = None

    def grant(self, principal: str) -> Grant | None:
        """Everything, or nothing; blocks."""
        found = self.read()
        return Grant(EVERY_VERB) if found is not None and found.permits(principal.encode()) else None

    def unchanged(self) -> AccessList:
        """Return the list, where its file tells at once that it is as it was. Raises UnreadError; does not block."""
        kept = self._kept
        if kept is not None:
            try:
                if _mark(os.lstat(self.path)) == kept[0]:
                    return kept[1]
            except OSError:
                pass
            self._kept = None
        raise UnreadError

    def read(self) -> AccessList | None:
        """Return the list as it is now. An unusable one is reported once a minute, slips in it once each."""
        with contextlib.suppress(UnreadError):
            return self.unchanged()
        try:
            found, mark = _read_marked(self.path)
        except K5loginError as error:
            self.last = None
            if time.monotonic() - self._problem_at >= _PROBLEM_SECONDS:
                self._problem_at = time.monotonic()
                logger.error("%s", error)
            return None
        if mark is not None:
            self._kept = (mark, found)
        self.last = found
        if found.warnings and found.sha256 != self._warned:
            self._warned = found.sha256
            for warning in found.warnings:
                logger.warning("%s", warning)
        return found
