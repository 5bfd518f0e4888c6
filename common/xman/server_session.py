"""xmand's side of one conversation, without the stream (`xman.session`), and what a client is found to want."""

from xman.gss import GssError
from xman.session import MAX_HANDSHAKE_TOKENS, Side
from xman.wire import constants as c
from xman.wire.server import CLOSED, PARTIAL, RUNNING, ServerProtocol
from xman.wire.tokens import TokenTooLargeError, encode_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss import AcceptingContext


class Authenticated:
    """The handshake is over: `initiator` is the client's principal, in octets as the KDC gave it."""

    __slots__ = ("delegated", "initiator", "initiator_is_principal")

    def __init__(self, initiator: bytes, initiator_is_principal: bool, delegated: bool = False) -> None:
        self.initiator = initiator
        self.initiator_is_principal = initiator_is_principal
        # Whether credentials came along.
        self.delegated = delegated


class CommandReceived:
    """The client wants a command run; answer with `ServerSession.send_*` before asking for the next event."""

    __slots__ = ("arguments",)

    def __init__(self, arguments: list[bytes]) -> None:
        self.arguments = arguments


class CommandBegun:
    """More is coming than anybody may say whose right to anything is not known yet.

    Answer with `ServerSession.authorize` or `deny` before asking for the next event.
    """

    __slots__ = ()


class InputReceived:
    """Octets for the command that runs."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class InputEnded:
    """No more input comes for the command that runs."""

    __slots__ = ()


class MessageRefused:
    """The client sent something that is no command; it has been told, by an ERROR of this `code`."""

    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        self.code = code


class Closed:
    """The conversation is over: send what is left, then close. `detail` is empty where the client took its leave."""

    __slots__ = ("detail", "reason")

    def __init__(self, detail: str, reason: str = "") -> None:
        self.detail = detail
        self.reason = reason


class ServerSession(Side):
    """xmand's side of one connection.

    `strangers`: who is known may say no more than a stranger until `authorize` is called (`CommandBegun`).
    """

    def __init__(self, context: "AcceptingContext", *, strangers: bool = False) -> None:
        super().__init__(context)
        self._accepting = context
        self._protocol = ServerProtocol()
        self._hello_seen = False
        self._authenticated = False
        # Whether what the client may say is bounded by what a stranger may.
        self._stranger = strangers
        # How many tokens were taken, for whoever shares out turns.
        self.taken = 0
        self._handshake_tokens = 0
        self._closed = False

    def next_event(
        self, most: int = 1 << 30
    ) -> Authenticated | CommandBegun | CommandReceived | MessageRefused | Closed | None:
        """Return what happened next, or None when more octets are needed, or when a command awaits its reply.

        At most `most` tokens are taken; None may also mean that there are more (`ready`). Raises GssError where an
        answer cannot be sealed; nobody can be told then.
        """
        last = self.taken + most
        while not self._closed and self._protocol.state != RUNNING:
            if self._protocol.state == CLOSED:
                return self._close(self._protocol.complaint)
            if self.taken >= last:
                return None
            try:
                token = self._tokens.next_token()
            except TokenTooLargeError as error:
                if not self._authenticated:
                    return self._close(str(error))
                worth_asking = self._stranger and error.length <= c.MAX_TOKEN
                return CommandBegun() if worth_asking else self._fail_token(str(error))
            if token is None:
                return None
            self.taken += 1
            event = self._data(*token) if self._authenticated else self._handshake(*token)
            if event is not None:
                return event
        return None

    def open_input(self) -> None:
        """Let the command that runs take input (`next_input`), and tell the client so."""
        self._protocol.open_input()
        self._flush()

    @property
    def input_open(self) -> bool:
        """Whether the command that runs takes input that has not ended."""
        return self._protocol.state == RUNNING and self._protocol.input_open

    def next_input(self) -> InputReceived | InputEnded | Closed | None:
        """Return what comes next for the command that runs, None when more octets are needed.

        Closed where the client broke the protocol, or took its leave: the command's reply reaches nobody any more.
        """
        while self.input_open and not self._closed:
            try:
                token = self._tokens.next_token()
            except TokenTooLargeError as error:
                return self._close(str(error))
            if token is None:
                return None
            self.taken += 1
            flags, payload = token
            try:
                plaintext = self._context.unseal(payload) if flags == c.FLAGS_DATA else b""
            except GssError as error:
                return self._close(str(error))
            data = self._protocol.receive_input(plaintext)
            if self._protocol.state == CLOSED:
                return self._close(self._protocol.complaint)
            if data:
                return InputReceived(data)
            if not self._protocol.input_open:
                return InputEnded()
        return None

    @property
    def ready(self) -> bool:
        """Whether another token is there, whole or too large; meaningless while a command awaits its reply."""
        return self._tokens.ready

    @property
    def over(self) -> bool:
        """Whether the conversation has ended, of which the next event tells."""
        return self._closed or self._protocol.state == CLOSED

    @property
    def held(self) -> int:
        """How many octets of the client's are kept: what is not a whole token, and what is not a whole command."""
        return len(self._tokens) + self._protocol.held

    def authorize(self) -> None:
        """Let the client say whatever the protocol allows."""
        self._stranger = False
        self._tokens.limit = c.MAX_TOKEN

    def estrange(self) -> None:
        """Bound what the client may say, again, by what a stranger may."""
        self._stranger = True
        self._tokens.limit = c.MAX_STRANGERS_TOKEN

    def deny(self) -> CommandReceived | Closed:
        """Refuse the command that has begun: return its first word alone, to be answered, or that it was the end.

        What is to come of it is swallowed, and nothing of it kept.
        """
        if self._protocol.state != PARTIAL:
            return self._fail_token("a token larger than a stranger's may be")
        return CommandReceived(self._protocol.cut_short())

    @property
    def lifetime(self) -> int:
        """The seconds for which the client's authentication still holds."""
        return self._context.lifetime

    def send_output(self, stream: int, data: bytes) -> None:
        """Send a part of the reply on stream 1 or 2."""
        self._protocol.send_output(stream, data)
        self._flush()

    def send_sign_of_life(self) -> None:
        """Send what changes nothing, in the middle of a reply."""
        self._protocol.send_sign_of_life()
        self._flush()

    def send_status(self, status: int) -> None:
        """End the reply with an exit status."""
        self._protocol.send_status(status)
        self._flush()

    def send_error(self, code: int) -> None:
        """End the reply with an ERROR and the reference server's text for it."""
        self._protocol.send_error(code)
        self._flush()

    def _handshake(self, flags: int, payload: bytes) -> Authenticated | Closed | None:
        if not self._hello_seen:
            self._hello_seen = True
            # 0x11 would be protocol version 1, which has no way to protect what follows; its payload is ignored.
            return None if flags == c.FLAGS_HELLO else self._close(f"a first token with flags 0x{flags:02x}")
        self._handshake_tokens += 1
        if flags != c.FLAGS_CONTEXT or self._handshake_tokens > MAX_HANDSHAKE_TOKENS:
            return self._close(f"token {self._handshake_tokens} of the handshake has flags 0x{flags:02x}")
        try:
            answer = self._context.step(payload)
        except GssError as error:
            if error.token:
                self._outgoing.append(encode_token(c.FLAGS_CONTEXT, error.token))
            return self._close(str(error), error.reason)
        if answer:
            self._outgoing.append(encode_token(c.FLAGS_CONTEXT, answer))
        if not self._context.complete:
            # A mutated token can leave MIT's library with neither an answer nor an error: nothing would ever follow.
            return None if answer else self._close("the handshake leads nowhere")
        missing = self._context.missing_protection()
        if missing:
            return self._close(f"the client's context lacks {missing}")
        self._authenticated = True
        self._tokens.limit = c.MAX_STRANGERS_TOKEN if self._stranger else c.MAX_TOKEN
        return Authenticated(self._context.initiator, self._context.initiator_is_principal, self._accepting.delegated)

    def _data(self, flags: int, payload: bytes) -> CommandBegun | CommandReceived | MessageRefused | Closed | None:
        try:
            # The reference ignores the flags here; they must say what the payload is.
            plaintext = self._context.unseal(payload) if flags == c.FLAGS_DATA else None
        except GssError as error:
            plaintext, detail = None, str(error)
        else:
            detail = f"a token with flags 0x{flags:02x}"
        if plaintext is None:
            return self._fail_token(detail)
        arguments = self._protocol.receive(plaintext)
        self._flush()
        if arguments is not None:
            return CommandReceived(arguments)
        if self._stranger and self._protocol.state == PARTIAL:
            return CommandBegun()
        refused, self._protocol.refused = self._protocol.refused, 0
        # What ends the connection is told by Closed.
        return MessageRefused(refused) if refused not in (0, c.ERROR_BAD_TOKEN) else None

    def _fail_token(self, detail: str) -> Closed:
        self._protocol.fail_token()
        try:  # noqa: SIM105  # contextlib is dear to import, and rxm pays for it at every start
            self._flush()
        except GssError:
            # A context that failed to unseal may fail to seal as well; what matters is why it failed first.
            pass
        return self._close(detail)

    def _flush(self) -> None:
        self._seal(self._protocol.take_outgoing())

    def _close(self, detail: str, reason: str = "") -> Closed:
        self._closed = True
        return Closed(detail, reason)
