"""A command that takes input: what its client types, as it comes over a connection."""

import asyncio
from typing import Any

from tests.fakes.gss_standin import sealed
from tests.fakes.scene import SOON, Commands, Scene, played
from tests.fakes.session_words import HANDSHAKE, LIST, data, stream
from xmand.server.turns import MOST_OCTETS, MOST_OF_A_GROUP

CONSOLE = b"\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x07console"
TYPED = b"\x40\x40ls\n"
END = b"\x40\x41"
GO_AHEAD = b"\x02\x03\x02\x00\x00\x00\x00"


class Typing(Commands):
    """Takes what is typed until its end; `most` octets before it has to be asked for more."""

    def __init__(self, most: int = 1 << 30) -> None:
        super().__init__()
        self.typed = b""
        self.most = most
        self.over = asyncio.Event()
        self.reply: Any = None

    def take(self, octets: bytes) -> bool:
        self.typed += octets
        return len(self.typed) < self.most

    def no_more(self) -> None:
        self.over.set()

    async def run(self, peer: Any, lifetime: int, words: list[bytes], reply: Any) -> None:
        if words == [b"console"]:
            self.reply = reply
            peer.authorized = True
            reply.open_input(self)
            await self.over.wait()
        await super().run(peer, lifetime, words, reply)


def test_a_command_gets_what_its_client_types_and_the_next_one_is_served() -> None:
    async def scenario() -> None:
        commands = Typing()
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(CONSOLE))
        await scene.hear(lambda heard: GO_AHEAD in heard)
        await scene.say(b"".join(data(sealed(place, text)) for place, text in enumerate([TYPED, TYPED, END, LIST], 1)))
        await scene.hear(lambda heard: heard.count(b"\x02\x04\x00") == 2)
        assert commands.typed == b"ls\nls\n"
        assert commands.ran == [[b"console"], [b"list"]]

    played(scenario)


def test_who_has_enough_is_not_read_any_more_until_he_asks() -> None:
    async def scenario() -> None:
        commands = Typing(most=3)
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(CONSOLE))
        await scene.hear(lambda heard: GO_AHEAD in heard)
        typed = [b"\x40\x40" + b"x" * 60_000] * 50
        sending = asyncio.create_task(scene.say(b"".join(data(sealed(n, text)) for n, text in enumerate(typed, 1))))
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(commands.typed) <= MOST_OCTETS
        commands.most = 1 << 30
        commands.reply.more_input()
        async with asyncio.timeout(SOON):
            await sending
            while len(commands.typed) < 50 * 60_000:
                await asyncio.sleep(0)

    played(scenario)


def test_a_client_that_leaves_while_it_types_ends_its_input() -> None:
    async def scenario() -> None:
        commands = Typing()
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(CONSOLE))
        await scene.hear(lambda heard: GO_AHEAD in heard)
        scene.client.close()
        async with asyncio.timeout(SOON):
            await commands.over.wait()
            await scene.keeper.is_closed.wait()

    played(scenario)


def test_a_flood_of_input_is_taken_in_turns() -> None:
    async def scenario() -> None:
        commands = Typing()
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(CONSOLE))
        await scene.hear(lambda heard: GO_AHEAD in heard)
        await scene.say(b"".join(data(sealed(number, b"\x40\x40x")) for number in range(1, 400)))
        await asyncio.sleep(0)
        before = len(commands.typed)
        await asyncio.sleep(0)
        assert len(commands.typed) - before <= MOST_OF_A_GROUP
        async with asyncio.timeout(SOON):
            while len(commands.typed) < 399:
                await asyncio.sleep(0)

    played(scenario)
