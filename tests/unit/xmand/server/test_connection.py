"""One client's socket (`xmand.server.connection`): what a turn of the event loop does, and what a client gets."""

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes.gss_standin import StandIn, sealed
from tests.fakes.session_words import AP_REQ, HANDSHAKE, HELLO, LIST, NOOP, data, stream
from xman.server_session import ServerSession
from xman.wire import constants as c
from xmand.authorize import Rank
from xmand.server import rest
from xmand.server.connection import Connection
from xmand.server.rest import MOST_LEADING_NOWHERE
from xmand.server.turns import (
    MOST_MESSAGES,
    MOST_OCTETS,
    MOST_OF_A_GROUP,
    MOST_OF_A_STRANGER,
    MOST_OF_STRANGERS,
    Turns,
)
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


def test_a_command_is_answered() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.say(HANDSHAKE + stream(LIST))
        assert b"done" in await scene.hear(lambda heard: b"\x02\x04\x00" in heard)
        assert scene.commands.ran == [[b"list"]]

    played(scenario)


def test_commands_that_came_together_are_answered_one_after_the_other() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.say(HANDSHAKE + stream(*[LIST] * 20))
        await scene.hear(lambda heard: heard.count(b"\x02\x04\x00") == 20)
        assert len(scene.commands.ran) == 20

    played(scenario)


def test_what_is_at_hand_is_answered_in_the_turn_in_which_it_is_asked_for() -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.at_hand = True
        scene = Scene(commands)
        scene.client.sendall(HANDSHAKE)
        scene.subject.turn()
        scene.client.sendall(data(sealed(0, LIST)))
        scene.subject.turn()
        assert (commands.ran, scene.subject.busy) == ([[b"list"]], False)
        assert b"done" in await scene.hear(lambda heard: b"\x02\x04\x00" in heard)

    played(scenario)


def test_of_what_is_at_hand_no_more_is_answered_in_a_turn_than_of_all_else() -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.at_hand = True
        scene = Scene(commands)
        scene.client.sendall(HANDSHAKE + stream(*[LIST] * 20))
        while len(commands.ran) < 20:
            before = len(commands.ran)
            await asyncio.sleep(0)
            assert len(commands.ran) - before <= MOST_OF_A_GROUP
        heard = await scene.hear(lambda heard: heard.count(b"\x02\x04\x00") == 20)
        assert heard.count(b"done") == 20

    played(scenario)


@pytest.mark.parametrize("at_hand", [False, True])
def test_a_connection_that_is_old_ends_with_its_answer(at_hand: bool) -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.at_hand = at_hand
        scene = Scene(commands, age_seconds=0)
        await scene.say(HANDSHAKE + stream(LIST, LIST))
        heard = await scene.hear(lambda _heard: False)
        assert (heard.count(b"done"), heard.count(b"\x02\x04\x00")) == (1, 1)
        assert scene.keeper.is_closed.is_set()

    played(scenario)


def test_what_is_at_hand_and_long_goes_as_it_is_read() -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.at_hand, commands.answer = True, REPLY
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(LIST, LIST))
        heard = await scene.hear(lambda heard: heard.count(b"\x02\x04\x00") == 2)
        assert 2 * len(REPLY) <= heard.count(b"x")

    played(scenario)


def test_what_is_kept_of_a_command_in_two_parts_is_free_once_it_is_answered() -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.at_hand = True
        scene = Scene(commands)
        scene.client.sendall(HANDSHAKE)
        scene.subject.turn()
        command = data(sealed(0, LIST))
        scene.client.sendall(command[:-1])
        scene.subject.turn()
        before = scene.keeper.held[-1]
        scene.client.sendall(command[-1:])
        scene.subject.turn()

        assert (before, scene.keeper.held[-1]) == (len(command) - 1, 0)
        assert commands.ran == [[b"list"]]

    played(scenario)


def test_octets_that_come_one_by_one_are_a_command_as_well() -> None:
    async def scenario() -> None:
        scene = Scene()
        for octet in HANDSHAKE + stream(LIST):
            await scene.say(bytes((octet,)))
            await asyncio.sleep(0)
        await scene.hear(lambda heard: b"\x02\x04\x00" in heard)

    played(scenario)


def test_nothing_follows_a_reply_that_was_cut_short() -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.answer = REPLY
        scene = Scene(commands, write_seconds=0.0)
        await scene.say(HANDSHAKE + stream(LIST))
        async with asyncio.timeout(SOON):
            while scene.subject.deadline == float("inf") or not scene.commands.ran or not scene.subject.busy:
                await asyncio.sleep(0)
            while not scene.subject.client.unsent:
                await asyncio.sleep(0)
        scene.subject.late()
        assert scene.keeper.failures == ["conn the client does not read what it is sent"]
        heard = await scene.hear(lambda _heard: False)
        assert 0 < len(heard) < len(REPLY)

    played(scenario)


def test_a_long_reply_goes_as_it_is_read() -> None:
    async def scenario() -> None:
        commands = Commands()

        async def run(peer: Any, _lifetime: int, words: list[bytes], reply: Any) -> None:
            peer.authorized = words == [b"list"]
            await reply.send_long(REPLY)
            reply.send_status(0)

        commands.run = run  # type: ignore[method-assign]
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(LIST))
        async with asyncio.timeout(SOON):
            while not scene.subject.client.unsent:
                await asyncio.sleep(0)
        kept = len(scene.subject.client.unsent)
        heard = await scene.hear(lambda heard: heard.endswith(b"\x02\x04\x00"))

        assert kept < 200_000, "the rest is not even sealed"
        assert len(REPLY) <= heard.count(b"x")
        assert scene.keeper.owed[0] == len(REPLY)
        assert scene.keeper.owed[-1] == 0

    played(scenario)


def test_progress_of_one_command_is_never_in_the_reply_to_the_next() -> None:
    async def scenario() -> None:
        commands = Commands()
        replies: list[Any] = []
        goes_on = asyncio.Event()

        async def run(peer: Any, _lifetime: int, words: list[bytes], reply: Any) -> None:
            peer.authorized = True
            replies.append(reply)
            assert words == [b"list"]
            if len(replies) > 1:
                await goes_on.wait()
            reply.send_status(0)

        commands.run = run  # type: ignore[method-assign]
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(LIST, LIST))
        async with asyncio.timeout(SOON):
            while len(replies) < 2:
                await asyncio.sleep(0)
        replies[0].send_progress("a worker that was given up")
        replies[1].send_progress("one that runs")
        goes_on.set()
        heard = await scene.hear(lambda heard: heard.count(b"\x02\x04\x00") == 2)

        assert b"one that runs" in heard
        assert b"given up" not in heard

    played(scenario)


def test_one_that_is_closed_waits_for_no_collector() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.say(HANDSHAKE)
        kept = weakref.ref(scene.subject)
        gc.collect()
        gc.disable()
        try:
            scene.subject.close()
            SCENES.remove(scene)
            del scene.subject
            await asyncio.sleep(0)
            assert kept() is None
        finally:
            gc.enable()
            scene.client.close()

    played(scenario)


def test_who_reads_late_gets_all_of_it() -> None:
    async def scenario() -> None:
        commands = Commands()
        commands.answer = REPLY
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(LIST))
        heard = await scene.hear(lambda heard: len(heard) > len(REPLY) and heard.endswith(b"\x02\x04\x00"))
        assert len(REPLY) <= heard.count(b"x") < len(REPLY) + 200, "a header may hold one as well"
        await scene.say(data(sealed(1, LIST)))
        await scene.hear(lambda heard: heard.endswith(b"\x02\x04\x00"))

    played(scenario)


def test_a_daemon_that_ends_answers_what_runs_and_closes_what_does_not() -> None:
    async def scenario() -> None:
        goes_on = asyncio.Event()
        commands = Commands()
        real = commands.run

        async def run(peer: Any, _lifetime: int, words: list[bytes], reply: Any) -> None:
            await goes_on.wait()
            await real(peer, _lifetime, words, reply)

        commands.run = run  # type: ignore[method-assign]
        idle, busy = Scene(), Scene(commands)
        await busy.say(HANDSHAKE + stream(LIST))
        async with asyncio.timeout(SOON):
            while not busy.subject.busy:
                await asyncio.sleep(0)
        for scene in (idle, busy):
            scene.subject.finish()
        assert idle.keeper.is_closed.is_set()
        assert not busy.keeper.is_closed.is_set()
        goes_on.set()
        assert b"\x02\x04\x00" in await busy.hear(lambda _heard: False), "the answer, and then the end"

    played(scenario)


def test_silence_has_an_end_that_octets_now_and_then_do_not_put_off() -> None:
    async def scenario() -> None:
        scene = Scene(first_seconds=5, handshake_seconds=10)
        began = scene.subject.deadline - 5
        await scene.say(HELLO)
        scene.subject._readable()
        assert scene.subject.deadline == pytest.approx(began + 10)
        await scene.say(b"\x42")
        scene.subject._readable()
        assert scene.subject.deadline == pytest.approx(began + 10)
        scene.subject.late()
        assert scene.keeper.failures == ["conn nothing came in time"]

    played(scenario)


# --- what a turn does (X1) --------------------------------------------------------------------------------------------


def test_in_one_turn_a_client_gets_so_many_messages_noops_too() -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.client.sendall(HANDSHAKE)
        scene.subject.turn()
        # Behind the handshake, one socket buffer full of them.
        scene.client.sendall(b"".join(data(sealed(number, NOOP)) for number in range(200)))
        taken = []
        while scene.session.taken < 202:
            before = scene.session.taken
            scene.subject.turn()
            taken.append(scene.session.taken - before)

        assert max(taken) == MOST_MESSAGES

    played(scenario)


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


def test_in_one_turn_a_client_gets_so_many_octets() -> None:
    async def scenario() -> None:
        scene = Scene(Commands(judges_words=True))
        await scene.say(HANDSHAKE)
        scene.subject.turn()
        scene.subject.peer.authorized = True
        scene.session.authorize()
        scene.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with contextlib.suppress(BlockingIOError):
            while True:
                scene.client.send(b"\x44\x00\x0f\xff\xff" + bytes(1 << 18))
        before = scene.session.held
        scene.subject.turn()

        assert 0 < scene.session.held - before <= MOST_OCTETS

    played(scenario)


class Eager:
    """Somebody of a group who always has more to do."""

    def __init__(self, turns: Turns, group: str, log: list[str], *, strange: bool = False) -> None:
        self.group, self.strange = group, strange
        self._turns, self._log = turns, log

    def turn(self) -> None:
        self._log.append(self.group)
        self._turns.spend(self, MOST_MESSAGES)
        self._turns.later(self)


def test_a_group_gets_no_more_of_a_turn_for_its_many_connections() -> None:
    async def scenario() -> None:
        turns, log = Turns(), list[str]()
        for _ in range(30):
            turns.later(Eager(turns, "eve", log))
        turns.later(Eager(turns, "alice", log))

        await asyncio.sleep(0)

        assert log.count("eve") == log.count("alice") == MOST_OF_A_GROUP // MOST_MESSAGES
        assert not turns.may(Eager(turns, "eve", log))
        assert turns.may(Eager(turns, "bob", log))

    played(scenario)


def test_strangers_share_a_small_part_and_come_last() -> None:
    async def scenario() -> None:
        turns, log = Turns(), list[str]()
        for number in range(100):
            turns.later(Eager(turns, f"eve{number % 50}", log, strange=True))
        turns.later(Eager(turns, "alice", log))

        await asyncio.sleep(0)
        strangers = [name for name in log if name != "alice"]

        assert log[0] == "alice"
        assert log.count("alice") == MOST_OF_A_GROUP // MOST_MESSAGES
        assert len(strangers) * MOST_MESSAGES == MOST_OF_STRANGERS
        assert max(map(strangers.count, strangers)) * MOST_MESSAGES <= MOST_OF_A_STRANGER

    played(scenario)


def test_a_turn_has_an_end_however_many_wait() -> None:
    async def scenario() -> None:
        turns, log = Turns(), list[str]()
        for number in range(1000):
            turns.later(Eager(turns, f"p{number}", log))

        await asyncio.sleep(0)
        first = len(log)
        for _ in range(40):
            await asyncio.sleep(0)

        assert first == 160 // MOST_MESSAGES
        assert len(set(log)) == 1000, "and everybody has his"

    played(scenario)


# --- what a stranger may say (X6) -------------------------------------------------------------------------------------


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


def test_a_hello_alone_costs_nothing_that_is_counted_twice() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.say(HELLO + AP_REQ[:3])
        await asyncio.sleep(0.01)
        assert scene.keeper.held[-1] == 3

    played(scenario)


# --- A command that takes input ------------------------------------------------------------------------------------

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


class Waiting(Commands):
    """Runs a command that only waits, or one that changes something and goes on."""

    def __init__(self, *, changes: bool) -> None:
        super().__init__()
        self._changes = changes
        self.begun = asyncio.Event()
        self.told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self, peer: Any, lifetime: int, words: list[bytes], reply: Any) -> None:
        if not self._changes:
            peer.waits = self.told.set_result
        self.begun.set()
        await self.told
        peer.waits = None
        await super().run(peer, lifetime, words, reply)


@pytest.mark.parametrize("changes", [False, True])
def test_who_leaves_while_he_waits_waits_no_more_and_what_changes_something_goes_on(changes: bool) -> None:
    async def scenario() -> None:
        commands = Waiting(changes=changes)
        scene = Scene(commands)
        await scene.say(HANDSHAKE + stream(LIST))
        async with asyncio.timeout(SOON):
            await commands.begun.wait()
            scene.client.close()
            await scene.keeper.has_left.wait()
            assert commands.told.done() is not changes
            # Whoever keeps the socket may have closed it by now, and its number be another one's.
            scene.subject.socket.close()
            if changes:
                commands.told.set_result(None)
            await scene.keeper.is_closed.wait()
        assert commands.ran == [[b"list"]]
        assert scene.keeper.failures == ["conn the client is gone"]

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
