"""Accepting connections (`xmand.server.server`)."""

import asyncio
import contextlib
import socket
from typing import Any

from xmand.server.server import Server
from xmand.settings import Limits


def test_accepting_ends_in_order_where_its_socket_is_closed_first() -> None:
    nothing: Any = None
    listening = socket.create_server(("127.0.0.1", 0))

    async def scenario() -> BaseException | None:
        accepting = asyncio.create_task(Server(nothing, nothing, nothing, Limits()).accept(listening))
        await asyncio.sleep(0)
        accepting.cancel()
        listening.close()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([accepting])
        return None if accepting.cancelled() else accepting.exception()

    assert asyncio.run(scenario()) is None
