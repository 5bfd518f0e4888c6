"""Unit tests of what takes a guest that comes: how long its source may hold the place without a word."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.xmand.broker import said
from xman.errors import HypervisorError
from xman.result import Result
from xmand.broker import receiving as module
from xmand.broker import rpc
from xmand.broker.passing import Coming
from xmand.broker.receiving import Guest, Receiving

STALLED = 60.0


class Clock:
    """The time, as a test has it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.now

    async def looked_at(self, times: int) -> None:
        """Wait until it was looked at so often again."""
        until = self.looks + times
        while self.looks < until:
            await asyncio.sleep(0.01)


class Stream:
    """The reply, and the source's end of it."""

    def __init__(self) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self.listener = self
        self.taker: Any = None
        self.sent = b""

    def check(self) -> None: ...

    def open_input(self, taker: Any) -> None:
        self.taker = taker

    def more_input(self) -> None: ...

    async def deliver(self, data: bytes) -> None:
        self.sent += data


class Host:
    """A host that takes one guest; `ended` is what was done at its end."""

    def __init__(self) -> None:
        ours, self.libvirtd = socket.socketpair()
        self.stream: Any = Stream()
        self.did: list[str] = []
        guest = Guest(
            judge=lambda _descriptions: None,
            arrived=lambda: self.did.append("arrived"),
            commit=lambda: self.did.append("commit"),
            ended=self._ended,
            release=lambda: self.did.append("release"),
        )
        self.receiving = Receiving(ours, said.NAME, Coming(said.NAME, said.UUID, said.URI), guest, STALLED)

    def _ended(self) -> bool:
        self.did.append("ended")
        return False

    async def serve(self) -> Result:
        """Serve it."""

        async def in_worker(call: Callable[[], object]) -> object:
            return call()

        with self.receiving.stay:
            return await self.receiving.serve(self.stream, in_worker)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    monkeypatch.setattr(module, "_MORE_SECONDS", 0.02)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    return made


@pytest.fixture
def host(clock: Clock) -> Iterator[Host]:
    made = Host()
    yield made
    made.libvirtd.close()


@pytest.mark.parametrize("words", [b"", said.PING], ids=["nothing", "signs of life alone"])
def test_a_source_that_says_nothing_more_is_given_up(host: Host, clock: Clock, words: bytes) -> None:
    async def tried() -> None:
        serving = asyncio.create_task(host.serve())
        await clock.looked_at(3)
        clock.now += STALLED + 1
        while not serving.done():
            host.stream.taker.take(words)
            await asyncio.sleep(0.01)
        with pytest.raises(HypervisorError, match=f"Nothing came of '{said.NAME}' for 60 seconds"):
            await serving

    asyncio.run(tried())

    assert host.did == ["ended", "release"]


def test_one_that_waits_for_this_hosts_libvirt_is_not(host: Host, clock: Clock) -> None:
    async def tried() -> Result:
        serving = asyncio.create_task(host.serve())
        await clock.looked_at(3)
        host.stream.taker.take(said.FEATURE)
        host.libvirtd.setblocking(False)
        await asyncio.get_running_loop().sock_recv(host.libvirtd, len(said.FEATURE))
        clock.now += STALLED + 1
        await clock.looked_at(5)
        assert not serving.done()

        # It has the whole time again from the answer on.
        host.libvirtd.sendall(rpc.packed(rpc.FEATURE, rpc.REPLY, 1))
        await clock.looked_at(5)
        assert not serving.done()
        host.libvirtd.shutdown(socket.SHUT_RDWR)
        return await serving

    assert asyncio.run(tried()).notes == ("nothing came of it, 61 s, 32 octets",)
