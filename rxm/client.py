"""What `rxm.connect` returns: the Python API's connection to one host."""

from rxm.output import envelope
from rxm.remote import messages
from rxm.remote.command import new_rid, wire_words
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from rxm.remote.lines import SILENCE_SECONDS, Lines
from rxm.targets import Target
from xman import arguments, errors, verbs
from xman.arguments import Parsed
from xman.errors import UsageError
from xman.grammar import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Client(Connection):
    """An authenticated connection. Use it from one thread at a time.

    Raises CredentialsError and UnreachableError when it is made. One that was lost since, or by the call before, is
    made anew for the next call.
    """

    # How old, in seconds, what verbs that look say may be.
    max_age = 0.0

    def call(
        self, verb: str, *words: str, timeout: float | None = None, max_age: float | None = None
    ) -> "dict[str, Any]":
        """Run `verb` and return its `result`; `timeout` in seconds defaults to the verb's own.

        `max_age` takes the place of the connection's; where one is allowed the result has `as_of`. Raises the error of
        the outcome's class (`xman.errors`).
        """

        entry = _entry(verb)
        seconds = timeout if timeout is not None else entry.default_seconds
        parsed = arguments.parse(entry, list(words))
        self._allow(parsed, max_age)
        rid = "" if not entry.changes or "rid" in parsed.options else new_rid()
        reply = self.run(wire_words(parsed, json=True, rid=rid), Deadline(seconds), changes=entry.changes)
        told = envelope.of_reply(reply, verb, Target(self.host), self.principal)
        if not told["ok"]:
            raise errors.of_outcome(told["code"], told["message"])
        found: dict[str, Any] = told["result"]
        return found | {"as_of": told["as_of"]} if "as_of" in told else found

    def follow(
        self, verb: str, *words: str, each: "Callable[[dict[str, Any]], None]", timeout: float | None = None
    ) -> None:
        """Run a command that answers in parts, and call `each` with every part's `result`.

        `"events", "--follow"`: each event. `"list", "--follow"` and `"state", "--follow"`: all `domains` first (`whole`
        is true), then those that have changed, or are `gone`.
        Returns after `timeout` seconds (None: never). Raises the error of the outcome's class, and what `each` raises.
        """

        parsed = arguments.parse(_entry(verb), list(words))
        self._allow(parsed, None)

        def part(line: bytes) -> None:
            told = envelope.of_line(line, verb, Target(self.host))
            if not told["ok"]:
                raise errors.of_outcome(told["code"], told["message"])
            each(told["result"])

        reply = self.run(
            wire_words(parsed, json=True, timeout=timeout),
            Deadline(timeout),
            changes=False,
            patience=SILENCE_SECONDS if timeout is None else None,
            parts=Lines(part).feed,
        )
        if reply.error:
            raise errors.of_outcome(reply.outcome, messages.message(reply, self.principal, verb))

    def _allow(self, parsed: Parsed, max_age: float | None) -> None:
        allowed = self.max_age if max_age is None else max_age
        if allowed and not parsed.verb.changes:
            parsed.options.setdefault("max-age", allowed)


def _entry(verb: str) -> Verb:
    entry = verbs.row(verb)
    if entry is None:
        raise UsageError(f"'{verb}' is not a verb.")
    return entry
