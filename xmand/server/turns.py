"""Whose octets are looked at in a turn of the event loop: so much of each group and in all, the rest in later ones.

A group is a principal, or the source of who is not known yet. So the loop's work in one turn is bounded whatever
anybody sends, and whoever holds many connections gets no more of it than who holds one.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Protocol

# In messages, of some 30 microseconds each: what one group gets of a turn, and all together (5 ms).
MOST_OF_A_GROUP = 16
MOST_IN_ALL = 160


class Waiting(Protocol):
    """Who waits for a turn."""

    @property
    def group(self) -> str | bytes:
        """On whose account."""

    def turn(self) -> None:
        """Do a bounded part of the work."""


class Turns:
    """The turns of one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._spent: Counter[str | bytes] = Counter()
        self._in_all = 0
        self._known = False
        # Who waits, by group; the group whose turn it is stands first.
        self._waiting: OrderedDict[str | bytes, deque[Waiting]] = OrderedDict()

    def may(self, group: str | bytes) -> bool:
        """Whether there is something left of this turn for `group`."""
        return self._in_all < MOST_IN_ALL and self._spent[group] < MOST_OF_A_GROUP

    def spend(self, group: str | bytes, messages: int) -> None:
        """Count what was done in this turn."""
        self._spent[group] += messages
        self._in_all += messages
        self._schedule()

    def later(self, one: Waiting) -> None:
        """Call `one.turn` as soon as its group has a turn again."""
        self._waiting.setdefault(one.group, deque()).append(one)
        self._schedule()

    def _schedule(self) -> None:
        if not self._known:
            self._known = True
            # Behind everything that this turn of the loop has found ready.
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """A new turn: those who wait come first, one of each group after the other."""
        self._known = False
        self._spent.clear()
        self._in_all = 0
        idle = 0
        while self._waiting and idle < len(self._waiting) and self._in_all < MOST_IN_ALL:
            group, queue = self._waiting.popitem(last=False)
            if not self.may(group):
                self._waiting[group] = queue
                idle += 1
                continue
            idle = 0
            one = queue.popleft()
            if queue:
                self._waiting[group] = queue
            one.turn()
        if self._waiting:
            self._schedule()
