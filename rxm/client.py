"""One connection to one host's xmand (or any remctl server): a blocking socket around the session."""

import _socket  # the part in C: `socket` around it costs rxm's start more than it gives here
import time

from xman import arguments, errors, lean, outcome
from xman.arguments import Parsed
from xman.errors import CredentialsError, UnknownOutcomeError, UnreachableError, UsageError
from xman.gss import GssError, initiators
from xman.session import ClientSession, SessionError
from xman.verbs import BY_NAME, DOMAIN
from xman.wire import constants as wire
from xman.wire.messages import Error, Output, ProtocolError, Status, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from xman.gss.initiators import Initiator

_CHUNK = 65_536
# One address of a host that is down should not use up the time for the next.
_ADDRESS_SECONDS = 5.0
# A host whose connection broke in the middle of a change is asked again for so long: an xmand that was restarted is
# back by then.
_AGAIN_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0


class Deadline:
    """A point in time after `seconds` (None: never), as timeouts of what is still to do."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self, most: float | None = None) -> float | None:
        """Return the seconds left, at most `most`; None for ever. Raises TimeoutError when there are none."""
        if self._end is None:
            return most
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if most is None else min(left, most)

    def within(self, seconds: float) -> "Deadline":
        """Return the earlier of this deadline and one after `seconds`."""
        return Deadline(seconds if self._end is None else min(seconds, self._end - time.monotonic()))


class Reply:
    """A finished command: what it wrote, and how it ended (an ERROR has `error`, otherwise `status` counts)."""

    __slots__ = ("error", "error_text", "older", "status", "stderr", "stdout")

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""
        self.status = 0
        self.error = 0
        self.error_text = ""
        # The version of an xmand that does not know the verb.
        self.older = ""

    @property
    def outcome(self) -> int:
        """The outcome in xman's classes."""
        if self.older:
            return outcome.UNSUPPORTED
        return outcome.of_wire_error(self.error) if self.error else self.status

    def message(self, principal: str, verb: str) -> str:
        """Return what a protocol ERROR says to the user."""
        from rxm import refusals

        return refusals.message(self, principal, verb)


def initiator(client_keytab: str = "", principal: str = "") -> "Initiator":
    """Return the identity to act as. Raises CredentialsError."""
    try:
        return initiators.initiator(client_keytab, principal)
    except GssError as error:
        raise explained(error) from error


class Connection:
    """An authenticated connection. Use it from one thread at a time.

    Raises CredentialsError and UnreachableError when it is made.
    """

    def __init__(self, host: str, port: int, service: str, identity: "Initiator", deadline: Deadline) -> None:
        self.host = host
        self._port = port
        self._service = service
        self._identity = identity
        self._socket: _socket.socket | None = None
        self._open(deadline)

    def _open(self, deadline: Deadline) -> None:
        port = self._port
        self._session = ClientSession(self._identity.context(self._service, self.host))
        try:
            self._socket = _dial(self.host, port, deadline)
            self._session.start()
            while not self._handshake():
                self._fill(deadline.remaining())
        except GssError as error:
            self.close()
            raise explained(error) from error
        except (OSError, SessionError, EOFError) as error:
            self.close()
            raise UnreachableError(_why(error, port)) from error

    @property
    def principal(self) -> str:
        """As whom the host knows us."""
        return self._session.initiator.decode("utf-8", "replace")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take leave and close."""
        if self._socket is None:
            return
        try:
            if self._session.authenticated:
                self._session.quit()
                self._socket.settimeout(1.0)
                self._socket.sendall(self._session.take_outgoing())
        except (OSError, GssError, RuntimeError):
            pass
        self._socket.close()
        self._socket = None

    def call(self, verb: str, *words: str, timeout: float | None = None) -> "dict[str, Any]":
        """Run `verb` and return its `result`; `timeout` in seconds defaults to the verb's own.

        Raises the error of the outcome's class (`xman.errors`).
        """
        import json

        entry = BY_NAME.get(verb)
        if entry is None:
            raise UsageError(f"'{verb}' is not a verb.")
        seconds = timeout if timeout is not None else entry.default_seconds
        parsed = arguments.parse(entry, list(words))
        rid = "" if not entry.changes or "rid" in parsed.options else new_rid()
        reply = self.run(wire_words(parsed, json=True, rid=rid), Deadline(seconds), changes=entry.changes)
        if reply.error:
            raise errors.of_outcome(reply.outcome, reply.message(self.principal, verb))
        envelope: dict[str, Any] = json.loads(reply.stdout)
        if not envelope["ok"]:
            raise errors.of_outcome(envelope["code"], envelope["message"])
        found: dict[str, Any] = envelope["result"]
        return found

    def follow(
        self, verb: str, *words: str, each: "Callable[[dict[str, Any]], None]", timeout: float | None = None
    ) -> None:
        """Run a command that answers in parts (`"events", "--follow"`), and call `each` with every part's `result`.

        Returns after `timeout` seconds (None: never). Raises the error of the outcome's class, and what `each` raises.
        """
        import json

        from rxm.follow import SILENCE_SECONDS, Lines

        parsed = arguments.parse(BY_NAME[verb], list(words))

        def part(line: bytes) -> None:
            envelope = json.loads(line)
            if not envelope["ok"]:
                raise errors.of_outcome(envelope["code"], envelope["message"])
            each(envelope["result"])

        reply = self.run(
            wire_words(parsed, json=True, timeout=timeout), Deadline(timeout), changes=False,
            patience=SILENCE_SECONDS if timeout is None else None, parts=Lines(part).feed,
        )  # fmt: skip
        if reply.error:
            raise errors.of_outcome(reply.outcome, reply.message(self.principal, verb))

    def run(
        self, words: list[bytes], deadline: Deadline, *, changes: bool,
        patience: float | None = None, progress: "Callable[[bytes], bool] | None" = None,
        interrupted: "Callable[[], None] | None" = None, parts: "Callable[[bytes], None] | None" = None,
    ) -> Reply:  # fmt: skip
        """Run one command and return its whole reply.

        `patience` is how long the host may say nothing; `progress` gets what comes on stream 2 as it comes, and returns
        whether it has dealt with that, so that it is no part of the reply; `parts` gets what comes on stream 1;
        `interrupted` is called at the first Ctrl-C, instead of giving up. Raises UnreachableError where the connection
        failed before a change was sent, UnknownOutcomeError after. A change whose reply was lost is asked for again,
        with the same id (`--rid`), on a new connection: the host acts once.
        """

        def ask() -> Reply:
            reply = self._ask(words, deadline, changes, patience, progress, interrupted, parts)
            if reply.error == wire.ERROR_UNKNOWN_COMMAND:
                reply.older = self._version(deadline)
            return reply

        try:
            return ask()
        except UnknownOutcomeError as unknown:
            if isinstance(unknown.__cause__, TimeoutError) or not any(word.startswith(b"--rid=") for word in words):
                raise
            return self._ask_again(ask, unknown, deadline)

    def _version(self, deadline: Deadline) -> str:
        """Return the version of an xmand that did not know a verb; empty where another server listens there."""
        from rxm import refusals

        try:
            return refusals.version_of(self._ask(refusals.VERSION, deadline, False, None, None, None, None))
        except UnreachableError:
            return ""

    def _ask_again(self, ask: "Callable[[], Reply]", unknown: UnknownOutcomeError, deadline: Deadline) -> Reply:
        """Ask again on new connections, for a while; raises `unknown` where none gives the answer."""
        not_looked_up = outcome.NOT_LOOKED_UP.encode()
        give_up, pause = time.monotonic() + _AGAIN_SECONDS, _FIRST_PAUSE_SECONDS
        while time.monotonic() < give_up:
            try:
                self._abandon()
                self._open(Deadline(deadline.remaining(_ADDRESS_SECONDS)))
                reply = ask()
            except (UnreachableError, CredentialsError, UnknownOutcomeError):
                pass
            except TimeoutError:
                break
            else:
                # A host that could not look, or does not let us ask any more, says nothing about the first time.
                said = reply.stdout + reply.stderr
                if not reply.error and not (reply.status and not_looked_up in said):
                    return reply
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise unknown

    def _ask(
        self, words: list[bytes], deadline: Deadline, changes: bool, patience: float | None,
        progress: "Callable[[bytes], bool] | None", interrupted: "Callable[[], None] | None",
        parts: "Callable[[bytes], None] | None",
    ) -> Reply:  # fmt: skip
        reply = Reply()
        sent = False
        try:
            self._session.command(words)
            outgoing = self._session.take_outgoing()
            sent = True
            self._send(outgoing, deadline.remaining())
            while not self._session.finished:
                try:
                    self._collect(reply, deadline, patience, progress, parts)
                except KeyboardInterrupt:
                    if interrupted is None:
                        raise
                    interrupted()
                    interrupted = None
        except ProtocolError as error:
            raise UsageError(f"The command cannot be sent: {error}.") from error
        except (OSError, SessionError, EOFError, GssError) as error:
            self._abandon()
            why = _why(error, 0)
            if sent and changes:
                raise UnknownOutcomeError(
                    f"{why} The change was sent and may have happened; look at the host."
                ) from error
            raise UnreachableError(why) from error
        return reply

    def _collect(
        self, reply: Reply, deadline: Deadline, patience: float | None, progress: "Callable[[bytes], bool] | None",
        parts: "Callable[[bytes], None] | None",
    ) -> None:  # fmt: skip
        message = self._session.next_message()
        if message is None:
            self._fill(deadline.remaining(patience))
        elif isinstance(message, Output):
            if message.stream == wire.STDOUT and parts is not None:
                parts(message.data)
            elif message.stream == wire.STDOUT:
                reply.stdout += message.data
            elif progress is None or not progress(message.data):
                reply.stderr += message.data
        elif isinstance(message, Status):
            reply.status = message.status
        elif isinstance(message, Error):
            reply.error, reply.error_text = message.code, message.text.decode("utf-8", "replace")
        elif isinstance(message, Version):
            raise SessionError(f"The host speaks only up to version {message.highest} of the protocol.")

    def _handshake(self) -> bool:
        done = self._session.handshake()
        self._send(self._session.take_outgoing(), None)
        return done

    def _send(self, data: bytes, timeout: float | None) -> None:
        if data:
            sock = self._open_socket()
            sock.settimeout(timeout)
            sock.sendall(data)

    def _fill(self, timeout: float | None) -> None:
        sock = self._open_socket()
        sock.settimeout(timeout)
        data = sock.recv(_CHUNK)
        if not data:
            raise EOFError
        self._session.receive(data)

    def _open_socket(self) -> _socket.socket:
        if self._socket is None:
            raise EOFError
        return self._socket

    def interrupt(self) -> None:
        """Let the command that another thread runs here fail at once."""
        try:
            self._open_socket().shutdown(_socket.SHUT_RDWR)
        except (OSError, EOFError):
            return

    def _abandon(self) -> None:
        """Close without a word: what the other side would make of one is not known."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def new_rid() -> str:
    """Return an id for one request: 128 bits, in hexadecimal."""
    return lean.random(16).hex()


def wire_words(
    parsed: Parsed, *, json: bool, domains: list[str] | None = None, rid: str = "", reason: str = "",
    timeout: float | None = None,
) -> list[bytes]:  # fmt: skip
    """Return the argument vector for one target; `domains` stand for the DOMAINs given where rxm shared them out."""
    own = {option.key for option in parsed.verb.options if option.local}
    options = {key: value for key, value in parsed.options.items() if key not in own}
    common = {"rid": rid, "reason": reason, "timeout": f"{timeout:g}" if timeout else ""}
    options |= {key: value for key, value in common.items() if value}
    if json:
        options["json"] = True
    if parsed.follows:
        options["alive"] = True
    words = [parsed.verb.name]
    words += [f"--{key}" if value is True else f"--{key}={value}" for key, value in options.items()]
    words.append("--")
    for argument in parsed.verb.arguments:
        given = parsed.given.get(argument.name, [])
        words += domains if domains is not None and argument.kind == DOMAIN else given
    return [word.encode("utf-8", "surrogateescape") for word in words]


def _dial(host: str, port: int, deadline: Deadline) -> _socket.socket:
    """Connect to the first address of `host` that answers. Raises OSError."""
    problem: OSError | None = None
    # As octets: for a text Python fetches its codec of international names first, whatever the text.
    for family, kind, protocol, _name, address in _socket.getaddrinfo(_octets(host), port, type=_socket.SOCK_STREAM):
        sock = _socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.remaining(_ADDRESS_SECONDS))
            sock.connect(address)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            problem = error
    raise problem or OSError("the name has no address")


def _octets(host: str) -> bytes:
    """Return a host's name as the resolver takes it. Raises OSError."""
    try:
        return host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError as error:
        raise OSError("this cannot be the name of a host") from error


def explained(error: GssError) -> CredentialsError:
    """Return the error for the user."""
    from rxm import explain

    return explain.gss_error(error)


def _why(error: Exception, port: int) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time."
    if isinstance(error, EOFError):
        return "the host closed the connection."
    if isinstance(error, _socket.gaierror):
        return f"the name cannot be resolved ({error.strerror})."
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on port {port}: is xmand running?"
    if isinstance(error, OSError):
        return f"{error.strerror or error}."
    return f"{error}."
