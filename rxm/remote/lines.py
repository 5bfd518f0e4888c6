"""Commands whose reply comes in parts: a line at a time, as the host sends them."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Two of the signs of life that a host gives to whoever follows, and time for a third.
SILENCE_SECONDS = 90.0


class Lines:
    """Cuts what comes into lines."""

    def __init__(self, line: "Callable[[bytes], None]") -> None:
        self._line = line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Call `line` with each line that is whole now, without its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Call it with what has come without an end."""
        if self._rest:
            self.feed(b"\n")


class ReaderGoneError(Exception):
    """Nobody reads our standard output any more (`| head`)."""
