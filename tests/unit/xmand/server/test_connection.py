"""One client's socket (`xmand.server.connection`): what a turn of the event loop does, and what a client gets."""

import asyncio
import contextlib
import gc
import socket
import weakref
from typing import Any

import pytest

from tests.fakes.gss_standin import sealed
from tests.fakes.scene import REPLY, SCENES, SOON, Commands, Scene, played
from tests.fakes.session_words import AP_REQ, HANDSHAKE, HELLO, LIST, NOOP, data, stream
from xmand.server.turns import MOST_MESSAGES, MOST_OCTETS, MOST_OF_A_GROUP


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


def test_a_hello_alone_costs_nothing_that_is_counted_twice() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.say(HELLO + AP_REQ[:3])
        await asyncio.sleep(0.01)
        assert scene.keeper.held[-1] == 3

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
