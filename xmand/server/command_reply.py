"""Where the reply to one command goes (`xmand.dispatch.dispatcher.Reply`): over its client's connection."""

import asyncio
import contextlib
from typing import Protocol

from xman.server_session import ServerSession
from xman.wire.constants import STDERR, STDOUT
from xmand.consoles.served import Taker
from xmand.server.client_socket import ClientSocket
from xmand.server.command_input import CommandInput

# What progress may add to a reply that nobody reads.
_MOST_UNREAD = 1 << 20
# Of a long reply, what is sealed and sent at a time.
_PART = 65_536


class Carrier(Protocol):
    """What carries a reply; `xmand.server.connection.Connection`."""

    @property
    def session(self) -> ServerSession:
        """The protocol's side."""

    @property
    def client(self) -> ClientSocket:
        """The socket's."""

    def flush(self) -> None:
        """Send what there is to send. Raises OSError."""

    def owes(self, octets: int) -> None:
        """Take note that so many octets of the reply are kept until they are read."""

    def wait_for_turn(self) -> None:
        """Go on with what comes as soon as there is a turn."""


class CommandReply:
    """The reply to one command, `over` when that is answered; all methods are called on the event loop."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._session = carrier.session
        self._client = carrier.client
        # What the client types to the command, where it takes that.
        self._input: CommandInput | None = None
        self.over = False

    def send_output(self, stream: int, data: bytes) -> None:
        """Queue a part of the output; it goes out with the end of the reply, in one piece."""
        self._session.send_output(stream, data)

    def send_status(self, status: int) -> None:
        """Queue the end of the reply."""
        self._session.send_status(status)

    def send_error(self, code: int) -> None:
        """Queue the end of the reply."""
        self._session.send_error(code)

    def send_progress(self, text: str) -> None:
        """Send a line on stream 2 at once; nothing where the caller has had its answer, or does not read."""
        if not self.over and not self._client.lost and len(self._client.unsent) < _MOST_UNREAD:
            self._session.send_output(STDERR, f"{text}\n".encode())
            # A client that is gone is noticed by the reply itself; what it asked for goes on.
            with contextlib.suppress(OSError):
                self._carrier.flush()

    async def send_part(self, data: bytes) -> None:
        """Send a part of the output on stream 1, a sign of life where there is none; return when the socket has it.

        Raises OSError (TimeoutError among them) and GssError where the client is gone or does not read.
        """
        if data:
            self._session.send_output(STDOUT, data)
        else:
            self._session.send_sign_of_life()
        self._carrier.flush()
        await self._client.sent()

    async def send_long(self, data: bytes) -> None:
        """Send much output in parts, each as the socket has taken the one before; others have turns in between.

        Raises as `send_part`.
        """
        try:
            for at in range(0, len(data), _PART):
                self._carrier.owes(len(data) - at)
                await self.send_part(data[at : at + _PART])
                await asyncio.sleep(0)
        finally:
            self._carrier.owes(0)

    def gone(self) -> bool:
        """Whether the client has closed its side."""
        return self._client.hung_up()

    # --- what is typed to the command ---------------------------------------------------------------------------------

    @property
    def input(self) -> CommandInput | None:
        """What the client types to it, where more of that may come."""
        return self._input if self._input is not None and self._input.wanted and not self._client.lost else None

    def open_input(self, taker: Taker) -> None:
        """Ask the client for input to the command that runs, and hand it to `taker`."""
        self._session.open_input()
        self._input = CommandInput(self._client, self._session, taker)
        with contextlib.suppress(OSError):  # who is gone is noticed
            self._carrier.flush()
        self._client.watch(True)

    def more_input(self) -> None:
        """Let more input come, where its taker has said that it was enough."""
        if not self.over and self._input is not None and self._input.full:
            self._input.full = False
            self._carrier.wait_for_turn()
