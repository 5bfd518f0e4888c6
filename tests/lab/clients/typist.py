"""Types a file to a domain's console at once, whatever comes back, and asks for something else over that connection.

`python -m tests.lab.clients.typist HOST PORT DOMAIN FILE [echo]` is there until the console ends; with `echo`, until
the end of FILE has come back, or something was lost. It prints JSON: the status, whether what came ends with FILE, what
was said beside it, the seconds from the first octet that was typed, and how `ping` ended behind it all.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

from rxm.remote.connection import Connection, initiator
from rxm.remote.deadline import Deadline
from xman.wire import constants as wire
from xman.wire.messages import Output, Status

_SECONDS = 100.0
_CHUNK = 65_536
# What is no text of anybody else's.
_END = 64


class Typist:
    """One who types without regard to what he is told: all of it is sent, also behind the end of the command."""

    def __init__(self, connection: Connection, text: bytes) -> None:
        self._session = connection.transport.session
        self._socket = connection.transport.nonblocking()
        self._text = text
        self._unsent = b""
        self.began = time.monotonic()
        self.status: int | None = None
        self.heard, self.said = bytearray(), bytearray()

    def type_at(self, domain: str, *, echo: bool) -> None:
        """Be at the console of `domain` until it ends; with `echo`, until the end of the text has come back."""
        self._session.command([b"console", b"--input", b"--", domain.encode()], takes_input=True)
        typing = leaving = False
        while self.status is None or self._unsent:
            if self._session.input_open and not typing:
                typing, self.began = True, time.monotonic()
                self._session.data(self._text)
            seen = self.heard.endswith(self._text[-_END:]) or b"is lost" in self.said
            if echo and typing and not leaving and seen:
                leaving = True
                self._session.end()
            self._unsent += self._session.take_outgoing()
            self._turn()
        if self._session.input_open:
            self._session.end()

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN | (select.POLLOUT if self._unsent else 0))
        ready = poll.poll(_SECONDS * 1000)
        if not ready:
            raise TimeoutError
        for _descriptor, events in ready:
            if events & select.POLLOUT:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if events & ~select.POLLOUT:
                data = self._socket.recv(_CHUNK)
                if not data:
                    raise EOFError
                self._session.receive(data)
        while (message := self._session.next_message()) is not None:
            if isinstance(message, Output):
                (self.heard if message.stream == wire.STDOUT else self.said).extend(message.data)
            elif isinstance(message, Status):
                self.status = message.status


def main() -> None:
    """Do what the words say."""
    host, port, domain, file, *echo = sys.argv[1:]
    text = Path(file).read_bytes()
    with Connection(host, int(port), "host", initiator(), Deadline(_SECONDS)) as connection:
        typist = Typist(connection, text)
        typist.type_at(domain, echo=bool(echo))
        seconds = time.monotonic() - typist.began
        ping = connection.ping(Deadline(_SECONDS))
    told = {
        "status": typist.status,
        "same": typist.heard.endswith(text),
        "said": typist.said.decode(errors="replace"),
        "seconds": seconds,
        "ping": ping.status,
    }
    os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    main()
