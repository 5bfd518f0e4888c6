"""What only a guest's own process knows, asked of many guests side by side, each for a second.

libvirt's QEMU driver enters a guest's monitor for it, and waits there for as long as that does not answer. Who does not
in time is left out, and not asked again until it has; the others' answers do not wait for it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from xman.errors import XmanError
from xmand.virt import connection_pool
from xmand.virt.binding import RawDomain, api
from xmand.virt.driver import MONITOR

SECONDS = 1.0
# At a time, besides those that are late. Four together halve the time; more do not.
_TOGETHER = 4
# Each that is late holds a thread of libvirtd's, of which there are some twenty.
_MOST_LATE = 8

Question = Callable[[Any, RawDomain], dict[str, Any]]
# `Monitors.ask`, with its own patience.
Ask = Callable[[list[str], Question], dict[str, dict[str, Any]]]


class Monitors:
    """The guests of one host; safe to use from several threads. `connect` gives a connection for a purpose."""

    def __init__(self, connect: Callable[[str], Any]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        # UUIDs of guests that were asked and have not answered.
        self._asked: set[str] = set()

    def ask(self, uuids: list[str], question: Question, seconds: float = SECONDS) -> dict[str, dict[str, Any]]:
        """Return what each guest answers to `question`, which gets a connection and its domain; the late are left out.

        What libvirt reports as an error is an answer without facts.
        """
        with self._lock:
            todo = deque(uuid for uuid in uuids if uuid not in self._asked)
            late = len(self._asked)
        round_ = _Round(todo)
        while not round_.over(seconds):
            if round_.wants_one_more(seconds, _TOGETHER) and late + round_.late(seconds) < _MOST_LATE:
                threading.Thread(target=self._work, args=[round_, question], name="monitor", daemon=True).start()
                round_.started += 1
            elif not round_.answering(seconds) and todo:
                break  # everything that may be at work is late
            else:
                round_.wait(seconds)
        with round_.changed:
            return dict(round_.answers)

    def _work(self, round_: "_Round", question: Question) -> None:
        with connection_pool.session():
            while (uuid := round_.next()) is not None:
                with self._lock:
                    taken = uuid in self._asked
                    self._asked.add(uuid)
                if taken:  # by somebody else, just now
                    round_.answered(uuid, None)
                    continue
                answer: dict[str, Any] = {}
                try:
                    connection = self._connect(MONITOR)
                    answer = question(connection, connection.lookupByUUIDString(uuid))
                except (api.libvirtError, XmanError):  # gone, or not to be had
                    pass
                finally:
                    with self._lock:
                        self._asked.discard(uuid)
                    round_.answered(uuid, answer)


class _Round:
    """One question to many guests, and how far it is."""

    def __init__(self, todo: "deque[str]") -> None:
        self.changed = threading.Condition()
        self.answers: dict[str, dict[str, Any]] = {}
        self.started = 0
        self._todo = todo
        # UUID -> time.monotonic() at which it was asked
        self._since: dict[str, float] = {}
        self._idle = 0

    def next(self) -> str | None:
        """Return the guest that is to be asked next."""
        with self.changed:
            if not self._todo:
                self._idle += 1
                self.changed.notify_all()
                return None
            uuid = self._todo.popleft()
            self._since[uuid] = time.monotonic()
            return uuid

    def answered(self, uuid: str, answer: dict[str, Any] | None) -> None:
        """Take note of an answer; None where it was not asked after all."""
        with self.changed:
            self._since.pop(uuid, None)
            if answer is not None:
                self.answers[uuid] = answer
            self.changed.notify_all()

    def late(self, seconds: float) -> int:
        """Return how many have not answered in time."""
        with self.changed:
            return sum(time.monotonic() - since >= seconds for since in self._since.values())

    def answering(self, seconds: float) -> int:
        """Return how many threads are at work, and not with one that is late."""
        return self.started - self._idle - self.late(seconds)

    def wants_one_more(self, seconds: float, together: int) -> bool:
        """Whether there is something for another thread to do."""
        return self.answering(seconds) < min(together, len(self._todo))

    def over(self, seconds: float) -> bool:
        """Whether all have answered, or are late."""
        late = self.late(seconds)
        with self.changed:
            return not self._todo and len(self._since) <= late

    def wait(self, seconds: float) -> None:
        """Wait until something happens, or somebody is late."""
        with self.changed:
            now = time.monotonic()
            left = [seconds - (now - since) for since in self._since.values() if now - since < seconds]
            if left or self._todo:
                self.changed.wait(min([*left, 0.1]) if self._todo else min(left))
