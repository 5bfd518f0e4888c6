"""A while in which a connection is not read: of one who may nothing, it seems, and says what leads nowhere."""

import asyncio
from collections.abc import Callable

# How many messages may come of such a one before they make a command: a command of theirs has some, and who keeps a
# connection open sends a NOOP now and then. Then it is read again in a second: to close it would be answered by another
# one, and a handshake is dearer than all that was said.
MOST_LEADING_NOWHERE = 64
REST_SECONDS = 1.0


class Rest:
    """The rest of one connection."""

    def __init__(self) -> None:
        self._led_nowhere = 0
        self._timer: asyncio.TimerHandle | None = None
        # How often it has begun.
        self.times = 0

    @property
    def on(self) -> bool:
        """Whether it is not read now."""
        return self._timer is not None

    def begins(self, messages: int, then: Callable[[], None], *, leads_on: bool) -> bool:
        """Count messages, of which the last is a command where that `leads_on`; return whether a rest begins.

        `then` is called at its end, on the event loop.
        """
        self._led_nowhere = 0 if leads_on else self._led_nowhere + messages
        if self._led_nowhere <= MOST_LEADING_NOWHERE:
            return False
        self.times += 1
        self._timer = asyncio.get_running_loop().call_later(REST_SECONDS, self._end, then)
        return True

    def cancel(self) -> None:
        """Let it have no end."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, then: Callable[[], None]) -> None:
        self._timer = None
        # A few more, and there is another one.
        self._led_nowhere = MOST_LEADING_NOWHERE
        then()
