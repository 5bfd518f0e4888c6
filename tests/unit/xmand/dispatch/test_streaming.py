"""Commands that follow (`xmand.dispatch`): answered in parts, judged anew while they run, ended by whoever may."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.xmand.dispatch.test_dispatcher import SOON, Bench, Replies, bench, handle
from xman import verbs
from xman.errors import RefusedError, UnreachableError
from xman.result import Result
from xmand.dispatch import streaming
from xmand.verbs.call import Call

__all__ = ["bench"]

WORDS = (b"events", b"--follow")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the client, and at the list, a hundred times a second."""
    monkeypatch.setattr(streaming, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(streaming, "_JUDGE_SECONDS", 0.01)


def events(*names: str) -> Result:
    """Return a part."""
    return Result({"events": [{"event": name, "at": "2026-11-21T10:00:00Z"} for name in names]})


def for_ever(call: Call) -> Result:
    """Follow what never happens."""
    while True:
        call.emit(None)
        time.sleep(0.001)


def telling(runs: threading.Event) -> Callable[[Call], Result]:
    """Return a handler that follows what never happens, and says when it has begun."""

    def follow(call: Call) -> Result:
        runs.set()
        return for_ever(call)

    return follow


def when(happens: threading.Event, then: Callable[[], object]) -> None:
    """Do something as soon as a handler has said so."""
    threading.Thread(target=lambda: happens.wait(SOON) and then()).start()


def test_a_part_comes_while_the_command_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Replies()
    before: list[bytes] = []

    def follow(call: Call) -> Result:
        call.emit(events("started"))
        before.extend(part for part in reply.parts if part)
        return Result()

    handle(monkeypatch, "events", follow)

    bench.run(*WORDS, reply=reply)

    assert [b"started" in part for part in before] == [True]
    assert (reply.status, reply.outputs) == (0, {1: b"", 2: b""})


def test_each_part_is_an_object_of_its_own_in_json(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(call: Call) -> Result:
        call.emit(events("started"))
        call.emit(events("stopped"))
        return Result()

    handle(monkeypatch, "events", follow)

    reply = bench.run(*WORDS, b"--json")

    found = [json.loads(part) for part in reply.parts if part]
    assert [part["result"]["events"][0]["event"] for part in found] == ["started", "stopped"]
    assert reply.outputs[1] == b""


def test_a_failure_ends_the_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(call: Call) -> Result:
        call.emit(events("started"))
        raise RefusedError("No more.")

    handle(monkeypatch, "events", follow)

    reply = bench.run(*WORDS)

    assert (reply.status, reply.outputs[2]) == (3, b"Error: No more.\n")


def test_who_is_taken_off_the_list_loses_the_stream(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = threading.Event()
    handle(monkeypatch, "events", telling(runs))
    when(runs, lambda: bench.list.write_bytes(b"bob@XMAN.TEST\n"))

    reply = bench.run(*WORDS)

    assert reply.status == 5
    assert b"not on the host's list" in reply.outputs[2]
    assert 'res="denied"' in bench.audit[-1]


def test_the_list_gone_means_the_stream_gone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = threading.Event()
    handle(monkeypatch, "events", telling(runs))
    when(runs, bench.list.unlink)

    assert bench.run(*WORDS).status == 5


def test_the_stream_ends_with_the_ticket(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(monkeypatch, "events", for_ever)

    reply = bench.run(*WORDS, lifetime=1)

    assert reply.status == 4
    assert b"expired" in reply.outputs[2]


def test_a_quiet_stream_gives_signs_of_life_to_who_wants_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Replies()

    def follow(call: Call) -> Result:
        while not reply.parts:
            call.emit(None)
        return Result()

    handle(monkeypatch, "events", follow)

    assert bench.run(*WORDS, b"--alive", reply=reply).parts[0] == b""


@pytest.mark.parametrize("how", ["left", "slow"])
def test_a_client_that_is_gone_ends_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    reply = Replies()
    setattr(reply, how, True)
    handle(monkeypatch, "events", for_ever)

    bench.run(*WORDS, b"--alive", reply=reply)

    assert 'res="ok"' in bench.audit[-1]
    assert 'detail="the client is gone' in bench.audit[-1]


def test_a_caller_with_a_deadline_is_answered_at_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(call: Call) -> Result:
        while time.monotonic() < call.deadline:
            call.emit(None)
        return Result()

    handle(monkeypatch, "events", follow)

    assert bench.run(*WORDS, b"--timeout=0.4").status == 0


def test_a_daemon_that_ends_ends_what_follows_and_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, ended = threading.Event(), threading.Event()
    handle(monkeypatch, "events", telling(runs))
    handle(monkeypatch, "pause", lambda _call: Result(changed=ended.wait(SOON)))
    streaming, pausing = Replies(), Replies()

    async def both() -> None:
        pause = asyncio.create_task(bench.start(pausing, b"pause", b"vm1"))
        follow = asyncio.create_task(bench.start(streaming, *WORDS))
        await asyncio.to_thread(runs.wait, SOON)
        bench.commands.end_streams(UnreachableError("xmand is ending."))
        await follow
        ended.set()
        await pause

    asyncio.run(asyncio.wait_for(both(), SOON))

    assert (streaming.status, streaming.outputs[2]) == (6, b"Error: xmand is ending.\n")
    assert pausing.status == 0


def test_but_what_is_to_be_completed(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    runs, ended = threading.Event(), threading.Event()

    def arrives(call: Call) -> Result:
        runs.set()
        ended.wait(SOON)
        call.emit(None)
        return Result()

    handle(monkeypatch, "events", arrives)
    monkeypatch.setattr(verbs.BY_NAME["events"], "completes", True)
    reply = Replies()

    async def follow() -> None:
        following = asyncio.create_task(bench.start(reply, *WORDS))
        await asyncio.to_thread(runs.wait, SOON)
        bench.commands.end_streams(UnreachableError("xmand is ending."))
        ended.set()
        await following

    asyncio.run(asyncio.wait_for(follow(), SOON))

    assert (reply.status, reply.outputs[2]) == (0, b"")


def test_one_more_than_may_follow_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, streams=1)
    runs = threading.Event()
    handle(monkeypatch, "events", telling(runs))
    first, second = Replies(), Replies()

    async def both() -> None:
        follow = asyncio.create_task(bench.start(first, *WORDS))
        await asyncio.to_thread(runs.wait, SOON)
        await bench.start(second, *WORDS)
        first.left = True
        await follow

    asyncio.run(asyncio.wait_for(both(), SOON))

    assert (first.status, second.status) == (0, 3)
    assert b"[limits] streams" in second.outputs[2]
    assert bench.run(*WORDS, reply=first).status == 0
