"""One client's socket (`xmand.server.connection`): a client that stops reading gets no octet out of place."""

import asyncio
import socket
from typing import Any

import pytest

from xmand.server.connection import Connection
from xmand.settings import Limits

# More than any socket pair's buffers hold.
REPLY = b"x" * 10_000_000


class Talking:
    """Stands for a session that always has something to send."""

    def take_outgoing(self) -> bytes:
        """Return a reply."""
        return REPLY


def test_nothing_follows_a_reply_that_was_cut_short() -> None:
    ours, theirs = socket.socketpair()

    async def talk() -> None:
        session: Any = Talking()
        commands: Any = None
        keeper: Any = None
        subject = Connection(ours, "192.0.2.7:40000", session, commands, keeper, Limits(write_seconds=0.1))
        with pytest.raises(TimeoutError):
            await subject._flush()
        theirs.setblocking(False)
        while True:  # the client reads again
            try:
                theirs.recv(1_000_000)
            except BlockingIOError:
                break
        with pytest.raises(BrokenPipeError):
            await subject._flush()

    ours.setblocking(False)
    with ours, theirs:
        asyncio.run(talk())
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
