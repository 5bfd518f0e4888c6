"""What is served on the event loop as long as its client stays: the ends that such a command works with."""

import abc
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from xman.result import Result


class Taker(Protocol):
    """Who takes what a client sends; called on the event loop."""

    def take(self, data: bytes) -> bool:
        """Take octets; return whether more may come before `Client.more_input` is called."""

    def no_more(self) -> None:
        """The client has ended its input, or is gone."""


class Client(Protocol):
    """The client's end (`xmand.dispatch.streaming.Listener`)."""

    def send_progress(self, text: str) -> None:
        """Say something beside what the command says."""

    def open_input(self, taker: Taker) -> None:
        """Ask for what the client sends."""

    def more_input(self) -> None:
        """Ask for more of it."""


class Stream(Protocol):
    """The reply (`xmand.dispatch.streaming.Stream`)."""

    on_end: Callable[[], None]

    @property
    def listener(self) -> Client:
        """Who gets it."""

    def check(self) -> None:
        """Raise why it has ended, where it has."""

    async def deliver(self, data: bytes) -> None:
        """Send a part."""


# Makes a call that blocks, in a thread.
InWorker = Callable[[Callable[[], object]], Awaitable[object]]


class Served(abc.ABC):
    """A command that its verb has begun, in a worker, and that goes on without one.

    `stay` is entered for as long as it is served.
    """

    stay: contextlib.AbstractContextManager[None] = contextlib.nullcontext()

    @abc.abstractmethod
    def abandon(self) -> None:
        """Give back what it holds: nobody is there to be served."""

    @abc.abstractmethod
    async def serve(self, stream: Stream, in_worker: InWorker) -> Result:
        """Serve it until the client leaves, or it ends. Raises XmanError, and why the stream has ended."""
