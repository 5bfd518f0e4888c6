"""What strangers may say to a connection (`xmand.server.connection`): few messages, and few octets."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.fakes.scene import SOON, Commands, Scene, played
from tests.fakes.session_words import HANDSHAKE, LIST, NOOP, stream
from xman.wire import constants as c
from xmand.server import rest
from xmand.server.rest import MOST_LEADING_NOWHERE
from xmand.server.turns import MOST_MESSAGES


@pytest.mark.parametrize("admits", [True, False])
def test_a_stranger_is_listened_to_a_few_messages_at_a_time(admits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(rest, "REST_SECONDS", 0.0 if admits else 3600.0)
        scene = Scene(Commands(admits=admits))
        most = MOST_LEADING_NOWHERE
        await scene.say(HANDSHAKE + stream(*[NOOP] * (most // 2), LIST, *[NOOP] * (4 * most), LIST))
        if admits:
            await scene.hear(lambda _heard: len(scene.commands.ran) == 2)
        else:
            async with asyncio.timeout(SOON):
                while not scene.keeper.failures:
                    await asyncio.sleep(0)
            for _ in range(200):
                await asyncio.sleep(0)
            # The handshake, what led to a command, which does not count, and what is too much by one turn at the most.
            assert scene.session.taken <= 2 + most // 2 + 1 + most + MOST_MESSAGES
            assert len(scene.commands.ran) == 1

        assert not scene.keeper.is_closed.is_set()
        assert scene.keeper.failures == ([] if admits else ["conn too many messages, and no command"])

    played(scenario)


def test_a_stranger_who_rested_is_heard_again_and_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(rest, "REST_SECONDS", 0.0)
        scene = Scene(Commands(admits=False))
        await scene.say(HANDSHAKE + stream(*[NOOP] * (2 * MOST_LEADING_NOWHERE), LIST))
        await scene.hear(lambda _heard: len(scene.commands.ran) == 1)

        assert scene.keeper.failures == ["conn too many messages, and no command"]
        assert not scene.keeper.is_closed.is_set()

    played(scenario)


def chunk(continuation: int, octets: bytes) -> bytes:
    """Return a part of a command."""
    return bytes((c.VERSION_2, c.COMMAND, 1, continuation)) + octets


CREATE = b"\x00\x00\x00\x02\x00\x00\x00\x06create"


def test_of_a_strangers_long_command_nothing_is_kept() -> None:
    async def scenario() -> None:
        scene = Scene(Commands(admits=False))
        parts = [chunk(c.FIRST, CREATE + bytes(60_000)), *[chunk(c.MIDDLE, bytes(60_000))] * 15, chunk(c.LAST, b"")]
        await scene.say(HANDSHAKE + stream(*parts, NOOP))
        heard = await scene.hear(lambda heard: heard.endswith(b"\x03\x07"))

        assert scene.commands.denied == [[b"create"]]
        assert scene.commands.ran == []
        assert heard.count(b"Access denied") == 1, "every command gets one reply"
        assert max(scene.keeper.held) <= c.MAX_STRANGERS_TOKEN + c.TOKEN_HEADER
        assert scene.session.held == 0

    played(scenario)


def test_a_partial_token_of_a_strangers_is_bounded() -> None:
    async def scenario() -> None:
        scene = Scene(Commands(admits=False))
        await scene.say(HANDSHAKE + b"\x44\x00\x10\x00\x00" + bytes(100_000))
        with contextlib.suppress(ConnectionResetError):
            await scene.hear(lambda _heard: False)

        assert max(scene.keeper.held, default=0) <= c.MAX_STRANGERS_TOKEN + c.TOKEN_HEADER
        assert scene.keeper.is_closed.is_set()

    played(scenario)


@pytest.mark.parametrize("admits", [True, None], ids=["at once", "once the list is read"])
def test_who_may_is_heard_to_the_end(admits: bool | None) -> None:
    async def scenario() -> None:
        commands = Commands(admits=admits)
        if admits is None:

            async def later(_peer: Any) -> bool:
                await asyncio.sleep(0)
                return True

            commands.admits_later = later  # type: ignore[method-assign]
        scene = Scene(commands)
        text = b"x" * 200_000
        whole = CREATE + len(text).to_bytes(4, "big") + text
        parts = [chunk(c.FIRST, whole[:60_000])]
        parts += [chunk(c.MIDDLE, whole[start : start + 60_000]) for start in range(60_000, 180_000, 60_000)]
        await scene.say(HANDSHAKE + stream(*parts, chunk(c.LAST, whole[180_000:])))
        await scene.hear(lambda heard: b"\x02\x04\x00" in heard)

        assert commands.ran == [[b"create", text]]

    played(scenario)
