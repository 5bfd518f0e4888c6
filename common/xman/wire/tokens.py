"""The outer frame: one octet of flags, four of length, the payload (remctl protocol specification, section 2)."""

from xman.wire.constants import TOKEN_HEADER


class TokenTooLargeError(Exception):
    """The peer announced a payload, of `length` octets, over the limit. Nothing of the payload was kept."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"a token of {length} octets; the limit is {limit}")
        self.length = length


def encode_token(flags: int, payload: bytes) -> bytes:
    """Frame `payload` (at most 2**32 - 1 octets) under `flags` (one octet)."""
    return bytes((flags,)) + len(payload).to_bytes(4, "big") + payload


class TokenReader:
    """Cuts a byte stream into tokens, however the bytes arrive.

    `limit` is the largest payload accepted, in octets; it may be changed between tokens (less before the peer is known
    than after). A length over it is refused as soon as the header is in, before any memory is spent on the payload.
    """

    __slots__ = ("_buffer", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add octets received from the peer."""
        self._buffer += data

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def ready(self) -> bool:
        """Whether `next_token` would return a token, or raise."""
        if len(self._buffer) < TOKEN_HEADER:
            return False
        length = int.from_bytes(self._buffer[1:TOKEN_HEADER], "big")
        return length > self.limit or len(self._buffer) >= TOKEN_HEADER + length

    def next_token(self) -> tuple[int, bytes] | None:
        """Return the next (flags, payload), or None while it is not whole.

        Raises TokenTooLargeError.
        """
        buffer = self._buffer
        if len(buffer) < TOKEN_HEADER:
            return None
        length = int.from_bytes(buffer[1:TOKEN_HEADER], "big")
        if length > self.limit:
            raise TokenTooLargeError(length, self.limit)
        end = TOKEN_HEADER + length
        if len(buffer) < end:
            return None
        flags, payload = buffer[0], bytes(buffer[TOKEN_HEADER:end])
        del buffer[:end]
        return flags, payload
