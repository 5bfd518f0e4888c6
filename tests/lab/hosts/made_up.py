"""A host without libvirt, audit and list, which speaks the wire and answers as it is told; others say what."""

import abc
import asyncio

from xman.gss.python_gssapi_backend import Acceptor
from xman.server_session import Closed, CommandReceived, ServerSession


class MadeUpHost(asyncio.Protocol, abc.ABC):
    """One client's connection; `answer` sends a command's outputs and its end by `self.session`."""

    def __init__(self, acceptor: Acceptor) -> None:
        self.session = ServerSession(acceptor.context())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.session.receive(data)
        while (event := self.session.next_event()) is not None:
            if isinstance(event, CommandReceived):
                self.answer(event.arguments)
            if isinstance(event, Closed):
                break
        self._transport.write(self.session.take_outgoing())
        if self.session.over:
            self._transport.close()

    @abc.abstractmethod
    def answer(self, arguments: list[bytes]) -> None:
        """Answer one command."""
