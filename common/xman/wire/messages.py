"""The messages inside the sealed tokens: encoding, and decoding with every length checked (specification, section 3).

Plain classes and no dataclasses: `rxm` loads this module on its way to every command, and `import dataclasses` alone
would cost it more time than the whole conversation.
"""

from xman.wire import constants as c


class ProtocolError(Exception):
    """The peer broke the protocol.

    `code` is the ERROR code that says so to it, one of `constants.ERROR_TEXTS`.
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Message:
    """Base of the messages; compares and prints by its fields, for the tests."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.__slots__)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


class CommandChunk(Message):
    """COMMAND, client to server: all or a part of an encoded argument vector."""

    __slots__ = ("chunk", "continuation", "keepalive")

    def __init__(self, keepalive: bool, continuation: int, chunk: bytes) -> None:
        self.keepalive = keepalive
        self.continuation = continuation
        self.chunk = chunk


class Quit(Message):
    """QUIT, client to server: close, no reply."""

    __slots__ = ()


class Output(Message):
    """OUTPUT, server to client: octets of a command's standard output (1) or error (2)."""

    __slots__ = ("data", "stream")

    def __init__(self, stream: int, data: bytes) -> None:
        self.stream = stream
        self.data = data


class Status(Message):
    """STATUS, server to client: the command's exit status, 0 to 255; ends the reply."""

    __slots__ = ("status",)

    def __init__(self, status: int) -> None:
        self.status = status


class Error(Message):
    """ERROR, server to client: the command was not run to its end; ends the reply. `text` is for people."""

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: bytes) -> None:
        self.code = code
        self.text = text


class Version(Message):
    """VERSION, server to client: the highest version it speaks; your message was ignored."""

    __slots__ = ("highest",)

    def __init__(self, highest: int) -> None:
        self.highest = highest


class Noop(Message):
    """NOOP, both ways: keeps a connection through firewalls that forget."""

    __slots__ = ()


class Data(Message):
    """DATA, client to server, of the extension: octets of a running command's standard input."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class End(Message):
    """END, client to server, of the extension: no more input comes."""

    __slots__ = ()


class UnsupportedVersion(Message):
    """What `decode` makes of a message whose version octet is not ours; `version` is that octet."""

    __slots__ = ("version",)

    def __init__(self, version: int) -> None:
        self.version = version


def encode(message: Message) -> bytes:
    """Return the plaintext of `message`, ready for gss_wrap (at most `constants.MAX_PLAINTEXT` octets)."""
    if isinstance(message, CommandChunk):
        return bytes((c.VERSION_2, c.COMMAND, message.keepalive, message.continuation)) + message.chunk
    if isinstance(message, Output):
        return bytes((c.VERSION_2, c.OUTPUT, message.stream)) + _counted(message.data)
    if isinstance(message, Status):
        return bytes((c.VERSION_2, c.STATUS, message.status))
    if isinstance(message, Error):
        return bytes((c.VERSION_2, c.ERROR)) + message.code.to_bytes(4, "big") + _counted(message.text)
    if isinstance(message, Version):
        return bytes((c.VERSION_2, c.VERSION, message.highest))
    if isinstance(message, Noop):
        return bytes((c.VERSION_3, c.NOOP))
    if isinstance(message, Quit):
        return bytes((c.VERSION_2, c.QUIT))
    if isinstance(message, Data):
        return bytes((c.EXTENSION, c.DATA)) + message.data
    if isinstance(message, End):
        return bytes((c.EXTENSION, c.END))
    raise TypeError(f"not a message of the protocol: {message!r}")


def decode(plaintext: bytes) -> Message:
    """Return the message in `plaintext`, of either direction.

    Raises ProtocolError: ERROR_BAD_TOKEN where there is not even a type, ERROR_UNKNOWN_MESSAGE for a type that neither
    version has, ERROR_BAD_COMMAND where the lengths inside do not add up.
    """
    if len(plaintext) < 2:
        raise ProtocolError(c.ERROR_BAD_TOKEN, "a message without a type")
    version, kind, body = plaintext[0], plaintext[1], plaintext[2:]
    if version not in c.SUPPORTED_VERSIONS:
        return UnsupportedVersion(version)
    if kind == c.COMMAND:
        if len(body) < 2:
            raise ProtocolError(c.ERROR_BAD_COMMAND, "a COMMAND without its keep-alive and continue octets")
        return CommandChunk(body[0] != 0, body[1], body[2:])
    if kind == c.QUIT:
        return Quit()
    if kind == c.NOOP:
        return Noop()
    if kind == c.OUTPUT:
        return Output(_octet(body, "OUTPUT"), _exactly(body, 1, "OUTPUT"))
    if kind == c.STATUS:
        _length(body, 1, "STATUS")
        return Status(body[0])
    if kind == c.ERROR:
        if len(body) < 4:
            raise ProtocolError(c.ERROR_BAD_COMMAND, "an ERROR without its code")
        return Error(int.from_bytes(body[:4], "big"), _exactly(body, 4, "ERROR"))
    if kind == c.VERSION:
        _length(body, 1, "VERSION")
        return Version(body[0])
    raise ProtocolError(c.ERROR_UNKNOWN_MESSAGE, f"message type {kind}")


def decode_input(plaintext: bytes) -> Data | End | Quit:
    """Return what a client may send while a command takes its input.

    Raises ProtocolError (ERROR_UNEXPECTED_MESSAGE) for anything else: such a stream cannot be mended.
    """
    head = plaintext[:2]
    if head == bytes((c.EXTENSION, c.DATA)):
        return Data(plaintext[2:])
    if plaintext == bytes((c.EXTENSION, c.END)):
        return End()
    if len(head) == 2 and head[0] in c.SUPPORTED_VERSIONS and head[1] == c.QUIT:
        return Quit()
    raise ProtocolError(c.ERROR_UNEXPECTED_MESSAGE, "neither DATA nor END in a command's input")


def encode_arguments(arguments: list[bytes]) -> bytes:
    """Return the argument vector as the body of a command: the count, then each argument behind its length."""
    return b"".join([len(arguments).to_bytes(4, "big"), *map(_counted, arguments)])


def decode_arguments(body: bytes) -> list[bytes]:
    """Return the argument vector in `body`.

    Raises ProtocolError: ERROR_TOOMANY_ARGS over `constants.MAX_ARGUMENTS`; ERROR_BAD_COMMAND where the count and the
    lengths do not use up `body` exactly, or where an argument holds a NUL octet (no argument of ours may).
    """
    if len(body) < 4:
        raise ProtocolError(c.ERROR_BAD_COMMAND, "a command without an argument count")
    count = int.from_bytes(body[:4], "big")
    if count > c.MAX_ARGUMENTS:
        raise ProtocolError(c.ERROR_TOOMANY_ARGS, f"{count} arguments")
    arguments = []
    position = 4
    for _ in range(count):
        start = position + 4
        if start > len(body):
            raise ProtocolError(c.ERROR_BAD_COMMAND, "an argument is missing")
        end = start + int.from_bytes(body[position:start], "big")
        if end > len(body):
            raise ProtocolError(c.ERROR_BAD_COMMAND, "an argument is cut short")
        arguments.append(body[start:end])
        position = end
    if position != len(body):
        raise ProtocolError(c.ERROR_BAD_COMMAND, "octets behind the last argument")
    if any(b"\0" in argument for argument in arguments):
        raise ProtocolError(c.ERROR_BAD_COMMAND, "a NUL octet in an argument")
    return arguments


# Longer than any verb; more of it is not looked at.
MOST_FIRST_WORD = 72


def first_word(body: bytes) -> bytes:
    """Return the first argument, or as much as is there of it, of a vector of which only the beginning is at hand."""
    return body[8 : 8 + min(int.from_bytes(body[4:8], "big"), MOST_FIRST_WORD)] if len(body) > 8 else b""


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _length(body: bytes, expected: int, name: str) -> None:
    if len(body) != expected:
        raise ProtocolError(c.ERROR_BAD_COMMAND, f"a {name} of {len(body)} octets")


def _octet(body: bytes, name: str) -> int:
    if not body:
        raise ProtocolError(c.ERROR_BAD_COMMAND, f"an empty {name}")
    return body[0]


def _exactly(body: bytes, position: int, name: str) -> bytes:
    """Return the counted octets at `position`, which must be the rest of `body`."""
    start = position + 4
    if len(body) < start or int.from_bytes(body[position:start], "big") != len(body) - start:
        raise ProtocolError(c.ERROR_BAD_COMMAND, f"the length in an {name} is wrong")
    return body[start:]
