"""Commands to one host's xmand (or any remctl server), over one connection."""

from rxm.remote.command import Reply
from rxm.remote.deadline import Deadline
from rxm.remote.transport import Transport
from xman import outcome
from xman.errors import UnknownOutcomeError, UnreachableError, UsageError
from xman.gss import GssError, backends
from xman.session import SessionError
from xman.wire import constants as wire
from xman.wire.messages import Error, Output, ProtocolError, Status, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from xman.gss.backends import Initiator

# Twice what any honest answer takes (a list of 100,000 domains), and what fits the memory of one rxm.
MOST_REPLY = 64 << 20


def initiator(client_keytab: str = "", principal: str = "") -> "Initiator":
    """Return the identity to act as. Raises CredentialsError."""
    try:
        return backends.initiator(client_keytab, principal)
    except GssError as error:
        from rxm.remote import messages

        raise messages.no_identity(error, client_keytab, principal) from error


class Connection:
    """An authenticated connection. Use it from one thread at a time.

    Raises CredentialsError and UnreachableError when it is made. One that was lost since, or by the command before, is
    made anew for the next command.
    """

    def __init__(self, host: str, port: int, service: str, identity: "Initiator", deadline: Deadline) -> None:
        self.host = host
        self._port = port
        self._service = service
        self._identity = identity
        self._open(deadline)

    def _open(self, deadline: Deadline) -> None:
        self._transport = Transport(self.host, self._port, self._service, self._identity, deadline)
        self._session = self._transport.session

    @property
    def transport(self) -> Transport:
        """What it is made of, for a command that is typed to."""
        return self._transport

    @property
    def principal(self) -> str:
        """As whom the host knows us."""
        return self._transport.principal

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take leave and close."""
        self._transport.close()

    def interrupt(self) -> None:
        """Let the command that another thread runs here fail at once."""
        self._transport.interrupt()

    def run(
        self,
        words: list[bytes],
        deadline: Deadline,
        *,
        changes: bool,
        patience: float | None = None,
        progress: "Callable[[bytes], bool] | None" = None,
        interrupted: "Callable[[], None] | None" = None,
        parts: "Callable[[bytes], None] | None" = None,
    ) -> Reply:
        """Run one command and return its whole reply.

        `patience` is how long the host may say nothing; `progress` gets what comes on stream 2 as it comes, and returns
        whether it has dealt with that, so that it is no part of the reply; `parts` gets what comes on stream 1;
        `interrupted` is called at the first Ctrl-C, instead of giving up. Raises UnreachableError where the connection
        failed before a change was sent, UnknownOutcomeError after. A change whose reply was lost is asked for again,
        with the same id (`--rid`), on a new connection: an xmand acts once, and who is none is not asked.
        """

        if self._transport.lost():
            self.reopen(deadline)

        def ask(words: list[bytes] = words) -> Reply:
            reply = self._ask(words, deadline, changes, patience, progress, interrupted, parts)
            if reply.error == wire.ERROR_UNKNOWN_COMMAND:
                reply.older = self._version(deadline)
            return reply

        try:
            reply = ask()
            if reply.status == outcome.USAGE:
                from rxm.remote import older

                reply = older.ask(words, reply, ask, lambda: self._version(deadline))
            return reply
        except UnknownOutcomeError as unknown:
            if isinstance(unknown.__cause__, TimeoutError) or not any(word.startswith(b"--rid=") for word in words):
                raise
            from rxm.remote import retry

            return retry.ask(self, ask, unknown, deadline)

    def reopen(self, deadline: Deadline) -> None:
        """Connect anew in place of a connection that failed."""
        self._transport.abandon()
        self._open(deadline)

    def ping(self, deadline: Deadline) -> Reply:
        """Ask who listens there. Raises UnreachableError where nobody answers."""
        from rxm.remote import messages

        return self._ask(messages.PING, deadline, False, None, None, None, None)

    def _version(self, deadline: Deadline) -> str:
        """Return the version of an xmand that did not know a verb; empty where another server listens there."""
        from rxm.remote import messages

        try:
            return messages.version_of(self._ask(messages.VERSION, deadline, False, None, None, None, None))
        except UnreachableError:
            return ""

    def _ask(
        self,
        words: list[bytes],
        deadline: Deadline,
        changes: bool,
        patience: float | None,
        progress: "Callable[[bytes], bool] | None",
        interrupted: "Callable[[], None] | None",
        parts: "Callable[[bytes], None] | None",
    ) -> Reply:
        reply = Reply()
        if parts is not None:
            from rxm.remote import older

            parts = older.held_back(words, parts, reply)
        sent = False
        try:
            self._session.command(words)
            outgoing = self._session.take_outgoing()
            sent = True
            self._transport.send(outgoing, deadline.remaining())
            while not self._session.finished:
                try:
                    self._collect(reply, deadline, patience, progress, parts)
                except KeyboardInterrupt:
                    if interrupted is None:
                        raise
                    interrupted()
                    interrupted = None
            reply.stdout = b"".join(reply.pieces)
        except ProtocolError as error:
            raise UsageError(f"The command cannot be sent: {error}.") from error
        except (OSError, SessionError, EOFError, GssError) as error:
            from rxm.remote import messages

            self._transport.abandon()
            why = messages.why(error, 0)
            if sent and changes:
                raise UnknownOutcomeError(
                    f"{why} The change was sent and may have taken effect; check the host."
                ) from error
            raise UnreachableError(why) from error
        except BaseException:  # the caller's, or Ctrl-C: the rest of the reply would be taken for the next one's
            self._transport.abandon()
            raise
        return reply

    def _collect(
        self,
        reply: Reply,
        deadline: Deadline,
        patience: float | None,
        progress: "Callable[[bytes], bool] | None",
        parts: "Callable[[bytes], None] | None",
    ) -> None:
        message = self._session.next_message()
        if message is None:
            self._transport.fill(deadline.remaining(patience))
        elif isinstance(message, Output):
            if message.stream == wire.STDOUT and parts is not None:
                parts(message.data)
            elif message.stream == wire.STDOUT:
                limit(reply, message.data)
                reply.pieces.append(message.data)
            elif progress is None or not progress(message.data):
                limit(reply, message.data)
                reply.stderr += message.data
        else:
            end(reply, message)


def end(reply: Reply, message: object) -> None:
    """Take the end of a reply. Raises SessionError where there is none to be had."""
    if isinstance(message, Status):
        reply.status = message.status
    elif isinstance(message, Error):
        reply.error, reply.error_text = message.code, message.text.decode("utf-8", "replace")
    elif isinstance(message, Version):
        raise SessionError(f"The host speaks only up to version {message.highest} of the protocol.")


def limit(reply: Reply, data: bytes) -> None:
    """Count what a host answers. Raises SessionError where it does not end."""
    reply.octets += len(data)
    if reply.octets > MOST_REPLY:
        raise SessionError(f"The host answers more than {MOST_REPLY >> 20} MiB")
