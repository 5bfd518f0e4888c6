"""Threads for calls that may block for ever.

A blocked libvirt call cannot be cancelled, so a worker is expendable: its caller stops waiting at a deadline and the
thread comes back when libvirt does. Daemon threads, so that a stuck one does not keep the process from ending.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")
_Job = tuple["Future[Any]", Callable[[], Any]]


class NotStartedError(Exception):
    """The deadline passed before a thread was free: the call was not made, and never will be."""


class NotFinishedError(Exception):
    """The deadline passed while the call was being made; `future` tells how it ends, if it does."""

    def __init__(self, future: "Future[Any]") -> None:
        super().__init__("not finished in time")
        self.future = future


class Workers:
    """At most `limit` threads, started as they are needed; a lower limit ends none that runs already."""

    def __init__(self, limit: int, name: str) -> None:
        self.limit = limit
        self._name = name
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    async def run(self, call: Callable[[], _T], seconds: float | None) -> _T:
        """Run `call` in a thread and return its result, or raise what it raised.

        Raises NotStartedError or NotFinishedError after `seconds` (None: never).
        """
        loop = asyncio.get_running_loop()
        future: Future[_T] = Future()
        # Not asyncio.wait_for and wrap_future: what they put around it costs more than the hand-over itself.
        woken = loop.create_future()
        future.add_done_callback(partial(_wake_from_afar, loop, woken))
        timer = None if seconds is None else loop.call_later(seconds, _wake, woken)
        self._submit((future, call))
        try:
            await woken
        except asyncio.CancelledError:
            future.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if future.done():
            return future.result()
        if future.cancel():
            raise NotStartedError
        raise NotFinishedError(future)

    def _submit(self, job: _Job) -> None:
        with self._lock:
            self._unfinished += 1
            if self._unfinished > self._threads and self._threads < self.limit:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            future, call = self._jobs.get()
            tell = _made(future, call)
            # Before the result is seen: whoever sees it may have the next call, and this thread is free for it.
            with self._lock:
                self._unfinished -= 1
            tell()
            del future, call, tell


def _wake_from_afar(loop: asyncio.AbstractEventLoop, woken: "asyncio.Future[None]", _future: "Future[Any]") -> None:
    # Where the event loop has ended meanwhile nobody waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_wake, woken)


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)


def _made(future: "Future[Any]", call: Callable[[], Any]) -> Callable[[], None]:
    """Make a call, unless nobody waits for it any more; return what tells its future how that ended."""
    if not future.set_running_or_notify_cancel():
        return lambda: None
    try:
        value = call()
    except BaseException as error:  # whoever waits for the future gets it
        return partial(future.set_exception, error)
    return partial(future.set_result, value)
