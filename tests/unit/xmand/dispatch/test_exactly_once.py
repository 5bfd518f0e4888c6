"""Each change once (`xmand.dispatch.exactly_once`, `xmand.journal.recovery`), with the test's own verbs and journal."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.xmand.dispatch.test_dispatcher import ALICE, SOON, Bench, Replies, handle
from xman import outcome, verbs
from xman.errors import HypervisorError, NoSuchDomainError, RefusedError
from xman.result import Result
from xmand.answer import Answer
from xmand.dispatch import exactly_once
from xmand.journal import Journal, JournalError, recovery
from xmand.journal.entries import Change
from xmand.journal.verdicts import Verdict
from xmand.request import Peer, Request
from xmand.verbs.call import Call

RID = b"--rid=" + b"a" * 32
CHANGE = Change(ALICE.decode(), "a" * 32, "other", "192.0.2.7:1", "pause", "vm1", "", {"options": {}})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The defaults."""
    return Bench(tmp_path)


def together(*running: Any) -> None:
    """Let several things run on one event loop."""

    async def run() -> None:
        await asyncio.wait_for(asyncio.gather(*running), SOON)

    asyncio.run(run())


def counting(monkeypatch: pytest.MonkeyPatch, verb: str = "pause") -> list[Call]:
    """Let a verb be told apart from its repetition."""
    calls: list[Call] = []

    def handler(call: Call) -> Result:
        calls.append(call)
        return Result({"number": len(calls)}, changed=True, domain="vm1", notes=(f"number {len(calls)}",))

    handle(monkeypatch, verb, handler)
    return calls


def test_asked_again_it_answers_and_does_not_act(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counting(monkeypatch)

    first = bench.run(b"pause", RID, b"vm1")
    second = bench.run(b"pause", RID, b"--timeout=7", b"vm1")

    assert (first.outputs, first.status) == (second.outputs, second.status) == ({1: b"", 2: b"number 1\n"}, 0)
    assert len(calls) == 1
    assert [line.split()[0] for line in bench.audit] == ['ev="begin"', 'ev="end"', 'ev="again"']


def test_a_retry_may_want_json(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    counting(monkeypatch)
    bench.run(b"pause", RID, b"vm1")

    assert b'"number":1' in bench.run(b"pause", RID, b"--json", b"vm1").outputs[1]


def test_without_an_id_it_acts_each_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counting(monkeypatch)

    bench.run(b"pause", b"vm1")
    bench.run(b"pause", b"vm1")

    assert len(calls) == 2


def test_a_failure_is_answered_again_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def fail(_call: Call) -> Result:
        tries.append(1)
        raise NoSuchDomainError("vm1")

    handle(monkeypatch, "pause", fail)

    assert [bench.run(b"pause", RID, b"vm1").status for _number in range(3)] == [7, 7, 7]
    assert len(tries) == 1


@pytest.mark.parametrize(
    "words",
    [(b"pause", RID, b"vm2"), (b"unpause", RID, b"vm1"), (b"pause", RID, b"--reason=tea", b"vm1")],
    ids=["domain", "verb", "reason"],
)
def test_other_words_with_the_same_id_are_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: tuple[bytes, ...]
) -> None:
    counting(monkeypatch)
    ran = counting(monkeypatch, "unpause")
    bench.run(b"pause", RID, b"vm1")

    reply = bench.run(*words)

    assert (reply.status, ran) == (3, [])
    assert b"another command" in reply.outputs[2]


def test_who_asks_while_it_runs_gets_its_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    began, goes_on = threading.Event(), threading.Event()
    done: list[int] = []

    def slow(call: Call) -> Result:
        began.set()
        goes_on.wait(SOON)
        call.progress("nearly")
        done.append(1)
        return Result(changed=True)

    handle(monkeypatch, "pause", slow)
    first, second, other = Replies(), Replies(), Replies()

    async def ask_again() -> None:
        await asyncio.to_thread(began.wait, SOON)
        asking = asyncio.create_task(bench.start(second, b"pause", RID, b"vm1"))
        (running,) = bench.commands._once._running.values()
        while len(running._listeners) < 2:  # it has found the one that runs
            await asyncio.sleep(0.001)
        await bench.start(other, b"pause", RID, b"vm2")
        goes_on.set()
        await asking

    together(bench.start(first, b"pause", RID, b"vm1"), ask_again())

    assert (first.status, second.status, other.status, done) == (0, 0, 3, [1])
    assert b"nearly\n" in second.outputs[2]


def test_a_caller_who_leaves_does_not_end_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(_call: Call) -> Result:
        began.set()
        goes_on.wait(SOON)
        return Result(changed=True)

    handle(monkeypatch, "pause", slow)

    async def leave() -> None:
        asking = asyncio.create_task(bench.start(Replies(), b"pause", RID, b"vm1"))
        await asyncio.to_thread(began.wait, SOON)
        asking.cancel()
        goes_on.set()
        await bench.commands.drain()

    together(leave())

    assert bench.host.journal.pending() == []
    assert bench.run(b"pause", RID, b"vm1").status == 0
    assert 'ev="end"' in bench.audit[1]


def test_of_a_change_that_was_given_up_a_retry_gets_the_real_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, change_seconds=0.1)
    goes_on, ended = threading.Event(), threading.Event()

    def hang(_call: Call) -> Result:
        goes_on.wait(SOON)
        return Result(changed=True)

    handle(monkeypatch, "pause", hang)
    bench.when_late = ended.set

    first = bench.run(b"pause", RID, b"vm1")
    goes_on.set()
    assert ended.wait(SOON)
    bench.commands._once._running.clear()  # the loop that ran it has gone, as after a restart

    assert (first.status, bench.run(b"pause", RID, b"vm1").status) == (10, 0)


def test_nothing_acts_that_cannot_be_written_down(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counting(monkeypatch)
    counting(monkeypatch, "ping")

    def full(_self: Journal, _change: Change) -> Any:
        raise JournalError("disk full")

    monkeypatch.setattr(Journal, "begin", full)

    refused = bench.run(b"pause", b"vm1")

    assert (refused.status, calls) == (3, [])
    assert refused.outputs[2] == b"Error: audit unavailable, so nothing is changed: disk full.\n"
    assert 'res="refused"' in bench.audit[-1]


def test_a_disk_that_hangs_refuses_and_what_it_writes_later_is_taken_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exactly_once, "_JOURNAL_SECONDS", 0.1)
    calls, goes_on, written = counting(monkeypatch), threading.Event(), threading.Event()
    begin, end = Journal.begin, Journal.end

    def slow(self: Journal, change: Change) -> Any:
        goes_on.wait(SOON)
        return begin(self, change)

    def ending(self: Journal, *arguments: Any, **options: Any) -> None:
        end(self, *arguments, **options)
        written.set()

    monkeypatch.setattr(Journal, "begin", slow)
    monkeypatch.setattr(Journal, "end", ending)

    refused = bench.run(b"pause", RID, b"vm1")
    goes_on.set()
    assert written.wait(SOON)

    assert (refused.status, calls, bench.host.journal.pending()) == (3, [], [])
    monkeypatch.setattr(exactly_once, "_JOURNAL_SECONDS", SOON)  # this disk may be slow, but does not hang
    assert bench.run(b"pause", RID, b"vm1").status == 0


def test_a_description_is_announced_before_it_is_defined(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def define(call: Call) -> Result:
        call.record.intends("made", "uuid-of-made")
        (entry,) = bench.host.journal.pending()
        return Result({"seen": [entry.change.domain, entry.uuid]}, changed=True, domain="made")

    handle(monkeypatch, "new", define)

    assert b'["made","uuid-of-made"]' in bench.run(b"new", b"--json", b"<domain/>").outputs[1]


# --- after a crash ----------------------------------------------------------------------------------------------------


def left_open(bench: Bench, monkeypatch: pytest.MonkeyPatch, find: Callable[..., Any]) -> None:
    """Leave a pause of vm1 open in the journal, as a crash does."""
    bench.host.journal.begin(replace(CHANGE, digest=_digest(b"vm1")))
    monkeypatch.setattr(recovery.Recovery, "_find", find)
    monkeypatch.setattr(recovery, "busy", lambda _domain: False)


def _digest(domain: bytes) -> str:
    peer = Peer("192.0.2.7:1")
    peer.principal = ALICE
    request = Request(peer, verbs.BY_NAME["pause"], [RID, domain])
    request.parse()
    return request.digest()


def test_what_was_left_open_is_judged_before_the_retry_is_answered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counting(monkeypatch)
    left_open(bench, monkeypatch, lambda _self, _entry: None)

    def judge(*_arguments: Any) -> Verdict:
        time.sleep(0.2)  # a libvirt that takes its time
        return Verdict(Answer(0, done=Result(changed=True, notes=("found done",))))

    monkeypatch.setattr(recovery, "judge", judge)

    reply = bench.run(b"pause", RID, b"vm1")

    assert (reply.status, reply.outputs[2], calls) == (0, b"found done\n", [])
    assert any('recovered="1"' in line and 'ev="end"' in line for line in bench.audit)


def test_what_xmand_itself_is_at_work_on_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its start it writes down since when domains run."""
    counting(monkeypatch)
    left_open(bench, monkeypatch, lambda _self, _entry: None)
    monkeypatch.setattr(
        recovery, "judge", lambda *_arguments: Verdict(Answer(0, done=Result(changed=True, notes=("found done",))))
    )
    held, ended = threading.Event(), threading.Event()

    def stamp() -> None:
        with bench.host.locks.hold("vm1", "stamp", time.monotonic() + SOON):
            held.set()
            time.sleep(0.3)
        ended.set()

    threading.Thread(target=stamp, daemon=True).start()
    assert held.wait(SOON)

    reply = bench.run(b"pause", RID, b"vm1")

    assert (reply.status, reply.outputs[2], ended.is_set()) == (0, b"found done\n", True)


def test_what_somebody_else_is_at_work_on_for_long_is_no_refusal_of_what_was_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_open(bench, monkeypatch, lambda _self, _entry: None)
    monkeypatch.setattr(recovery, "_LOCK_SECONDS", 0.2)

    with bench.host.locks.hold("vm1", "stamp", time.monotonic() + SOON):
        reply = bench.run(b"pause", RID, b"vm1")

    assert (reply.status, outcome.NOT_LOOKED_UP in reply.outputs[2].decode()) == (outcome.HYPERVISOR, True)


def test_what_nothing_came_of_is_done_by_the_retry(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counting(monkeypatch)
    left_open(bench, monkeypatch, lambda _self, _entry: None)
    monkeypatch.setattr(recovery, "judge", lambda *_arguments: Verdict(Answer(6, message="not done"), again=True))

    assert bench.run(b"pause", RID, b"vm1").status == 0
    assert len(calls) == 1


def in_doubt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a change behind of which the judge cannot rule out that it happened, and that may be tried again."""
    left_open(bench, monkeypatch, lambda _self, _entry: None)
    doubt = Answer(10, message="xmand ended during the pause: it may have happened.")
    monkeypatch.setattr(recovery, "judge", lambda *_arguments: Verdict(doubt, again=True))


def test_a_retry_that_is_refused_does_not_say_that_nothing_happened(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_call: Call) -> Result:
        raise RefusedError("'vm1' is busy: migrating.")

    handle(monkeypatch, "pause", refuse)
    in_doubt(bench, monkeypatch)

    first, second = bench.run(b"pause", RID, b"vm1"), bench.run(b"pause", RID, b"vm1")

    assert first.outputs[2] == (
        b"Error: xmand ended during the pause: it may have happened. Asked again: 'vm1' is busy: migrating.\n"
    )
    assert (first.status, second.status, second.outputs) == (10, 10, first.outputs)


def test_a_retry_that_is_done_is_done(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    counting(monkeypatch)
    in_doubt(bench, monkeypatch)

    assert bench.run(b"pause", RID, b"vm1").outputs[2] == b"number 1\n"


def test_a_retry_that_fails_late_leaves_the_doubt_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, change_seconds=0.1)
    goes_on, ended = threading.Event(), threading.Event()

    def fail_late(_call: Call) -> Result:
        goes_on.wait(SOON)
        raise NoSuchDomainError("vm1")

    handle(monkeypatch, "pause", fail_late)
    in_doubt(bench, monkeypatch)
    bench.when_late = ended.set

    assert bench.run(b"pause", RID, b"vm1").status == 10
    goes_on.set()
    assert ended.wait(SOON)

    (entry,) = bench.host.journal.read()
    assert entry.answer is not None
    assert (entry.answer.code, "it may have happened. Asked again: " in entry.answer.message) == (10, True)


def test_while_libvirt_does_not_answer_nothing_is_changed_and_the_next_tries_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counting(monkeypatch)
    answers: list[Any] = [HypervisorError("libvirt is away"), None]

    def find(_self: Any, _entry: Any) -> Any:
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        return None

    left_open(bench, monkeypatch, find)

    refused = bench.run(b"unpause", b"vm2")
    counting(monkeypatch, "unpause")
    done = bench.run(b"unpause", b"vm2")

    assert (refused.status, done.status, calls) == (8, 0, [])
    assert b"libvirt is away" in refused.outputs[2]
    assert b"nothing was done" in refused.outputs[2]


def test_a_fault_of_the_judge_leaves_it_unknown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_arguments: Any) -> Verdict:
        raise ZeroDivisionError

    left_open(bench, monkeypatch, lambda _self, _entry: None)
    monkeypatch.setattr(recovery, "judge", judge)

    assert bench.run(b"pause", RID, b"vm1").status == 10
