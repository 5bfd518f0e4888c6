"""What has to be done later (`xmand.dispatch.promises`): it is in the journal, and goes on after a restart (X4)."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from tests.unit.xmand.dispatch.test_dispatcher import ALICE, Bench, Replies
from xman import outcome, verbs
from xmand.dispatch import exactly_once
from xmand.events import table
from xmand.journal import promised
from xmand.journal.entries import Change
from xmand.request import Peer, Request
from xmand.virt.domain import Domain

RID = "0123456789abcdef0123456789abcdef"
WORDS = (b"shutdown", b"--force-after=60", b"--rid=" + RID.encode(), b"test")


class Driver:
    """libvirt's test driver, whose one domain does not listen to us."""

    def __init__(self, directory: Path) -> None:
        # Its own: the default one's domain may be off, as long as anything still refers to an earlier connection.
        (directory / "host.xml").write_text(f"<node>{for_test_driver('test')}</node>")
        self.connected = libvirt.open(f"test://{directory}/host.xml")

    def connection(self, _purpose: str) -> Any:
        return self.connected

    def running(self) -> bool:
        return bool(self.connected.lookupByName("test").isActive())

    @property
    def uuid(self) -> str:
        return str(self.connected.lookupByName("test").UUIDString())


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    made = Driver(tmp_path)
    yield made
    made.connected.close()


@pytest.fixture
def bench(tmp_path: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A daemon's commands on that domain."""
    monkeypatch.setattr(table, "POLL_SECONDS", 0.02)
    return Bench(tmp_path, driver)


def left_open(bench: Bench, seconds: float, **facts: Any) -> None:
    """Write down what an xmand had promised that was killed."""
    peer = Peer("192.0.2.7:1")
    peer.principal = ALICE
    request = Request(peer, verbs.BY_NAME["shutdown"], list(WORDS[1:]))
    request.parse()
    begun = bench.host.journal.begin(
        Change(ALICE.decode(), RID, request.digest(), "192.0.2.7:1", "shutdown", "test", "", request.asked())
    )
    uuid = str(bench.host.driver.connection("").lookupByName("test").UUIDString())
    bench.host.journal.promise(begun.id, promised.facts("test", uuid, 1, seconds) | facts)


async def settled(bench: Bench) -> None:
    """Start as xmand does, and wait until nothing is open."""
    await bench.commands.recover()
    await bench.commands.drain()


def ended(bench: Bench) -> int | None:
    (entry,) = bench.host.journal.read()
    return None if entry.answer is None else entry.answer.code


def test_it_goes_on_after_a_restart(bench: Bench, driver: Driver) -> None:
    left_open(bench, 0.1)

    asyncio.run(settled(bench))

    assert not driver.running()
    assert ended(bench) == outcome.OK
    assert 'recovered="1"' in bench.audit[-1]


def test_the_same_request_finds_it_again(bench: Bench, driver: Driver) -> None:
    left_open(bench, 0.3)
    reply = Replies()

    async def scenario() -> None:
        await bench.commands.recover()
        await bench.start(reply, *WORDS)

    asyncio.run(scenario())

    assert (reply.status, driver.running()) == (0, False)
    assert b"was destroyed" in reply.outputs[2]
    assert len(bench.host.journal.read()) == 1


def test_a_request_that_comes_before_xmand_has_looked_waits_for_it_too(bench: Bench, driver: Driver) -> None:
    left_open(bench, 0.3)

    reply = bench.run(*WORDS)

    assert (reply.status, driver.running()) == (0, False)
    assert ended(bench) == outcome.OK


def test_a_later_run_is_not_the_one_that_was_to_end(bench: Bench, driver: Driver) -> None:
    left_open(bench, 0.05, before=77)

    asyncio.run(settled(bench))

    assert driver.running()
    assert ended(bench) == outcome.OK


def test_after_a_restart_of_the_host_nothing_is_destroyed(bench: Bench, driver: Driver) -> None:
    left_open(bench, 0.05, boot="another")

    asyncio.run(settled(bench))

    assert (driver.running(), ended(bench)) == (True, outcome.OK)


def test_a_clock_that_is_set_back_does_not_prolong_it(bench: Bench, driver: Driver) -> None:
    left_open(bench, 0.1, until=time.time() + 1e6)

    asyncio.run(asyncio.wait_for(settled(bench), 5))

    assert not driver.running()


def test_an_xmand_that_ends_leaves_it_open_and_does_not_wait(bench: Bench, driver: Driver) -> None:
    left_open(bench, 60.0)

    async def scenario() -> None:
        await bench.commands.recover()
        await asyncio.sleep(0.05)
        bench.commands.end_streams(table.EndingError("xmand is ending"))
        await asyncio.wait_for(bench.commands.drain(), 5)

    asyncio.run(scenario())

    assert (driver.running(), ended(bench)) == (True, None)


def test_it_has_a_bound(bench: Bench, driver: Driver) -> None:
    reply = bench.run(b"shutdown", b"--force-after=31622400", b"test")

    assert (reply.status, driver.running()) == (2, True)
    assert b"at most 86400 seconds" in reply.outputs[2]


def test_what_is_promised_is_in_the_journal_before_the_guest_is_asked(
    bench: Bench, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def ask(domain: Domain) -> None:
        order.append("asked")
        domain.raw.destroy()

    def promise(_record: Any, _facts: Any) -> None:
        order.append("promised")

    monkeypatch.setattr(exactly_once._InJournal, "promises", promise)
    monkeypatch.setattr(Domain, "ask_shutdown", ask)

    reply = bench.run(b"shutdown", b"--force-after=60", b"test")

    assert (reply.status, order) == (0, ["promised", "asked"])
