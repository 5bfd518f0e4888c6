"""What each host says of its domains, asked again and again, and at once when an event tells that something changed.

Each host has connections and threads of its own, so that one that hangs costs nobody else anything.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from rxm import folding
from rxm.invocation import Invocation
from rxm.output import envelope
from rxm.remote.command import wire_words
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from rxm.remote.lines import SILENCE_SECONDS, Lines
from rxm.targets import Target
from xman import arguments, errors, escape, verbs
from xman.arguments import Parsed
from xman.errors import UsageError, XmanError

# Two connections each, and as many files as a process may have open by default.
_MOST_HOSTS = 400
_DEADLINE_SECONDS = 30.0
# Events that come close together are one reason to ask.
_TOGETHER_SECONDS = 0.2
# A host that sends no events, or is away, is asked for them anew.
_AGAIN_SECONDS = 5.0


class Feed:
    """What hosts answered last. Raises UsageError for too many hosts."""

    def __init__(self, invocation: Invocation, asked: Parsed, every: float, changed: Callable[[], None]) -> None:
        if len(invocation.hosts) > _MOST_HOSTS:
            raise UsageError(f"{len(invocation.hosts)} hosts are too many for one screen; name up to {_MOST_HOSTS}.")
        self._invocation = invocation
        self._asked = asked
        self._every = every
        self._changed = changed
        self._lock = threading.Lock()
        # By host: the domains and when they were told, or what came instead.
        self._told: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._problems: dict[str, str] = {}
        self._news = {host: threading.Event() for host in invocation.hosts}

    def start(self) -> None:
        """Begin to ask. What is under way ends with the program."""
        for host in self._invocation.hosts:
            for work in (self._ask, self._follow):
                threading.Thread(target=work, args=(host,), daemon=True).start()

    def told(self) -> dict[str, tuple[float, list[dict[str, Any]]]]:
        """Return of each host that answers its domains, and when (monotonic seconds) it told of them."""
        with self._lock:
            return {host: self._told[host] for host in self._invocation.hosts if host in self._told}

    def notices(self) -> list[str]:
        """Return a line for each trouble, and for hosts that have not answered yet."""
        failures = folding.Failures()
        with self._lock:
            problems = dict(self._problems)
            waiting = [host for host in self._invocation.hosts if host not in self._told and host not in problems]
        for host, problem in problems.items():
            failures.add(host, problem)
        lines = failures.lines()
        if waiting:
            lines.append(f"{folding.fold(waiting)}: not answered yet")
        return [escape.line(line) for line in lines]

    def _ask(self, host: str) -> None:
        connection: Connection | None = None
        words = wire_words(self._asked, json=True, domains=[])
        verb = self._asked.verb.name
        while True:
            self._news[host].clear()
            try:
                deadline = Deadline(_DEADLINE_SECONDS)
                connection = connection or self._invocation.connect(host, deadline)
                reply = connection.run(words, deadline, changes=False)
                told = envelope.of_reply(reply, verb, Target(host), connection.principal)
                if not told["ok"]:
                    raise errors.of_outcome(told["code"], told["message"])
                self._note(host, told["result"]["domains"], "")
            except (XmanError, TimeoutError) as error:
                connection = None
                self._note(host, None, str(error) or "no answer in time.")
            if self._news[host].wait(self._every):
                time.sleep(_TOGETHER_SECONDS)

    def _note(self, host: str, domains: list[dict[str, Any]] | None, problem: str) -> None:
        with self._lock:
            self._told.pop(host, None)
            self._problems.pop(host, None)
            if domains is None:
                self._problems[host] = problem
            else:
                self._told[host] = time.monotonic(), domains
        self._changed()

    def _follow(self, host: str) -> None:
        parsed = arguments.parse(verbs.BY_NAME["events"], ["--follow"])
        words = wire_words(parsed, json=True)
        lines = Lines(lambda _line: self._news[host].set())
        while True:
            try:
                with self._invocation.connect(host, Deadline(_DEADLINE_SECONDS)) as connection:
                    connection.run(words, Deadline(None), changes=False, patience=SILENCE_SECONDS, parts=lines.feed)
            except (XmanError, TimeoutError):
                pass
            time.sleep(_AGAIN_SECONDS)
