"""Threads for calls that may block for ever.

A blocked libvirt call cannot be cancelled, so a worker is expendable: its caller stops waiting at a deadline and the
thread comes back when libvirt does. Daemon threads, so that a stuck one does not keep the process from ending.
"""

import asyncio
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
        future: Future[_T] = Future()
        self._submit((future, call))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except TimeoutError:
            # A TimeoutError of the call itself is not ours to judge.
            if future.done() and not future.cancelled():
                return future.result()
            if future.cancelled():
                raise NotStartedError from None
            raise NotFinishedError(future) from None

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


def _made(future: "Future[Any]", call: Callable[[], Any]) -> Callable[[], None]:
    """Make a call, unless nobody waits for it any more; return what tells its future how that ended."""
    if not future.set_running_or_notify_cancel():
        return lambda: None
    try:
        value = call()
    except BaseException as error:  # whoever waits for the future gets it
        return partial(future.set_exception, error)
    return partial(future.set_result, value)
