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

        @property
        def source(self) -> int:
            """The descriptor to read it from, -1 while there is none yet."""

        def begin(self) -> None:
            """The host takes it from now on."""

        def typed(self, data: bytes) -> tuple[bytes, bool]:
            """Return what of `data` is to be sent, and whether it is the end of it."""

    class Sink(Protocol):
        """Who reads what is shown, and may be slow: what waits for him is kept, and no more is taken meanwhile."""

        @property
        def descriptor(self) -> int:
            """What takes it, -1 while there is none yet."""

        @property
        def waiting(self) -> int:
            """How many octets wait."""

        def flush(self) -> bool:
            """Hand over what is taken now; return whether somebody reads it."""


# What is read of either side at a time, and what may wait to be sent before less is typed.
_CHUNK = 65_536
# How often a deadline is looked at, in milliseconds; and whether somebody is there to be shown something.
_LOOK = 1000
_LOOK_FOR_SOMEBODY = 50


def hold(
    connection: Connection,
    words: list[bytes],
    keyboard: "Keyboard | None",
    show: "Callable[[int, bytes], bool]",
    deadline: Deadline,
    patience: float,
    sink: "Sink | None" = None,
) -> Reply:
    """Run one command until it ends; return its end. `show` gets each stream's octets, and says whether they are read.

    Where they go through a `sink`, no more is taken of the host than that takes.

    Raises UnreachableError where the connection fails, or says nothing for `patience` seconds.
    """
    from rxm.remote import messages

    transport = connection.transport
    try:
        return _Conversation(transport, keyboard, show, deadline, patience, sink).run(words)
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
        sink: "Sink | None",
    ) -> None:
        self._transport = transport
        self._session = transport.session
        self._keyboard = keyboard
        self._show = show
        self._deadline = deadline
        self._patience = patience
        self._sink = sink
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
            if time.monotonic() - heard > self._patience and not self._held_up:
                raise TimeoutError
            self._unsent += self._session.take_outgoing()
            source = self._source
            ready = self._poll(sock.fileno(), source)
            if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
                heard = time.monotonic()
                data = sock.recv(_CHUNK)
                if not data:
                    raise EOFError
                self._session.receive(data)
                self._take()
            if self._unsent and ready.get(sock.fileno(), 0) & select.POLLOUT:
                self._unsent = self._unsent[sock.send(self._unsent) :]
            if ready.get(source, 0) & ~select.POLLOUT:
                self._type(source)
            if self._sink is not None and self._sink.waiting and not self._sink.flush():
                self._unread = True
            if self._unread and not self._leave():
                # Nobody reads, and nothing can be told to end: what was asked for ends with the connection.
                self._transport.abandon()
                return self._reply
        if self._session.input_open:
            self._session.end()
        self._transport.send(self._unsent + self._session.take_outgoing(), self._deadline.remaining(self._patience))
        return self._reply

    @property
    def _source(self) -> int:
        return self._keyboard.source if self._keyboard is not None and self._typing else -1

    @property
    def _held_up(self) -> bool:
        """Whether who is shown something has not taken it yet."""
        return self._sink is not None and self._sink.waiting >= _CHUNK and not self._unread

    def _poll(self, sock: int, source: int) -> dict[int, int]:
        wanted = {sock: (0 if self._held_up else select.POLLIN) | (select.POLLOUT if self._unsent else 0)}
        if source >= 0 and len(self._unsent) < _CHUNK:
            wanted[source] = select.POLLIN
        if self._sink is not None and self._sink.waiting and self._sink.descriptor >= 0:
            wanted[self._sink.descriptor] = wanted.get(self._sink.descriptor, 0) | select.POLLOUT
        poll = select.poll()
        for descriptor, mask in wanted.items():
            poll.register(descriptor, mask)
        waits_for_somebody = self._typing and source < 0
        return dict(poll.poll(_LOOK_FOR_SOMEBODY if waits_for_somebody else _LOOK))

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

    def _type(self, source: int) -> None:
        """Send what was typed."""
        import os

        assert self._keyboard is not None  # noqa: S101  # whoever types has one
        try:
            typed = os.read(source, _CHUNK)
        except BlockingIOError:
            return
        except ConnectionError:
            typed = b""
        data, end = self._keyboard.typed(typed)
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
