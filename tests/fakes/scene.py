"""A connection of xmand's by itself, and its client's end: what stands around it is made up."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from tests.fakes.gss_standin import StandIn
from xman.server_session import ServerSession
from xman.wire import constants as c
from xmand.authorize import Rank
from xmand.server.connection import Connection
from xmand.server.turns import Turns
from xmand.settings import Limits

# More than any socket pair's buffers hold.
REPLY = b"x" * 10_000_000
SOON = 30.0


class Commands:
    """Answers each command; strangers are those who are not admitted."""

    def __init__(self, *, admits: bool | None = True, judges_words: bool = False) -> None:
        self.admitted = admits
        self.judges_words = judges_words
        self.ran: list[list[bytes]] = []
        self.denied: list[list[bytes]] = []
        self.answer = b"done"
        # Of whom an answer is at hand.
        self.at_hand = False

    def admits(self, _peer: Any) -> bool | None:
        return self.admitted

    def rank(self, _peer: Any) -> Rank:
        return Rank.GRANTED if self.admitted else Rank.STRANGER

    async def admits_later(self, _peer: Any) -> bool:
        return False

    def deny(self, _peer: Any, words: list[bytes], reply: Any) -> None:
        self.denied.append(words)
        reply.send_error(c.ERROR_ACCESS)

    def at_once(self, peer: Any, _lifetime: int, words: list[bytes], reply: Any) -> bool:
        if self.at_hand:
            self._answer(peer, words, reply)
        return self.at_hand

    async def run(self, peer: Any, _lifetime: int, words: list[bytes], reply: Any) -> None:
        self._answer(peer, words, reply)

    def _answer(self, peer: Any, words: list[bytes], reply: Any) -> None:
        self.ran.append(words)
        peer.authorized = self.admitted is True
        reply.send_output(c.STDOUT, self.answer)
        reply.send_status(0)


class Keeper:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.held: list[int] = []
        self.owed: list[int] = []
        self.failures: list[str] = []
        self.has_left = asyncio.Event()
        self.is_closed = asyncio.Event()

    def authenticated(self, _connection: Connection, _detail: str) -> bool:
        return True

    def holds(self, _connection: Connection, octets: int) -> None:
        self.held.append(octets)

    def owes(self, _connection: Connection, octets: int) -> None:
        self.owed.append(octets)

    def began(self, _connection: Connection) -> None:
        pass

    def ended(self, _connection: Connection) -> None:
        pass

    def left(self, _connection: Connection) -> None:
        self.has_left.set()

    def failed(self, _connection: Connection, detail: str, ev: str = "conn") -> None:
        self.failures.append(f"{ev} {detail}")

    def closed(self, connection: Connection) -> None:
        connection.socket.close()
        self.is_closed.set()


SCENES: list["Scene"] = []


class Scene:
    """A connection, and the client's end of it."""

    def __init__(self, commands: Commands | None = None, session: Any = None, **limits: float) -> None:
        self.commands = commands or Commands()
        anything: Any = self.commands
        SCENES.append(self)
        self.keeper = Keeper()
        self.turns = Turns()
        ours, self.client = socket.socketpair()
        self.sockets = (ours, self.client)
        ours.setblocking(False)
        self.client.setblocking(False)
        self.session = session or ServerSession(StandIn(initiates=False), strangers=True)
        self.subject = Connection(
            ours,
            "192.0.2.7:40000",
            "192.0.2.7",
            self.session,
            anything,
            self.keeper,
            self.turns,
            Limits(**limits),  # type: ignore[arg-type]
        )
        self.subject.begin()

    async def say(self, octets: bytes) -> None:
        """Send it all, whatever the sockets hold."""
        await asyncio.get_running_loop().sock_sendall(self.client, octets)

    async def hear(self, enough: Callable[[bytes], bool]) -> bytes:
        """Receive until it is enough."""
        heard = b""
        async with asyncio.timeout(SOON):
            while not enough(heard):
                more = await asyncio.get_running_loop().sock_recv(self.client, 1_000_000)
                if not more:
                    break
                heard += more
        return heard


def played(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario."""

    async def run() -> None:
        try:
            await scenario()
        finally:
            for scene in SCENES:
                scene.subject.close()
                for sock in scene.sockets:
                    sock.close()
            SCENES.clear()

    asyncio.run(run())
