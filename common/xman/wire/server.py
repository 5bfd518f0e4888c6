"""The server's side of the conversation, as a state machine over plaintexts (specification, section 3).

    IDLE    --COMMAND 0-->  RUNNING --reply--> IDLE, or CLOSED where keep-alive was 0
    IDLE    --COMMAND 1-->  PARTIAL --COMMAND 2--> PARTIAL --COMMAND 3--> RUNNING
    IDLE    --NOOP-->       NOOP sent
    any     --QUIT-->       CLOSED
    any     --other version--> VERSION sent, a partial command discarded
    IDLE    --other type--> ERROR 3          PARTIAL --other type--> discarded, ERROR 9
    bad continue octet, bad vector --> discarded, ERROR 4      over a limit --> discarded, ERROR 7 or 8
    no type --> ERROR 2, CLOSED

A command that takes input (`open_input`; an extension of ours, xman-protocol(7)) gets the client's DATA while it is
RUNNING. Whoever ends first, the other one follows: after the client's END nothing more comes; where the reply ends
before that, what still comes is swallowed.

    RUNNING --DATA--> its octets      RUNNING --END--> no more      RUNNING --reply, before END--> DRAINING
    DRAINING --DATA--> swallowed      DRAINING --END--> as after a reply      anything else --> CLOSED

One deviation from the reference server, which closes after a stray message within a continuation: the specification
says discard and let the client start again, and so do we. And one addition: what follows of a command that was refused
as too large is swallowed, so that every command gets exactly one reply.
"""

from xman.wire import constants as c
from xman.wire import messages as m

IDLE = "idle"
PARTIAL = "partial"
SWALLOWING = "swallowing"
RUNNING = "running"
DRAINING = "draining"
CLOSED = "closed"

# The specification lets a server give up on a client after "an unreasonable number of errors"; the reference's own
# test suite sends eleven in a row.
MAX_ERRORS_IN_A_ROW = 32

_FROM_CLIENTS = (c.COMMAND, c.QUIT, c.NOOP)


class ServerProtocol:
    """One connection's conversation; feed it plaintexts with `receive`, send what `take_outgoing` returns."""

    __slots__ = (
        "_body",
        "_errors",
        "_keepalive",
        "_outgoing",
        "_swallow",
        "complaint",
        "input_open",
        "refused",
        "state",
    )

    def __init__(self) -> None:
        self.state = IDLE
        self._body = bytearray()
        self._keepalive = True
        self._errors = 0
        # Whether more of a command is coming that is being answered already.
        self._swallow = False
        # Whether the command that runs takes input, whose end has not come yet.
        self.input_open = False
        # The ERROR code of the last message that was refused; whoever logs it sets it back to 0.
        self.refused = 0
        # Why it was closed, where that was for something the client did wrong.
        self.complaint = ""
        self._outgoing: list[bytes] = []

    def receive(self, plaintext: bytes) -> list[bytes] | None:
        """Take one message; return an argument vector when a command is whole, otherwise None.

        While a command runs (a vector was returned and neither `send_status` nor `send_error` called) nothing may be
        received: the caller leaves further messages in its buffer.
        """
        if self.state in (RUNNING, CLOSED):
            raise RuntimeError(f"a message was handed in while {self.state}")
        if self.state == DRAINING:
            self.receive_input(plaintext)
            return None
        try:
            self._check_type(plaintext)
            return self._dispatch(m.decode(plaintext))
        except m.ProtocolError as error:
            self._refuse(error.code)
            return None

    def open_input(self) -> None:
        """Tell the client that the command that runs takes its input from now on; it sends none before."""
        self.send_sign_of_life()
        self.input_open = True

    def receive_input(self, plaintext: bytes) -> bytes:
        """Take one message of the input; return its octets, none at the end (`input_open` is False then).

        What may not come here closes the connection: where the input ends cannot be told any more.
        """
        if not self.input_open:
            raise RuntimeError("input was handed in that nobody takes")
        try:
            message = m.decode_input(plaintext)
        except m.ProtocolError as error:
            self.complaint = str(error)
            message = m.Quit()
        if isinstance(message, m.Data):
            return message.data if self.state == RUNNING else b""
        self.input_open = False
        if isinstance(message, m.Quit):
            self.state = CLOSED
        elif self.state == DRAINING:
            self._replied()
        return b""

    @property
    def held(self) -> int:
        """How many octets of an unfinished command are kept."""
        return len(self._body)

    def cut_short(self) -> list[bytes]:
        """Return the first word of the command that is PARTIAL, which is to be answered; swallow the rest of it."""
        word = m.first_word(bytes(self._body[: m.MOST_FIRST_WORD]))
        self._body.clear()
        self._swallow = True
        self.state = RUNNING
        return [word]

    def fail_token(self) -> None:
        """Tell the peer that its token could not be unsealed, and close: the stream can't be trusted any more."""
        self._refuse(c.ERROR_BAD_TOKEN)

    def send_output(self, stream: int, data: bytes) -> None:
        """Queue `data` for the client's stream 1 or 2, in as many messages as it takes."""
        self._require_running()
        for start in range(0, len(data), c.MAX_OUTPUT):
            self._outgoing.append(m.encode(m.Output(stream, data[start : start + c.MAX_OUTPUT])))

    def send_sign_of_life(self) -> None:
        """Queue an OUTPUT without octets: no other message may come from a server that has nothing to say."""
        self._require_running()
        self._outgoing.append(m.encode(m.Output(c.STDERR, b"")))

    def send_status(self, status: int) -> None:
        """End the reply with an exit status."""
        self._require_running()
        self._errors = 0
        self._outgoing.append(m.encode(m.Status(status)))
        self._replied()

    def send_error(self, code: int, text: str | None = None) -> None:
        """End the reply with an ERROR; `text` defaults to the reference server's."""
        self._require_running()
        self._replied()
        self._send_error(code, text)

    def take_outgoing(self) -> list[bytes]:
        """Return the plaintexts to seal and send, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _replied(self) -> None:
        if self.input_open:
            self.state = DRAINING
        elif self._swallow:
            self._swallow = False
            self.state = SWALLOWING
        else:
            self.state = IDLE if self._keepalive else CLOSED

    def _require_running(self) -> None:
        if self.state != RUNNING:
            raise RuntimeError(f"a reply was sent while {self.state}")

    def _check_type(self, plaintext: bytes) -> None:
        """Refuse the types that no client sends, whatever their bodies look like."""
        if len(plaintext) < 2 or plaintext[0] not in c.SUPPORTED_VERSIONS or plaintext[1] in _FROM_CLIENTS:
            return
        code = c.ERROR_UNEXPECTED_MESSAGE if self.state == PARTIAL else c.ERROR_UNKNOWN_MESSAGE
        raise m.ProtocolError(code, f"a message of type {plaintext[1]} while {self.state}")

    def _dispatch(self, message: m.Message) -> list[bytes] | None:
        if isinstance(message, m.UnsupportedVersion):
            self._discard()
            self._outgoing.append(m.encode(m.Version(c.HIGHEST_VERSION)))
            self._count_error()
            return None
        if isinstance(message, m.Quit):
            self._discard()
            self.state = CLOSED
            return None
        if isinstance(message, m.CommandChunk):
            return self._command(message)
        if self.state == PARTIAL:
            raise m.ProtocolError(c.ERROR_UNEXPECTED_MESSAGE, "only COMMAND and QUIT may follow an unfinished COMMAND")
        self._outgoing.append(m.encode(m.Noop()))
        return None

    def _command(self, message: m.CommandChunk) -> list[bytes] | None:
        try:
            return self._collect(message)
        except m.ProtocolError as error:
            self._refuse(error.code)
            more_follows = error.code == c.ERROR_TOOMUCH_DATA and message.continuation in (c.FIRST, c.MIDDLE)
            if more_follows and self.state != CLOSED:
                self.state = SWALLOWING
            elif not message.keepalive:
                self.state = CLOSED
            return None

    def _collect(self, message: m.CommandChunk) -> list[bytes] | None:
        if self.state == SWALLOWING:
            if message.continuation == c.MIDDLE:
                return None
            if message.continuation == c.LAST:
                self.state = IDLE if message.keepalive else CLOSED
                return None
            self.state = IDLE
        # The keep-alive of the last chunk is the one that counts.
        self._keepalive = message.keepalive
        legal = (c.MIDDLE, c.LAST) if self.state == PARTIAL else (c.WHOLE, c.FIRST)
        if message.continuation not in legal:
            raise m.ProtocolError(c.ERROR_BAD_COMMAND, f"continue octet {message.continuation} while {self.state}")
        if len(self._body) + len(message.chunk) > c.MAX_COMMAND:
            raise m.ProtocolError(c.ERROR_TOOMUCH_DATA, f"more than {c.MAX_COMMAND} octets")
        self._body += message.chunk
        if message.continuation in (c.FIRST, c.MIDDLE):
            self.state = PARTIAL
            return None
        body = bytes(self._body)
        self._discard()
        arguments = m.decode_arguments(body)
        self.state = RUNNING
        return arguments

    def _discard(self) -> None:
        self._body.clear()
        self.state = IDLE

    def _refuse(self, code: int) -> None:
        self.refused = code
        self._discard()
        self._send_error(code, None)
        if code == c.ERROR_BAD_TOKEN:
            self.state = CLOSED
            self.complaint = c.ERROR_TEXTS[code]

    def _send_error(self, code: int, text: str | None) -> None:
        self._outgoing.append(m.encode(m.Error(code, (text or c.ERROR_TEXTS[code]).encode())))
        self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= MAX_ERRORS_IN_A_ROW:
            self.state = CLOSED
            self.complaint = f"{self._errors} errors in a row"
