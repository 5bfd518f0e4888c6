"""What is served on the event loop as long as its client stays: the ends that such a command works with."""

import abc
import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from xman.result import Result

# How often is asked what has become of a domain, at first and later.
_ASK_SECONDS, _ASK_LATER_SECONDS = 0.1, 1.0


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
# Tells what has become of a domain, after so many seconds of asking; nothing where that is not known yet.
Ended = Callable[[float], str]


async def ask_what_became(ended: Ended, gone: Callable[[], bool], stream: Stream, in_worker: InWorker) -> str:
    """Ask `ended`, in a worker, until it tells; return nothing where the client is `gone` before.

    Raises what `ended` does, and why the stream has ended.
    """
    began = time.monotonic()
    waited = 0.0
    while not (said := str(await in_worker(functools.partial(ended, waited)))) and not gone():
        stream.check()
        await asyncio.sleep(min(max(waited / 4, _ASK_SECONDS), _ASK_LATER_SECONDS))
        waited = time.monotonic() - began
    return said


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
