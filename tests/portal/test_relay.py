"""The octets of a host's command on the portal's loop (`rxmweb.web.relay`), whatever the host sends."""

import asyncio
from types import SimpleNamespace
from typing import Any

from rxm.remote.command import Reply
from rxmweb.web import relay
from rxmweb.web.relay import Place, Relay
from xman.wire.messages import Output


def test_messages_without_end_leave_turns_of_the_loop_to_others() -> None:
    messages = [Output(1, b"")] * (10 * relay._AT_A_TIME)
    session = SimpleNamespace(next_message=lambda: messages.pop() if messages else None, input_open=False)

    async def nothing(_what: Any) -> None:
        raise AssertionError("there is nothing to show")

    async def take() -> int:
        turns, over = 0, False

        async def others() -> None:
            nonlocal turns
            while not over:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        one = Relay(Place("h1", 4373, "host", "alice@R", ""), nothing, nothing, nothing, 1e6)
        await one._take(SimpleNamespace(session=session), Reply())  # type: ignore[arg-type]
        over = True
        await task
        return turns

    assert asyncio.run(take()) >= 10
