"""What a VNC client says (RFC 6143), followed without touching the screen: whether it types, and that it is alone.

The server is QEMU's, opened so that it asks for no password: what the client says is then determined by its version.
"""

from collections.abc import Callable

_VERSION_OCTETS = 12
_NONE = 1  # the security type without a password
# Message types, and how long they are; RFC 6143, 7.5, and the extensions that QEMU knows.
_FIXED = {0: 20, 3: 10, 4: 8, 5: 6, 150: 10, 250: 4}
_ENCODINGS, _KEY, _POINTER, _CUT, _FENCE, _DESKTOP, _QEMU = 2, 4, 5, 6, 248, 251, 255
# QEMU's own messages, by what follows the type: a key, and sound, which is looked at once more.
_QEMU_KEY, _QEMU_SOUND = 0, 1
_QEMU_LENGTHS = {_QEMU_KEY: 12, _QEMU_SOUND: 4}
_QEMU_SOUND_FORMAT = 10
# No message of a viewer's is longer: a clipboard.
MOST_MESSAGE = 1024 * 1024


class RfbError(Exception):
    """A message that cannot be followed."""


class Said:
    """The octets of one client, in its order.

    `feed` returns what the server is to get of them: all, but that the screen is always shared, and that with
    `view_only` neither keys nor the mouse nor the clipboard reach it. `typed` is whether there was any of that.
    """

    def __init__(self, *, view_only: bool) -> None:
        self._view_only = view_only
        self._held = bytearray()
        self._step: Callable[[], bytes | None] = self._version
        self._lost = False
        self.typed = False

    def feed(self, data: bytes) -> bytes:
        """Take octets, return those for the server. Raises RfbError where only looking is allowed and cannot be kept.

        What is no message that is known is handed on as it is, and all behind it: it is the server's to refuse.
        """
        if self._lost:
            return data
        self._held += data
        passed = bytearray()
        try:
            while self._held:
                found = self._step()
                if found is None:
                    break
                passed += found
        except RfbError:
            if self._view_only:
                raise
            self._lost = True
            # Whoever says what we cannot follow may have typed.
            self.typed = True
            passed += self._held
            self._held.clear()
        return bytes(passed)

    # --- the handshake -----------------------------------------------------------------------------------------------

    def _version(self) -> bytes | None:
        if len(self._held) < _VERSION_OCTETS:
            return None
        said = bytes(self._held[:_VERSION_OCTETS])
        if not (said.startswith(b"RFB 003.") and said.endswith(b"\n") and said[8:11].isdigit()):
            raise RfbError("no version")
        # Up to 3.6 the server alone chooses.
        self._step = self._security if int(said[8:11]) >= 7 else self._shared
        return self._cut(_VERSION_OCTETS)

    def _security(self) -> bytes | None:
        if self._held[0] != _NONE:
            raise RfbError("a security type that was not offered")
        self._step = self._shared
        return self._cut(1)

    def _shared(self) -> bytes | None:
        self._cut(1)
        self._step = self._message
        return b"\x01"

    # --- messages ----------------------------------------------------------------------------------------------------

    def _message(self) -> bytes | None:
        length = self._length()
        said = None if length is None else self._cut(length)
        if said is None:
            return None
        kind = said[0]
        types = kind in (_KEY, _CUT) or (kind == _QEMU and said[1] == _QEMU_KEY) or (kind == _POINTER and said[1] != 0)
        if types and not self._view_only:
            self.typed = True
        return b"" if self._view_only and (types or kind in (_POINTER, _DESKTOP)) else said

    def _length(self) -> int | None:
        """Return how long the next message is, None while that is not here."""
        held = self._held
        kind = held[0]
        if kind in _FIXED:
            return _FIXED[kind]
        if kind == _ENCODINGS:
            return None if len(held) < 4 else 4 + 4 * int.from_bytes(held[2:4])
        if kind == _CUT:
            # Negative: the extended clipboard's.
            return None if len(held) < 8 else 8 + _bounded(abs(int.from_bytes(held[4:8], signed=True)))
        if kind == _FENCE:
            return None if len(held) < 9 else 9 + held[8]
        if kind == _DESKTOP:
            return None if len(held) < 8 else 8 + 16 * held[6]
        if kind == _QEMU:
            return self._qemu_length()
        raise RfbError(f"a message of the type {kind}")

    def _qemu_length(self) -> int | None:
        held = self._held
        if len(held) < 4:
            return None
        length = _QEMU_LENGTHS.get(held[1])
        if length is None:
            raise RfbError(f"a message of QEMU's of the type {held[1]}")
        return _QEMU_SOUND_FORMAT if held[1] == _QEMU_SOUND and held[2:4] == b"\x00\x02" else length

    def _cut(self, length: int) -> bytes | None:
        """Return the next `length` octets, None while they are not here."""
        if len(self._held) < length:
            return None
        said = bytes(self._held[:length])
        del self._held[:length]
        return said


def _bounded(length: int) -> int:
    if length > MOST_MESSAGE:
        raise RfbError("a message that does not end")
    return length
