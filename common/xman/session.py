"""An authenticated conversation over a byte stream, without the stream: what both sides have, and rxm's side.

    octets --tokens--> handshake, then sealed messages --wire--> commands and replies

A session is fed what was received (`receive`, then `next_event` until None) and hands out what must be sent
(`take_outgoing`). Sockets, clocks and deadlines are the caller's; the security context comes in from outside
(`xman.gss`, or a stand-in of the unit tests). xmand's side is in
`xman.server_session`, which rxm never loads. Source: remctl protocol specification, sections 2 and 3.
"""

from xman.gss import OTHER, GssError
from xman.wire import constants as c
from xman.wire import messages as m
from xman.wire.client import ClientProtocol
from xman.wire.tokens import TokenReader, TokenTooLargeError, encode_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss import Context

# Kerberos needs one round trip; a peer that wants more of them is not a Kerberos client.
MAX_HANDSHAKE_TOKENS = 3


class SessionError(Exception):
    """The server did something that this protocol does not allow."""


class Side:
    """What both sides have: a context, tokens that arrive, tokens to send."""

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._tokens = TokenReader(c.MAX_HANDSHAKE_TOKEN)
        self._outgoing: list[bytes] = []

    def receive(self, data: bytes) -> None:
        """Add octets received from the peer."""
        self._tokens.feed(data)

    def take_outgoing(self) -> bytes:
        """Return the octets to send, and forget them."""
        outgoing, self._outgoing = b"".join(self._outgoing), []
        return outgoing

    def _seal(self, plaintexts: list[bytes]) -> None:
        for plaintext in plaintexts:
            self._outgoing.append(encode_token(c.FLAGS_DATA, self._context.seal(plaintext)))


class ClientSession(Side):
    """rxm's side of one connection.

    Call `start` and send what it returns; feed `receive` and ask `handshake` until it returns True; then `command`, and
    `next_message` until `finished`.
    """

    def __init__(self, context: "Context") -> None:
        super().__init__(context)
        self._protocol = ClientProtocol()
        self._initiator = b""

    def start(self) -> None:
        """Queue the hello and the first token of the handshake. Raises GssError (no ticket, no such service …)."""
        first = self._context.step(None)
        self._outgoing.append(encode_token(c.FLAGS_HELLO, b""))
        self._outgoing.append(encode_token(c.FLAGS_CONTEXT, first or b""))

    def handshake(self) -> bool:
        """Use what was received; return whether the handshake is over.

        Raises GssError (with the server's reason where it sent one) and SessionError.
        """
        while not self._context.complete:
            token = self._next_token()
            if token is None:
                return False
            flags, payload = token
            if flags != c.FLAGS_CONTEXT:
                raise SessionError(f"the server answered the handshake with flags 0x{flags:02x}")
            answer = self._context.step(payload)
            if answer:
                self._outgoing.append(encode_token(c.FLAGS_CONTEXT, answer))
            elif not self._context.complete:
                raise SessionError("the handshake leads nowhere")
        missing = self._context.missing_protection()
        if missing:
            raise GssError(OTHER, f"the connection lacks {missing}")
        self._tokens.limit = c.MAX_TOKEN
        return True

    @property
    def authenticated(self) -> bool:
        """Whether the handshake is over."""
        return self._context.complete

    @property
    def initiator(self) -> bytes:
        """The principal as which the user is known to the server, once the handshake is over.

        To be asked for while the ticket is good: a context tells no more of itself once that has ended.
        """
        if not self._initiator:
            self._initiator = self._context.initiator
        return self._initiator

    def command(self, arguments: list[bytes], keepalive: bool = True, *, takes_input: bool = False) -> None:
        """Queue a command. Raises `messages.ProtocolError` where the protocol's limits forbid it."""
        self._seal(self._protocol.command(arguments, keepalive, takes_input=takes_input))

    @property
    def input_open(self) -> bool:
        """Whether the server takes input for the command; after its reply: whether `end` must follow."""
        return self._protocol.input_open

    def data(self, octets: bytes) -> None:
        """Queue input for the command."""
        self._seal(self._protocol.data(octets))

    def end(self) -> None:
        """Queue the end of the input."""
        self._seal([self._protocol.end()])

    def noop(self) -> None:
        """Queue a NOOP."""
        self._seal([self._protocol.noop()])

    def quit(self) -> None:
        """Queue a QUIT."""
        self._seal([self._protocol.quit()])

    @property
    def finished(self) -> bool:
        """Whether the last command's reply has ended."""
        return self._protocol.finished

    def next_message(self) -> m.Message | None:
        """Return the server's next message (Output, Status, Error, Version, Noop), or None while it is not whole.

        Raises SessionError and GssError.
        """
        token = self._next_token()
        if token is None:
            return None
        flags, payload = token
        if flags != c.FLAGS_DATA:
            raise SessionError(f"the server sent a token with flags 0x{flags:02x}")
        try:
            return self._protocol.receive(self._context.unseal(payload))
        except m.ProtocolError as error:
            raise SessionError(str(error)) from error

    def _next_token(self) -> tuple[int, bytes] | None:
        try:
            return self._tokens.next_token()
        except TokenTooLargeError as error:
            raise SessionError(str(error)) from error
