"""One command: its words as they are sent, and the reply."""

from xman import lowlevel, outcome
from xman.arguments import Parsed
from xman.grammar import DOMAIN, HOSTS, LOCAL, NEW, PAST


class Reply:
    """A finished command: what it wrote, and how it ended (an ERROR has `error`, otherwise `status` counts)."""

    __slots__ = ("error", "error_text", "octets", "older", "option", "pieces", "status", "stderr", "stdout")

    def __init__(self) -> None:
        # What has come on standard output; joined once, when the reply is whole.
        self.pieces: list[bytes] = []
        self.stdout = b""
        self.stderr = b""
        # All that the host has written, on either stream.
        self.octets = 0
        self.status = 0
        self.error = 0
        self.error_text = ""
        # The version of an xmand that does not know the verb, or (`option`) an option without which it was not asked.
        self.older = ""
        self.option = ""

    @property
    def outcome(self) -> int:
        """The outcome in xman's classes."""
        if self.older or self.option:
            return outcome.UNSUPPORTED
        return outcome.of_wire_error(self.error) if self.error else self.status


def new_rid() -> str:
    """Return an id for one request: 128 bits, in hexadecimal."""
    return lowlevel.random(16).hex()


def wire_words(
    parsed: Parsed,
    *,
    json: bool,
    domains: list[str] | None = None,
    rid: str = "",
    reason: str = "",
    timeout: float | None = None,
) -> list[bytes]:
    """Return the argument vector for one target; `domains` stand for the DOMAINs given where rxm shared them out."""
    own = {option.key for option in parsed.verb.options if option.local}
    options = {key: value for key, value in parsed.options.items() if key not in own}
    common = {"rid": rid, "reason": reason}
    options |= {key: value for key, value in common.items() if value}
    if json:
        options["json"] = True
    if parsed.follows:
        options["alive"] = True
    words = [parsed.verb.name]
    words += [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]
    words.append("--")
    shared = [argument for argument in parsed.verb.arguments if argument.kind in (DOMAIN, NEW, PAST)]
    for argument in parsed.verb.arguments:
        if argument.kind in (HOSTS, LOCAL):
            continue
        given = parsed.given.get(argument.name, [])
        if domains is None or argument not in shared:
            words += given
        else:  # of a profile and a client each has its own
            words += domains if len(shared) == 1 else [domains[shared.index(argument)]]
    sent = [word.encode("utf-8", "surrogateescape") for word in words]
    return within(timeout, sent) if timeout else sent


def within(seconds: float, words: list[bytes]) -> list[bytes]:
    """Return a command's words that also say how long its caller waits for the answer."""
    at = words.index(b"--")
    return [*words[:at], b"--timeout=%g" % seconds, *words[at:]]
