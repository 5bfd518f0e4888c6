"""Looks at the host for its reports, in a thread that libvirt may hold up: who reports goes on, and says so."""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from xman.errors import XmanError
from xmand.model import Model, health

# What is told by no event (memory that others change, a boot that is over) is seen after so long at most.
USUAL_SECONDS = 5.0
# How long libvirt may take before it is said that it does not answer.
_PATIENCE_SECONDS = 10.0


class Seen(NamedTuple):
    """What a look found: what `state` says of the whole host, or (None) why it says nothing; and how the host is."""

    data: dict[str, Any] | None
    problem: str
    condition: dict[str, Any]


class Looker:
    """One look at a time; a look that hangs is not begun again before it has come back."""

    def __init__(self, model: Model, condition: Callable[[], dict[str, Any]]) -> None:
        self._model = model
        self._condition = condition
        self._lock = threading.Lock()
        self._busy = False
        self._last: dict[str, Any] = {}

    def look(self, *, condition: bool, seconds: float = _PATIENCE_SECONDS) -> Seen:
        """Look, for `seconds` at most; without `condition` how the host is stands as it was seen last."""
        with self._lock:
            stuck, self._busy = self._busy, True
        if stuck:
            return self._hung()
        done = threading.Event()
        found: list[Seen] = []

        def run() -> None:
            try:
                found.append(self._look(condition))
            finally:
                with self._lock:
                    self._busy = False
                done.set()

        threading.Thread(target=run, name="report-look", daemon=True).start()
        if not done.wait(seconds) or not found:
            return self._hung()
        return found[0]

    def _hung(self) -> Seen:
        why = "libvirt does not respond."
        return Seen(None, why, self._last | {"state": health.NO_LIBVIRT, "problem": why})

    def _look(self, condition: bool) -> Seen:
        if condition or not self._last:
            self._last = self._condition()
        try:
            guests = self._model.guests
            shown = guests.shown(USUAL_SECONDS) or guests.read(USUAL_SECONDS, time.monotonic() + _PATIENCE_SECONDS)
        except XmanError as error:
            return Seen(None, str(error), self._last)
        return Seen(shown.whole.data, "", self._last)
