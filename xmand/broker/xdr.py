"""XDR (RFC 4506) as far as libvirt's remote protocol needs it for a migration, every length checked. Pure."""

import struct

_INTEGERS = {1: 4, 2: 4, 3: 8, 4: 8, 5: 8, 6: 4}
_STRING = 7
# libvirt's own bounds: REMOTE_DOMAIN_MIGRATE_PARAM_LIST_MAX and REMOTE_STRING_MAX; cookies are as long as strings.
MOST_PARAMETERS = 64
MOST_TEXT = 4 << 20


class XdrError(ValueError):
    """What was said is not what it has to be."""


class Reader:
    """Reads one body from its begin to its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def unsigned(self) -> int:
        """Read an unsigned integer."""
        (found,) = struct.unpack(">I", self._take(4))
        return int(found)

    def flag(self) -> bool:
        """Read a boolean, or whether something follows. Raises XdrError where it is neither."""
        found = self.unsigned()
        if found > 1:
            raise XdrError(f"{found} is no boolean")
        return bool(found)

    def octets(self) -> bytes:
        """Read octets of a variable number."""
        count = self.unsigned()
        if count > MOST_TEXT:
            raise XdrError(f"{count} octets")
        found = self._take(count)
        if any(self._take(-count % 4)):
            raise XdrError("padding that is not zero")
        return found

    def text(self) -> str:
        """Read a string."""
        found = self.octets()
        try:
            text = found.decode("utf-8")
        except UnicodeDecodeError:
            raise XdrError("a string that is not UTF-8") from None
        if "\0" in text:
            raise XdrError("a string with a NUL")
        return text

    def fixed(self, count: int) -> bytes:
        """Read octets of a known number, a multiple of four."""
        return self._take(count)

    def parameters(self) -> dict[str, str]:
        """Read typed parameters; of those that are no strings the value is empty. Raises XdrError for a second one."""
        count = self.unsigned()
        if count > MOST_PARAMETERS:
            raise XdrError(f"{count} parameters")
        found: dict[str, str] = {}
        for _ in range(count):
            name = self.text()
            if name in found:
                raise XdrError("a parameter that is given twice")
            kind = self.unsigned()
            if kind == _STRING:
                found[name] = self.text()
            elif kind in _INTEGERS:
                self._take(_INTEGERS[kind])
                found[name] = ""
            else:
                raise XdrError(f"a parameter of type {kind}")
        return found

    def end(self) -> None:
        """Nothing may follow. Raises XdrError where something does."""
        if self._at != len(self._body):
            raise XdrError(f"{len(self._body) - self._at} octets too many")

    def _take(self, count: int) -> bytes:
        if count > len(self._body) - self._at:
            raise XdrError("it ends too early")
        found = self._body[self._at : self._at + count]
        self._at += count
        return found
