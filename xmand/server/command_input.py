"""What a client sends to the command that runs, an extension of the wire: handed over in turns of the event loop."""

from xman.server_session import Closed, InputReceived, ServerSession
from xmand.consoles.served import Taker

# What is handed over at a time, in octets: who takes it may look at each message of another protocol in it (VNC), of
# four octets or more, on the event loop.
PIECE = 4096


class CommandInput:
    """The input of one command; `full` while who takes it wants no more, so that nothing more is read for it."""

    def __init__(self, session: ServerSession, taker: Taker) -> None:
        self._session = session
        self._taker = taker
        self._left = b""
        self.full = False

    @property
    def ready(self) -> bool:
        """Whether there is more to hand over, or to look at, without another octet from the client."""
        return bool(self._left) or (self.wanted and self._session.ready)

    @property
    def wanted(self) -> bool:
        """Whether more of it may come, ever."""
        return self._session.input_open

    def hand_over(self, most: int) -> Closed | None:
        """Hand over what is in at most `most` messages, or pieces; return how the conversation has ended, if it has."""
        for _ in range(most):
            if self.full:
                return None
            if self._left:
                piece, self._left = self._left[:PIECE], self._left[PIECE:]
                self.full = not self._taker.take(piece)
                continue
            event = self._session.next_input()
            if event is None:
                return None
            if isinstance(event, InputReceived):
                piece, self._left = event.data[:PIECE], event.data[PIECE:]
                if piece:  # without octets there is nothing that might be counted
                    self.full = not self._taker.take(piece)
                continue
            self._taker.no_more()
            return event if isinstance(event, Closed) else None
        return None

    def gone(self) -> None:
        """The client is."""
        self._taker.no_more()
