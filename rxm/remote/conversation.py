"""A command that is typed to while it answers: both directions at once, over one connection."""

import select
import time

from rxm.remote.command import Reply
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from xman.errors import UnreachableError
from xman.gss import GssError
from xman.session import SessionError
from xman.wire.messages import Error, Output, Status, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from rxm.remote.transport import Transport

    class Keyboard(Protocol):
        """Where what is typed comes from."""

        def begin(self) -> None:
            """The host takes it from now on."""

        def typed(self, data: bytes) -> tuple[bytes, bool]:
            """Return what of `data` is to be sent, and whether it is the end of it."""


# What is read of either side at a time, and what may wait to be sent before less is typed.
_CHUNK = 65_536
_STDIN = 0
# How often a deadline is looked at, in milliseconds.
_LOOK = 1000


def hold(
    connection: Connection,
    words: list[bytes],
    keyboard: "Keyboard | None",
    show: "Callable[[int, bytes], bool]",
    deadline: Deadline,
    patience: float,
) -> Reply:
    """Run one command until it ends; return its end. `show` gets each stream's octets, and says whether they are read.

    Raises UnreachableError where the connection fails, or says nothing for `patience` seconds.
    """
    from rxm.remote import messages

    transport = connection.transport
    try:
        return _Conversation(transport, keyboard, show, deadline, patience).run(words)
    except (OSError, SessionError, EOFError, GssError) as error:
        transport.abandon()
        raise UnreachableError(messages.why(error, 0)) from error
    except BaseException:
        transport.abandon()
        raise


class _Conversation:
    def __init__(
        self,
        transport: "Transport",
        keyboard: "Keyboard | None",
        show: "Callable[[int, bytes], bool]",
        deadline: Deadline,
        patience: float,
    ) -> None:
        self._transport = transport
        self._session = transport.session
        self._keyboard = keyboard
        self._show = show
        self._deadline = deadline
        self._patience = patience
        self._reply = Reply()
        self._unsent = b""
        # Whether the keyboard is read, and whether nobody reads what is shown.
        self._typing = self._unread = False

    def run(self, words: list[bytes]) -> Reply:
        self._session.command(words, takes_input=self._keyboard is not None)
        sock = self._transport.nonblocking()
        heard = time.monotonic()
        while not self._session.finished:
            self._deadline.remaining()
            if time.monotonic() - heard > self._patience:
                raise TimeoutError
            self._unsent += self._session.take_outgoing()
            ready = self._poll(sock.fileno())
            if sock.fileno() in ready and ready[sock.fileno()] & ~select.POLLOUT:
                heard = time.monotonic()
                data = sock.recv(_CHUNK)
                if not data:
                    raise EOFError
                self._session.receive(data)
                self._take()
            if self._unsent and ready.get(sock.fileno(), 0) & select.POLLOUT:
                self._unsent = self._unsent[sock.send(self._unsent) :]
            if _STDIN in ready and self._typing:
                self._type()
            if self._unread and not self._leave():
                # Nobody reads, and nothing can be told to end: what was asked for ends with the connection.
                self._transport.abandon()
                return self._reply
        if self._session.input_open:
            self._session.end()
        self._transport.send(self._unsent + self._session.take_outgoing(), self._deadline.remaining(self._patience))
        return self._reply

    def _poll(self, sock: int) -> dict[int, int]:
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        if self._typing and len(self._unsent) < _CHUNK:
            poll.register(_STDIN, select.POLLIN)
        return dict(poll.poll(_LOOK))

    def _take(self) -> None:
        """Take what the host has said."""
        while (message := self._session.next_message()) is not None:
            if isinstance(message, Output):
                if self._session.input_open and not self._typing and self._keyboard is not None:
                    self._keyboard.begin()
                    self._typing = True
                if message.data and not self._show(message.stream, message.data):
                    self._unread = True
            elif isinstance(message, Status):
                self._reply.status = message.status
            elif isinstance(message, Error):
                self._reply.error, self._reply.error_text = message.code, message.text.decode("utf-8", "replace")
            elif isinstance(message, Version):
                raise SessionError(f"The host speaks only up to version {message.highest} of the protocol.")

    def _type(self) -> None:
        """Send what was typed."""
        import os

        assert self._keyboard is not None  # noqa: S101  # whoever types has one
        data, end = self._keyboard.typed(os.read(_STDIN, _CHUNK))
        if data and self._session.input_open:
            self._session.data(data)
        if end:
            self._leave()

    def _leave(self) -> bool:
        """Say that no more is typed, once; return whether there was something to say."""
        self._typing = False
        if not self._session.input_open:
            return False
        self._session.end()
        return True
