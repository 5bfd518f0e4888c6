"""`-v`: what is asked of whom, and how long it took, on standard error."""

import time
from typing import Any

from rxm.remote.command import Reply
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from xman import escape, lowlevel, outcome

# A description, or more names than anybody reads.
_MOST_WORD = 120


class Told(Connection):
    """A connection that tells what it does."""

    def __init__(self, host: str, port: int, service: str, *more: Any) -> None:
        begun = time.monotonic()
        super().__init__(host, port, service, *more)
        _say(f"{host} port {port}: connected as {self.principal} to {service}@{host}", begun)

    def run(self, words: list[bytes], deadline: Deadline, **more: Any) -> Reply:
        """Run one command and return its whole reply, as Connection does."""
        begun = time.monotonic()
        asked = " ".join(shown(word.decode("utf-8", "replace")) for word in words)
        try:
            reply = super().run(words, deadline, **more)
        except BaseException as error:
            _say(f"{self.host}: {asked}: {error or type(error).__name__}", begun)
            raise
        _say(f"{self.host}: {asked}: {outcome.class_name(reply.outcome)}", begun)
        return reply


def shown(word: str) -> str:
    """Return a word as it may be told: of KEY=VALUE, which may be a password, the key alone."""
    if len(word) > _MOST_WORD:
        return f"({len(word)} characters)"
    key, equals, _value = word.partition("=")
    return f"{key}=..." if equals and not word.startswith("--") else word


def _say(text: str, begun: float) -> None:
    lowlevel.err(f"{escape.line(text)}, {(time.monotonic() - begun) * 1000:.0f} ms\n")
