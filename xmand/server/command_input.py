"""What a client sends to the command that runs, an extension of the wire: handed over in turns of the event loop."""

from xman.server_session import Closed, InputReceived, ServerSession
from xmand.dispatch.streaming import Taker


class CommandInput:
    """The input of one command; `full` while who takes it wants no more, so that nothing more is read for it."""

    def __init__(self, session: ServerSession, taker: Taker) -> None:
        self._session = session
        self._taker = taker
        self.full = False

    @property
    def wanted(self) -> bool:
        """Whether more of it may come, ever."""
        return self._session.input_open

    def hand_over(self, most: int) -> Closed | None:
        """Hand over what is in at most `most` messages; return how the conversation has ended, where it has."""
        for _ in range(most):
            event = None if self.full else self._session.next_input()
            if event is None:
                return None
            if isinstance(event, InputReceived):
                self.full = not self._taker.take(event.data)
                continue
            self._taker.no_more()
            return event if isinstance(event, Closed) else None
        return None

    def gone(self) -> None:
        """The client is."""
        self._taker.no_more()
