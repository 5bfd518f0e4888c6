"""What a client sends to the command that runs, an extension of the wire: handed over in turns of the event loop."""

from xman.server_session import Closed, InputReceived, ServerSession
from xmand.consoles.served import Taker
from xmand.server.client_socket import ClientSocket
from xmand.server.turns import MOST_MESSAGES, MOST_OCTETS

# What is handed over at a time, in octets: who takes it may look at each message of another protocol in it (VNC), of
# four octets or more, on the event loop.
PIECE = 4096


class CommandInput:
    """The input of one command; `full` while who takes it wants no more, so that nothing more is read for it."""

    def __init__(self, client: ClientSocket, session: ServerSession, taker: Taker) -> None:
        self._client = client
        self._session = session
        self._taker = taker
        self._left = b""
        self._there = True
        self.full = False
        # How many octets the last turn read; why there is no more to come, where the client broke the protocol.
        self.come = 0
        self.complaint = ""

    @property
    def ready(self) -> bool:
        """Whether there is more to hand over, or to look at, now and without another octet from the client."""
        return not self.full and (bool(self._left) or (self.wanted and self._session.ready))

    @property
    def wanted(self) -> bool:
        """Whether more of it may come, ever."""
        return self._session.input_open

    def turn(self) -> bool:
        """Hand over what has come, as far as a turn goes; return whether the client is still there."""
        self.come = 0
        if not self.full and not self.ready:
            self._receive()
        for _ in range(MOST_MESSAGES):
            if not self.ready:
                break
            self._hand_over()
        return self._there

    def _receive(self) -> None:
        try:
            data = self._client.receive(MOST_OCTETS)
        except OSError:
            data = b""
        if data:
            self.come = len(data)
            self._session.receive(data)
        elif data is not None:
            self._end()

    def _hand_over(self) -> None:
        """Hand over the next piece."""
        if not self._left:
            self._next()
        piece, self._left = self._left[:PIECE], self._left[PIECE:]
        if piece:  # without octets there is nothing that might be counted
            self.full = not self._taker.take(piece)

    def _next(self) -> None:
        event = self._session.next_input()
        if isinstance(event, InputReceived):
            self._left = event.data
        elif isinstance(event, Closed):
            self.complaint = event.detail
            self._end()
        elif event is not None:
            self._taker.no_more()

    def _end(self) -> None:
        self._there = False
        self._taker.no_more()
