"""Which keys the keytab holds: versions and encryption types, never the keys themselves.

GSSAPI does not tell. Source: MIT krb5, "Keytab file format" (doc/formats/keytab_file_format.rst); also Heimdal's.
"""

import stat
import struct
from dataclasses import dataclass
from pathlib import Path

_VERSION = b"\x05\x02"
# A keytab of a host with many names has some hundred keys of about a hundred octets.
_MOST_OCTETS = 1 << 20
# IANA, "Kerberos Encryption Type Numbers".
ENCTYPES = {
    1: "des-cbc-crc",
    2: "des-cbc-md4",
    3: "des-cbc-md5",
    16: "des3-cbc-sha1",
    17: "aes128-cts-hmac-sha1-96",
    18: "aes256-cts-hmac-sha1-96",
    19: "aes128-cts-hmac-sha256-128",
    20: "aes256-cts-hmac-sha384-192",
    23: "arcfour-hmac",
    24: "arcfour-hmac-exp",
    25: "camellia128-cts-cmac",
    26: "camellia256-cts-cmac",
}


class KeytabError(Exception):
    """The file cannot be read as a keytab; the text names it."""


@dataclass(frozen=True, order=True)
class Key:
    """One key: whose, which version, for which encryption type (IANA's name, or its number)."""

    principal: str
    kvno: int
    enctype: str

    @property
    def weak(self) -> bool:
        """Whether others can pass by it for whose it is, or clients for others (RFC 6649, RFC 8429, CVE-2025-3576)."""
        return self.enctype.startswith(("des-", "des3-", "arcfour-"))


def is_no_file(name: str) -> bool:
    """Return whether there is something else than a file: whoever opens a FIFO waits for its other end."""
    try:
        return not stat.S_ISREG(Path(_path(name)).stat().st_mode)
    except (OSError, ValueError):  # whoever opens it says what it is
        return False


def read(name: str) -> list[Key]:
    """Return the keys of a keytab, sorted; `name` may begin with `FILE:`. Raises KeytabError."""
    path = _path(name)
    if is_no_file(name):
        raise KeytabError(f"{path}: is not a file")
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise KeytabError(f"{path}: {error.strerror}") from error
    if len(content) > _MOST_OCTETS or not content.startswith(_VERSION):
        raise KeytabError(f"{path}: is not a keytab of format 5.2")
    try:
        return sorted(set(_entries(content)))
    except struct.error as error:
        raise KeytabError(f"{path}: is truncated or damaged") from error


def _entries(content: bytes) -> list[Key]:
    """Return the keys of all entries. Raises struct.error."""
    found = []
    at = len(_VERSION)
    while at + 4 <= len(content):
        (size,) = struct.unpack_from(">i", content, at)
        at += 4
        if size == 0:  # MIT: what follows was never written
            break
        if size > 0:  # a negative size is a hole that a removed key left
            entry = content[at : at + size]
            if len(entry) < size:
                raise struct.error("cut short")
            found.append(_entry(entry))
        at += abs(size)
    return found


def _entry(entry: bytes) -> Key:
    fields = _Fields(entry)
    count = fields.number(">H")
    realm, *components = [fields.counted() for _ in range(count + 1)]
    fields.number(">I")  # the name's type
    fields.number(">I")  # when it was written
    version = fields.number(">B")
    kind = fields.number(">H")
    fields.counted()
    # Versions above 255 stand behind the key, where there is room for them.
    if fields.left() >= 4:
        version = fields.number(">I") or version
    principal = f"{'/'.join(components)}@{realm}"
    return Key(principal, version, ENCTYPES.get(kind, str(kind)))


class _Fields:
    """The fields of an entry, one after the other; each raises struct.error where it is cut short."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._octets, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def counted(self) -> str:
        (value,) = struct.unpack_from(f"{self.number('>H')}s", self._octets, self._at)
        self._at += len(value)
        return str(value.decode("utf-8", "backslashreplace"))

    def left(self) -> int:
        return len(self._octets) - self._at


def _path(name: str) -> str:
    return name.removeprefix("FILE:").removeprefix("WRFILE:")
