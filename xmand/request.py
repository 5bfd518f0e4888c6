"""One command's words, on their way from the wire to the verb."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from xman import arguments, grammar
from xman.arguments import Parsed
from xman.errors import UsageError, XmanError
from xman.grammar import TEXT, Verb
from xmand.virt.domain import Domain

# What a caller may say otherwise when it asks again, and still mean the same request.
_NOT_THE_REQUEST = ("rid", "timeout", "json")
# Longer than any key of a configuration.
_MOST_KEY = 64


class Peer:
    """Who is at the other end of a connection."""

    __slots__ = ("address", "authorized", "changing", "gone", "no_room", "principal", "refused", "waits")

    def __init__(self, address: str) -> None:
        self.address = address
        self.principal = b""
        # Why everything is denied whatever the list says; empty where nothing speaks against the name.
        self.refused = "not authenticated"
        # Whether a command of his that may change something runs now.
        self.changing = False
        # Whether there are too many connections for this one's command.
        self.no_room = False
        # Whether he may do anything at all, by his name alone: only then may he say more than a stranger.
        self.authorized = False
        # Whether he has closed his side: what only waits ends then, what changes something goes on.
        self.gone = False
        # Ends the command that runs, where that only waits: for who has to give way, or has gone.
        self.waits: Callable[[XmanError], None] | None = None

    def who(self) -> dict[str, str | bytes | int]:
        """Return the audit fields that say who it is."""
        return {"princ": self.principal, "peer": self.address}


class Request:
    """What one caller asks for. `uuid` is the domain's, once the verb has found it."""

    def __init__(self, peer: Peer, verb: Verb, words: list[bytes]) -> None:
        self.peer = peer
        self.verb = verb
        self.begun = time.monotonic()
        self._words = words
        # Asked for even where the other words are wrong.
        self.json = b"--json" in words
        self.rid = secrets.token_hex(16) if verb.changes else ""
        self.reason = ""
        self.domain = ""
        self.uuid = ""
        self._parsed: Parsed | None = None
        self._digest = ""

    def parse(self) -> None:
        """Read the words by the verb table, where that is not done yet. Raises UsageError."""
        if self._parsed is not None:
            return
        arguments.measure(self.verb, self._words)
        try:
            words = [word.decode("utf-8") for word in self._words]
        except UnicodeDecodeError:
            raise UsageError("An argument is not UTF-8.") from None
        self._parsed = arguments.parse(self.verb, words)
        self.rid = str(self._parsed.options.get("rid", self.rid))
        if self.journalled:
            # Never the caller's: what was typed cannot be asked for again.
            self.rid = secrets.token_hex(16)
        self.reason = str(self._parsed.options.get("reason", ""))
        several = any(argument.name == "DOMAIN" and argument.many for argument in self.verb.arguments)
        self.domain = " ".join(self._parsed.words("DOMAIN")) if several else self._parsed.text("DOMAIN")

    @property
    def journalled(self) -> bool:
        """Whether it is written down though it changes nothing that could be asked for again."""
        return any(map(self.parsed.flag, self.verb.journalled))

    def pin(self, domains: list[Domain]) -> None:
        """Let DOMAIN mean these domains, as which it was judged, whatever may be called so in a moment."""
        for argument in self.verb.arguments if domains else ():
            if argument.kind == grammar.DOMAIN:
                uuids = [domain.uuid for domain in domains]
                self.parsed.values[argument.name] = uuids if argument.many else uuids[0]

    @property
    def parsed(self) -> Parsed:
        """The words, once read."""
        assert self._parsed is not None  # noqa: S101  # `parse` has been called
        return self._parsed

    @property
    def principal(self) -> str:
        """Who asks. A name that is not ASCII was refused long before."""
        return self.peer.principal.decode("ascii")

    def ms(self) -> int:
        """Return the milliseconds since it came."""
        return int((time.monotonic() - self.begun) * 1000)

    def who(self) -> dict[str, str | bytes | int]:
        """Return the audit fields that say whose command this is."""
        return {"rid": self.rid, **self.peer.who(), "verb": self.verb.name, "dom": self.domain}

    def digest(self) -> str:
        """Return what two requests have in common only where they ask for the same."""
        if not self._digest:
            secret = {each.key for each in self.verb.options if each.secret}
            secret |= {each.name for each in self.verb.arguments if each.secret}
            options = {
                key: value for key, value in self.parsed.options.items() if key not in (*_NOT_THE_REQUEST, *secret)
            }
            # Of what somebody typed not even a hash is kept: a few keys are soon guessed.
            given = {name: words for name, words in self.parsed.given.items() if name not in secret}
            said = json.dumps([self.verb.name, given, options], sort_keys=True)
            self._digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
        return self._digest

    def asked(self) -> dict[str, Any]:
        """Return what was said beside DOMAIN: options, and arguments as words; of a FILE its size and hash only."""
        options = {key: value for key, value in self.parsed.options.items() if key not in _NOT_THE_REQUEST}
        for option in self.verb.options:
            if option.kind == TEXT and option.key in options:
                options[option.key] = _measured(str(options[option.key]))
        secret = {option.key for option in self.verb.options if option.secret}
        options |= {key: f"{len(str(options[key]))} characters" for key in secret & options.keys()}
        said: dict[str, Any] = {"options": options}
        for argument in self.verb.arguments:
            words = self.parsed.given.get(argument.name, [])
            if argument.kind == TEXT:
                said[argument.name] = _measured("".join(words))
            elif argument.name == "KEY=VALUE":
                # A value may be a password (vncpasswd), and so may a word that has lost its key.
                said[argument.name] = [word.partition("=")[0][:_MOST_KEY] if "=" in word else "" for word in words]
            elif argument.secret:
                said[argument.name] = [f"{len(words)} words"]
            elif argument.kind != grammar.DOMAIN:
                said[argument.name] = words
        return said


def _measured(text: str) -> dict[str, Any]:
    """Return what is written down of a file's text."""
    octets = text.encode("utf-8", "surrogatepass")
    return {"octets": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
