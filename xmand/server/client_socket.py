"""A client's socket on the event loop: octets that come, and those that it has not taken yet. It knows no message."""

import asyncio
import contextlib
import errno
import select
import socket
from collections.abc import Callable

# Why a reply is not sent.
GONE = "the client is gone"


def why(error: Exception) -> str:
    """Return what went wrong in words, without the kernel's number for it."""
    return str((isinstance(error, OSError) and error.strerror) or error)


class ClientSocket:
    """One client's, which somebody else closes; the callbacks are called on the event loop.

    `on_readable`: there are octets, or their end. `on_sent`: it has taken all that waited. `on_failed`: it takes no
    more, and why.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_readable: Callable[[], None],
        on_sent: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        # asyncio would have the socket describe itself, which asks the kernel four times.
        self._number = sock.fileno()
        self._on_readable = on_readable
        self._on_sent = on_sent
        self._on_failed = on_failed
        self._watched = False
        # What it has not taken yet, and who waits until it has.
        self.unsent = b""
        self._waiters: list[asyncio.Future[None]] = []
        # The client has closed its side; we have done with it.
        self.gone = False
        self.closed = False

    @property
    def lost(self) -> bool:
        """Whether nothing that is sent will arrive."""
        return self.gone or self.closed

    def watch(self, wanted: bool) -> None:
        """Call `on_readable` when something comes, or do not."""
        wanted &= not self.lost
        if wanted != self._watched:
            self._watched = wanted
            if wanted:
                self._loop.add_reader(self._number, self._on_readable)
            else:
                self._loop.remove_reader(self._number)

    def receive(self, most: int) -> bytes | None:
        """Return what has come, empty at its end; None, and watch, where nothing has. Raises OSError."""
        try:
            return self._socket.recv(most)
        except BlockingIOError:
            self.watch(True)
            return None

    def has_more(self) -> bool:
        """Whether octets have come that nobody has taken: it is not at its end."""
        with contextlib.suppress(OSError):
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        return False

    def hung_up(self) -> bool:
        """Whether the client has closed its side, noticed or not."""
        if self.lost:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def send(self, data: bytes) -> bool:
        """Send octets; what it does not take goes out as it does. Return whether some wait now that did not.

        Raises OSError; nothing is sent to who is gone.
        """
        if not data or self.lost:
            return False
        if self.unsent:
            self.unsent += data
            return False
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self._socket.send(data)
        # As a rule that was all of it.
        if sent == len(data):
            return False
        self.unsent = data[sent:]
        self._loop.add_writer(self._number, self._writable)
        return True

    async def sent(self) -> None:
        """Return when it has taken all. Raises OSError where it never will."""
        if self.lost:
            raise BrokenPipeError(errno.EPIPE, GONE)
        if self.unsent:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def leave(self) -> None:
        """The client has closed its side: whoever keeps the socket may close it."""
        self.watch(False)
        self._stop_writing()
        self.gone = True
        self._wake(BrokenPipeError(errno.EPIPE, GONE))

    def close(self) -> None:
        """Have done with it; what is not sent is not."""
        self.watch(False)
        self._stop_writing()
        self.closed = True
        self._wake(BrokenPipeError(errno.EPIPE, GONE))
        # Whoever gave them holds this: nothing is to wait for Python's collector.
        self._on_readable = self._on_sent = _nothing
        self._on_failed = _nothing

    def _stop_writing(self) -> None:
        if self.unsent and not self.lost:
            self._loop.remove_writer(self._number)

    def _writable(self) -> None:
        try:
            self.unsent = self.unsent[self._socket.send(self.unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._on_failed(why(error))
            return
        if self.unsent:
            return
        self._loop.remove_writer(self._number)
        self._wake(None)
        self._on_sent()

    def _wake(self, error: OSError | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


def _nothing(*_arguments: object) -> None:
    """What follows when it is closed."""
