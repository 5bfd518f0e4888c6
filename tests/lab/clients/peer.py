"""A client that says exactly what a test wants: sealed plaintexts, one at a time."""

import os
import socket
from pathlib import Path
from types import TracebackType

from tests.lab.kerberos.realm import FQDN
from xman.gss.python_gssapi_backend import Context, Initiator
from xman.wire import constants as c
from xman.wire.tokens import TokenReader, encode_token


class Peer:
    """Authenticates to a server on this machine with the tickets of `env`, then sends and receives plaintexts."""

    def __init__(self, env: dict[str, str], port: int, host: str = FQDN) -> None:
        use(env)
        # All that was said, in octets.
        self.sent = b""
        self._context: Context = Initiator().context("host", host)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._tokens = TokenReader(c.MAX_TOKEN)
        self._send_token(c.FLAGS_HELLO, b"")
        token = self._context.step(None)
        while token is not None:
            self._send_token(c.FLAGS_CONTEXT, token)
            token = None if self._context.complete else self._context.step(self._receive_token())

    def __enter__(self) -> "Peer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def address(self) -> str:
        """This end of the connection, as the server's log has it."""
        return "{}:{}".format(*self._socket.getsockname())

    def send(self, plaintext: bytes) -> None:
        """Seal and send one message."""
        self._send_token(c.FLAGS_DATA, self._context.seal(plaintext))

    def send_raw(self, flags: int, payload: bytes) -> None:
        """Send a token as it is."""
        self._send_token(flags, payload)

    def seal(self, plaintext: bytes) -> bytes:
        """Seal a message without sending it."""
        return self._context.seal(plaintext)

    def receive(self) -> bytes:
        """Receive and unseal one message. Raises EOFError where the server has closed."""
        return self._context.unseal(self._receive_token())

    def closed(self) -> bool:
        """Whether the server closes now, without another message."""
        try:
            self._receive_token()
        except EOFError:
            return True
        return False

    def _send_token(self, flags: int, payload: bytes) -> None:
        token = encode_token(flags, payload)
        self.sent += token
        self._socket.sendall(token)

    def _receive_token(self) -> bytes:
        while (token := self._tokens.next_token()) is None:
            data = self._socket.recv(65_536)
            if not data:
                raise EOFError
            self._tokens.feed(data)
        return token[1]


def command(*words: bytes) -> bytes:
    """Return the message of a command after which the connection stays open."""
    counted = b"".join(len(word).to_bytes(4, "big") + word for word in words)
    return b"\x02\x01\x01\x00" + len(words).to_bytes(4, "big") + counted


def use(env: dict[str, str]) -> None:
    """Let this very process be a client with the tickets of `env`.

    It has no libnss_wrapper: to look the host's name up would ask the machine's name server, and wait for it.
    """
    conf = Path(env["KRB5_CONFIG"])
    own = conf.with_name(f"{conf.name}-without-names")
    if not own.exists():
        text = conf.read_text().replace("dns_canonicalize_hostname = true", "")
        own.write_text(text.replace("[libdefaults]", "[libdefaults]\n    dns_canonicalize_hostname = false"))
    os.environ["KRB5_CONFIG"], os.environ["KRB5CCNAME"] = str(own), env["KRB5CCNAME"]
