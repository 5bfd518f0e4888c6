"""Whose octets are looked at in a turn of the event loop: so much of each group and in all, the rest in later ones.

A group is a principal, or the source of who is not known yet. So the loop's work in one turn is bounded whatever
anybody sends, and whoever holds many connections gets no more of it than who holds one. Those of whom nothing says that
they may do anything (strangers) share a small part of it, however many they are, and come last.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Protocol

# What one connection is given of a turn: octets, and messages; and how many octets cost as much as a message.
MOST_OCTETS = 65_536
MOST_MESSAGES = 4
OCTETS_COST = 16_384
# In messages, of some 30 microseconds each: what one group gets of a turn, and all together (5 ms).
MOST_OF_A_GROUP = 16
MOST_IN_ALL = 160
# The same of strangers: less than a millisecond, since a command takes half a dozen turns.
MOST_OF_A_STRANGER = 4
MOST_OF_STRANGERS = 24


class Waiting(Protocol):
    """Who waits for a turn."""

    @property
    def group(self) -> str | bytes:
        """On whose account."""

    @property
    def strange(self) -> bool:
        """Whether it is known who that is, and that nothing lets him do anything by his name."""

    def turn(self) -> None:
        """Do a bounded part of the work."""


class Turns:
    """The turns of one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._known = False
        self._of_others = _Part(MOST_OF_A_GROUP, MOST_IN_ALL)
        self._of_strangers = _Part(MOST_OF_A_STRANGER, MOST_OF_STRANGERS)

    def may(self, one: Waiting) -> bool:
        """Whether there is something left of this turn for `one`."""
        return self._part(one).may(one.group)

    def spend(self, one: Waiting, messages: int) -> None:
        """Count what was done in this turn."""
        self._part(one).spend(one.group, messages)
        self._schedule()

    def later(self, one: Waiting) -> None:
        """Call `one.turn` as soon as its group has a turn again."""
        self._part(one).waiting.setdefault(one.group, deque()).append(one)
        self._schedule()

    def _part(self, one: Waiting) -> "_Part":
        return self._of_strangers if one.strange else self._of_others

    def _schedule(self) -> None:
        if not self._known:
            self._known = True
            # Behind everything that this turn of the loop has found ready.
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        """A new turn: those who wait come first."""
        self._known = False
        parts = (self._of_others, self._of_strangers)
        for part in parts:
            part.begin()
        for part in parts:
            part.take()
        if any(part.waiting for part in parts):
            self._schedule()


class _Part:
    """What some groups get of a turn: so much each, and in all."""

    def __init__(self, each: int, in_all: int) -> None:
        self._each = each
        self._most = in_all
        self._spent: Counter[str | bytes] = Counter()
        self._in_all = 0
        # Who waits, by group; the group whose turn it is stands first.
        self.waiting: OrderedDict[str | bytes, deque[Waiting]] = OrderedDict()

    def may(self, group: str | bytes) -> bool:
        return self._in_all < self._most and self._spent[group] < self._each

    def spend(self, group: str | bytes, messages: int) -> None:
        self._spent[group] += messages
        self._in_all += messages

    def begin(self) -> None:
        self._spent.clear()
        self._in_all = 0

    def take(self) -> None:
        """Let those who wait do their part, one of each group after the other."""
        idle = 0
        while self.waiting and idle < len(self.waiting) and self._in_all < self._most:
            group, queue = self.waiting.popitem(last=False)
            if not self.may(group):
                self.waiting[group] = queue
                idle += 1
                continue
            idle = 0
            one = queue.popleft()
            if queue:
                self.waiting[group] = queue
            one.turn()
