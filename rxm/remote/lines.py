"""Commands whose reply comes in parts: a line at a time, as the host sends them."""

from xman.errors import XmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Two of the signs of life that a host gives to whoever follows, and time for a third.
SILENCE_SECONDS = 90.0
# As long as a whole answer may be.
MOST_LINE = 64 << 20


class Lines:
    """Cuts what comes into lines."""

    def __init__(self, line: "Callable[[bytes], None]") -> None:
        self._line = line
        self._pieces: list[bytes] = []
        self._octets = 0

    def feed(self, data: bytes) -> None:
        """Call `line` with each line that is whole now, without its end."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = self._taken() + lines[0]
        self._pieces.append(rest)
        self._octets += len(rest)
        if self._octets > MOST_LINE:
            raise XmanError(f"the host answers with a line of more than {MOST_LINE >> 20} MiB.")
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Call it with what has come without an end."""
        rest = self._taken()
        if rest:
            self._line(rest)

    def _taken(self) -> bytes:
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._octets = 0
        return rest


class ReaderGoneError(Exception):
    """Nobody reads our standard output any more (`| head`)."""
