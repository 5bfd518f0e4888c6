"""The client's side of the conversation, as a state machine over plaintexts (specification, section 3)."""

from xman.wire import constants as c
from xman.wire import messages as m

IDLE = "idle"
AWAITING = "awaiting"


class ClientProtocol:
    """One connection's conversation, one command at a time.

    `command` returns the plaintexts to seal and send; then `receive` takes the server's messages until one of them ends
    the reply (`finished`).
    """

    __slots__ = ("_asked", "input_open", "state")

    def __init__(self) -> None:
        self.state = IDLE
        # Whether the command asks for input, and whether the server takes it.
        self._asked = False
        self.input_open = False

    @property
    def finished(self) -> bool:
        """Whether no reply is being waited for."""
        return self.state == IDLE

    def command(self, arguments: list[bytes], keepalive: bool = True, *, takes_input: bool = False) -> list[bytes]:
        """Return the messages that carry `arguments`, split where one message cannot hold them.

        `takes_input`: the words ask for a command that takes input (`data`) once the server has said so.
        Raises ProtocolError where the protocol's own limits forbid them (ERROR_TOOMANY_ARGS, ERROR_TOOMUCH_DATA,
        ERROR_BAD_COMMAND for a NUL octet).
        """
        if self.state != IDLE:
            raise RuntimeError("a command was sent while the reply to another is awaited")
        if len(arguments) > c.MAX_ARGUMENTS:
            raise m.ProtocolError(c.ERROR_TOOMANY_ARGS, f"{len(arguments)} arguments; the limit is {c.MAX_ARGUMENTS}")
        if b"\0" in b"".join(arguments):
            raise m.ProtocolError(c.ERROR_BAD_COMMAND, "an argument holds a NUL octet")
        body = m.encode_arguments(arguments)
        if len(body) > c.MAX_COMMAND:
            raise m.ProtocolError(c.ERROR_TOOMUCH_DATA, f"{len(body)} octets; the limit is {c.MAX_COMMAND}")
        self.state = AWAITING
        self._asked = takes_input
        if len(body) <= c.MAX_CHUNK:
            return [m.encode(m.CommandChunk(keepalive, c.WHOLE, body))]
        chunks = [body[start : start + c.MAX_CHUNK] for start in range(0, len(body), c.MAX_CHUNK)]
        kinds = [c.FIRST] + [c.MIDDLE] * (len(chunks) - 2) + [c.LAST]
        return [m.encode(m.CommandChunk(keepalive, kind, chunk)) for kind, chunk in zip(kinds, chunks, strict=True)]

    def data(self, octets: bytes) -> list[bytes]:
        """Return the messages that carry `octets` as the command's input."""
        self._require_input()
        return [m.encode(m.Data(octets[at : at + c.MAX_DATA])) for at in range(0, len(octets), c.MAX_DATA)]

    def end(self) -> bytes:
        """Return the message that ends the command's input."""
        self._require_input()
        self.input_open = False
        return m.encode(m.End())

    def _require_input(self) -> None:
        if not self.input_open:
            raise RuntimeError("the server takes no input now")

    def noop(self) -> bytes:
        """Return a NOOP, which the server answers with one."""
        if self.state != IDLE:
            raise RuntimeError("a NOOP was sent while a reply is awaited")
        self.state = AWAITING
        return m.encode(m.Noop())

    def quit(self) -> bytes:
        """Return a QUIT, after which the server closes."""
        return m.encode(m.Quit())

    def receive(self, plaintext: bytes) -> m.Message:
        """Take one message of the server: Output, Status, Error, Version or Noop.

        All but Output end the reply; where `input_open` is still set then, `end` must follow. Error codes that this
        release does not know are passed on (specification: clients MUST accept them). Raises ProtocolError for
        anything a server may not send now.
        """
        message = m.decode(plaintext)
        if isinstance(message, m.CommandChunk | m.Quit | m.UnsupportedVersion):
            raise m.ProtocolError(c.ERROR_UNEXPECTED_MESSAGE, f"the server sent {message!r:.100}")
        if self.state != AWAITING:
            raise m.ProtocolError(c.ERROR_UNEXPECTED_MESSAGE, "the server spoke unasked")
        if not isinstance(message, m.Output):
            self.state = IDLE
        elif self._asked and message == m.Output(c.STDERR, b""):
            # The first sign of life; others may come later.
            self._asked, self.input_open = False, True
        return message
