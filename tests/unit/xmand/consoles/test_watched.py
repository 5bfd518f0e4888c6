"""One command at a screen (`xmand.consoles.watched`), with a socket that a test holds in its hand."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.xmand.consoles import test_rfb as rfb
from xman.errors import CredentialsError, HypervisorError, UsageError
from xman.result import Result
from xmand.consoles import watched
from xmand.consoles.served import Ended, Taker
from xmand.consoles.watched import Watched

SOON = 5.0


class Client:
    """The client's end, and the reply."""

    def __init__(self) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.listener = self
        self.shown = b""
        self.said: list[str] = []
        self.taker: Taker | None = None
        self.more = 0
        self.over: Exception | None = None

    def send_progress(self, text: str) -> None:
        self.said.append(text)

    def open_input(self, taker: Taker) -> None:
        self.taker = taker

    def more_input(self) -> None:
        self.more += 1

    def check(self) -> None:
        if self.over is not None:
            raise self.over

    async def deliver(self, data: bytes) -> None:
        self.shown += data


class Stage:
    """A screen, which the test plays, a command at it, and its client."""

    def __init__(self, *, view_only: bool = False, ended: Ended = lambda _waited: "vm1 ended.") -> None:
        self.guest, ours = socket.socketpair()
        self.guest.settimeout(SOON)
        self.client = Client()
        self.command = Watched(ours, "vm1", view_only=view_only, until=1e12, ended=ended)

    def run(self, play: Callable[["Stage"], Awaitable[object]]) -> Result:
        """Serve the client while `play` goes on; return what the audit is told."""

        async def both() -> Result:
            async with asyncio.timeout(SOON * 2), asyncio.TaskGroup() as group:
                serving = group.create_task(self.command.serve(self.client, in_worker))
                await until(lambda: self.client.taker is not None)
                await play(self)
            return serving.result()

        try:
            return asyncio.run(both())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self.guest.close()

    def say(self, data: bytes) -> bool:
        """Let the client say something."""
        assert self.client.taker is not None
        return self.client.taker.take(data)


async def in_worker(call: Callable[[], object]) -> object:
    return await asyncio.to_thread(call)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, in turns of the loop."""
    while not condition():
        await asyncio.sleep(0.001)


def test_octets_go_both_ways_and_the_audit_learns_how_many() -> None:
    async def play(stage: Stage) -> None:
        stage.guest.sendall(b"RFB 003.008\n")
        await until(lambda: stage.client.shown == b"RFB 003.008\n")
        stage.say(rfb.HANDSHAKE + rfb.KEY)
        assert stage.guest.recv(100) == rfb.HANDSHAKE + rfb.KEY
        stage.command.no_more()

    done = Stage().run(play)

    assert done.domain == "vm1"
    assert done.notes == (f"input=yes, 0 s, 12 octets out, {len(rfb.HANDSHAKE + rfb.KEY)} in: left",)


def test_who_only_looks_types_nothing() -> None:
    async def play(stage: Stage) -> None:
        stage.say(rfb.HANDSHAKE + rfb.KEY + rfb.REQUEST)
        assert stage.guest.recv(100) == rfb.HANDSHAKE + rfb.REQUEST
        stage.command.no_more()

    assert Stage(view_only=True).run(play).notes[0].startswith("input=no, ")


def test_who_only_looks_and_says_what_cannot_be_followed_is_let_go() -> None:
    async def play(stage: Stage) -> None:
        stage.say(rfb.HANDSHAKE + b"\x63")

    with pytest.raises(UsageError, match="Only viewing is allowed"):
        Stage(view_only=True).run(play)


def test_the_end_of_the_screen_is_told_after_all_that_it_said() -> None:
    async def play(stage: Stage) -> None:
        stage.guest.sendall(b"x" * 100_000)
        stage.guest.close()

    stage = Stage()
    done = stage.run(play)

    assert len(stage.client.shown) == 100_000
    assert stage.client.said == ["vm1 ended."]
    assert done.notes[0].endswith("in: vm1 ended.")


def test_the_end_of_the_ticket_ends_it() -> None:
    async def play(stage: Stage) -> None:
        stage.client.over = CredentialsError("your ticket expired; run kinit.")
        stage.client.on_end()

    with pytest.raises(CredentialsError):
        Stage().run(play)


def test_a_guest_that_takes_nothing_holds_the_client_up_and_no_octet_is_lost() -> None:
    async def play(stage: Stage) -> None:
        stage.guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sent = 0
        while stage.say(rfb.REQUEST * 1000 if sent else rfb.HANDSHAKE):
            sent += 1
        assert stage.client.more == 0
        taken = b""
        while len(taken) < len(rfb.HANDSHAKE) + sent * len(rfb.REQUEST) * 1000:
            taken += await asyncio.to_thread(stage.guest.recv, 65_536)
        assert taken == rfb.HANDSHAKE + rfb.REQUEST * 1000 * sent
        await until(lambda: stage.client.more == 1)
        stage.command.no_more()

    Stage().run(play)


def test_a_guest_that_takes_nothing_for_good_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "STUCK_SECONDS", 0.01)
    monkeypatch.setattr(watched, "_LOOK_SECONDS", 0.01)

    async def play(stage: Stage) -> None:
        stage.say(rfb.HANDSHAKE)
        while stage.say(rfb.REQUEST * 1000):
            pass

    with pytest.raises(HypervisorError, match="no longer reads its input"):
        Stage().run(play)


def test_one_that_is_never_served_gives_its_connection_back() -> None:
    stage = Stage()

    stage.command.abandon()

    assert stage.guest.recv(1) == b""
    stage.guest.close()


def test_what_has_become_of_the_domain_is_asked_until_that_is_known() -> None:
    """A host with much to do calls a domain running for some time after its screen has ended."""
    asked: list[float] = []

    def ended(waited: float) -> str:
        asked.append(waited)
        return "vm1 ended." if len(asked) == 3 else ""

    async def play(stage: Stage) -> None:
        stage.guest.close()

    stage = Stage(ended=ended)
    done = stage.run(play)

    assert stage.client.said == ["vm1 ended."]
    assert done.notes[0].endswith("in: vm1 ended.")
    assert asked[0] == 0.0 < asked[1] < asked[2]


def test_who_leaves_before_it_is_known_may_go() -> None:
    asked: list[float] = []

    async def play(stage: Stage) -> None:
        stage.guest.close()
        await until(lambda: len(asked) > 0)
        stage.command.no_more()

    def ended(waited: float) -> str:
        asked.append(waited)
        return ""

    stage = Stage(ended=ended)
    done = stage.run(play)

    assert stage.client.said == []
    assert done.notes[0].endswith("in: left")


def test_who_may_not_stay_is_told_so_before_it_is_known() -> None:
    asked: list[float] = []

    async def play(stage: Stage) -> None:
        stage.guest.close()
        await until(lambda: len(asked) > 0)
        stage.client.over = CredentialsError("your ticket expired; run kinit.")

    def ended(waited: float) -> str:
        asked.append(waited)
        return ""

    with pytest.raises(CredentialsError):
        Stage(ended=ended).run(play)
