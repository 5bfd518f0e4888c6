"""Threads for calls that may block for ever, shared out by principal.

A blocked libvirt call cannot be cancelled, so a worker is expendable: its caller stops waiting at a deadline and the
thread comes back when libvirt does. Daemon threads, so that a stuck one does not keep the process from ending.

Whoever is not on the list of administrators has a share, and leaves some threads alone; who waits for one has his turn
after the others that wait, however many calls he has there.
"""

import asyncio
import contextlib
import queue
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, TypeVar

_T = TypeVar("_T")

# Calls of one principal that wait for a thread: who has more has clients that do not wait for their answers.
MOST_WAITING = 64


class Whose(NamedTuple):
    """On whose account a call is, and whether there are threads kept for him."""

    name: str
    listed: bool


# What xmand does of itself.
OWN = Whose("", listed=True)


class _Work(NamedTuple):
    future: "Future[Any]"
    call: Callable[[], Any]
    whose: Whose


class NotStartedError(Exception):
    """The deadline passed before a thread was free, or too many wait: the call was not made, and never will be."""


class NotFinishedError(Exception):
    """The deadline passed while the call was being made; `future` tells how it ends, if it does."""

    def __init__(self, future: "Future[Any]") -> None:
        super().__init__("not finished in time")
        self.future = future


class Workers:
    """At most `limit` threads, started as they are needed; a lower limit ends none that runs already.

    One principal that is not on the list has at most `each` of them at a time, and all such leave `reserved` alone.
    """

    def __init__(self, limit: int, name: str, *, each: int | None = None, reserved: int = 0) -> None:
        self.share(limit, each, reserved)
        self._name = name
        # What threads take: never more at a time than there are threads.
        self._handed: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # Who waits, by principal; the one whose turn it is stands first.
        self._waiting: OrderedDict[str, deque[_Work]] = OrderedDict()
        self._threads = 0
        self._running: Counter[str] = Counter()
        self._others_running = 0
        self._all_running = 0
        # Calls whose callers have stopped waiting.
        self._given_up = 0

    def share(self, limit: int, each: int | None = None, reserved: int = 0) -> None:
        """Share out by other numbers from now on."""
        self.limit = limit
        self._each = limit if each is None else max(1, each)
        self._most_others = max(1, limit - reserved)

    @property
    def stuck(self) -> bool:
        """Whether there are calls that took longer than anybody waits: what they call does not respond."""
        return self._given_up > 0

    async def run(self, call: Callable[[], _T], seconds: float | None, whose: Whose = OWN) -> _T:
        """Run `call` in a thread and return its result, or raise what it raised.

        Raises NotStartedError or NotFinishedError after `seconds` (None: never).
        """
        loop = asyncio.get_running_loop()
        future: Future[_T] = Future()
        # Not asyncio.wait_for and wrap_future: what they put around it costs more than the hand-over itself.
        woken = loop.create_future()
        future.add_done_callback(partial(_wake_from_afar, loop, woken))
        self._submit(_Work(future, call, whose))
        timer = None if seconds is None else loop.call_later(seconds, _wake, woken)
        try:
            await woken
        except asyncio.CancelledError:
            future.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        try:
            if future.done():
                return future.result()
            if future.cancel():
                raise NotStartedError
            self._give_up(future)
            raise NotFinishedError(future)
        finally:
            # What is raised here has this frame in its traceback: it would hold itself, and all that it met on its way
            # (a lost connection to libvirt, say), until Python's collector comes by.
            del future

    def _submit(self, work: _Work) -> None:
        with self._lock:
            waiting = self._waiting.setdefault(work.whose.name, deque())
            if len(waiting) >= MOST_WAITING and not work.whose.listed:
                kept = deque(one for one in waiting if not one.future.done())
                waiting = self._waiting[work.whose.name] = kept
                if len(waiting) >= MOST_WAITING:
                    raise NotStartedError
            waiting.append(work)
            self._hand_out()

    def _hand_out(self) -> None:
        """Give threads what may run now; with the lock held."""
        passed = 0
        while self._waiting and passed < len(self._waiting) and self._all_running < self.limit:
            name, waiting = self._waiting.popitem(last=False)
            if not self._may(waiting[0].whose):
                self._waiting[name] = waiting
                passed += 1
                continue
            passed = 0
            work = waiting.popleft()
            if waiting:
                self._waiting[name] = waiting
            if work.future.done():  # nobody waits for it any more
                continue
            self._count(work.whose, 1)
            if self._all_running > self._threads:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
            self._handed.put(work)

    def _may(self, whose: Whose) -> bool:
        return whose.listed or (self._running[whose.name] < self._each and self._others_running < self._most_others)

    def _count(self, whose: Whose, change: int) -> None:
        self._all_running += change
        if not whose.listed:
            self._others_running += change
            self._running[whose.name] += change
            if not self._running[whose.name]:
                del self._running[whose.name]

    def _work(self) -> None:
        while True:
            work = self._handed.get()
            tell = _made(work.future, work.call)
            # Before the result is seen: whoever sees it may have the next call, and this thread is free for it.
            with self._lock:
                self._count(work.whose, -1)
                self._hand_out()
            tell()
            del work, tell

    def _give_up(self, future: "Future[Any]") -> None:
        with self._lock:
            self._given_up += 1
        future.add_done_callback(self._came_back)

    def _came_back(self, _future: "Future[Any]") -> None:
        with self._lock:
            self._given_up -= 1


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
    else:
        return partial(future.set_result, value)
    finally:
        del future  # as in `run`
