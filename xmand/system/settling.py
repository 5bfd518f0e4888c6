"""What could not be settled when it came up: looked at again and again, in a thread of its own."""

import abc
import logging
import threading
from collections.abc import Iterable
from typing import Generic, TypeVar

from xman.errors import XmanError

logger = logging.getLogger(__name__)

Left = TypeVar("Left")

# Whoever did not answer may be there by then.
_AGAIN_SECONDS = 30.0


class Complaints:
    """What is wrong with each of several things: said once, and not at every look, until it is something else."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def say(self, about: str, text: str) -> None:
        """Say `text` in the log, for whoever has to mend it."""
        logger.log(logging.DEBUG if self._last.get(about) == text else logging.WARNING, "%s", text)
        self._last[about] = text

    def keep(self, names: Iterable[str]) -> None:
        """Forget what was said about all others: they are settled."""
        there = set(names)
        self._last = {about: text for about, text in self._last.items() if about in there}


class Settling(abc.ABC, Generic[Left]):
    """Settles what is left, in a thread until the process ends; `what` is that thread's name."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._complaints = Complaints()
        # Never set: a wait by a clock that nobody can set.
        self._never = threading.Event()

    @abc.abstractmethod
    def pending(self) -> Iterable[Left]:
        """Return what is left. Raises XmanError."""

    @abc.abstractmethod
    def settle(self, left: Left) -> None:
        """Settle one of them. Raises XmanError where that cannot be done now."""

    @abc.abstractmethod
    def told(self, left: Left) -> str:
        """Return what it is called where it cannot be settled; no two are called the same."""

    def start(self) -> None:
        """Begin, and look at once."""
        threading.Thread(target=self._run, name=self._what, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except XmanError as error:
                self._complaints.say("", f"what is left ({self._what}) cannot be looked at: {error}")
            except Exception:  # a fault of ours must not end the thread
                logger.exception("what is left (%s) cannot be looked at", self._what)
            self._never.wait(_AGAIN_SECONDS)

    def look(self) -> None:
        """Settle each that can be settled now."""
        found = list(self.pending())
        for left in found:
            name = self.told(left)
            try:
                self.settle(left)
            except XmanError as error:
                self._complaints.say(name, f"{name}: {error}")
        self._complaints.keep(map(self.told, found))
