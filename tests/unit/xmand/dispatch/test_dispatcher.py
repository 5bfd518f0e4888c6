"""A command's way through xmand (`xmand.dispatch.dispatcher`), with the test's own handlers, reply and audit."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.host_standin import host_of
from xman import arguments
from xman.errors import RefusedError
from xman.result import Result
from xman.wire import constants as wire
from xmand import verbs
from xmand.audit import Audit
from xmand.consoles.served import Taker
from xmand.dispatch.dispatcher import Dispatcher
from xmand.request import Peer
from xmand.settings import Limits, Migration, Settings
from xmand.verbs.call import Call

ALICE = b"alice@XMAN.TEST"
# Longer than any command of these tests; shorter than what pytest's user would wait.
SOON = 5.0


class Replies:
    """Keeps a reply."""

    def __init__(self) -> None:
        self.outputs: dict[int, bytes] = {1: b"", 2: b""}
        self.status = -1
        self.error = 0
        # What came while the command ran.
        self.parts: list[bytes] = []
        self.left = False
        self.slow = False
        # Who takes what the client types.
        self.taker: Taker | None = None

    def send_output(self, stream: int, data: bytes) -> None:
        self.outputs[stream] += data

    async def send_part(self, data: bytes) -> None:
        if self.slow:
            raise TimeoutError("the client does not read")
        self.parts.append(data)

    async def send_long(self, data: bytes) -> None:
        if self.slow:
            raise TimeoutError("the client does not read")
        self.outputs[1] += data

    def gone(self) -> bool:
        return self.left

    def open_input(self, taker: Taker) -> None:
        self.taker = taker

    def more_input(self) -> None:
        pass

    def send_progress(self, text: str) -> None:
        self.outputs[wire.STDERR] += f"{text}\n".encode()

    def send_status(self, status: int) -> None:
        self.status = status

    def send_error(self, code: int) -> None:
        self.error = code


class Bench:
    """A daemon's commands without a daemon."""

    def __init__(self, directory: Path, driver: Any = None, migrate: Migration | None = None, **limits: float) -> None:
        self.list = directory / "k5login"
        self.list.write_bytes(ALICE + b"\n")
        self.list.chmod(0o600)
        self.audit: list[str] = []
        settings = Settings(
            k5login=str(self.list),
            state_dir=str(directory / "state"),
            migrate=migrate or Migration(),
            limits=Limits(**limits),  # type: ignore[arg-type]
        )
        # Few handlers of these tests ask for libvirt.
        self.host = host_of(driver, settings)
        self.commands = Dispatcher(self.host, Audit(self._write))
        self.when_late: Callable[[], None] = lambda: None

    def _write(self, line: str) -> None:
        self.audit.append(line)
        if line.startswith('ev="late"'):
            self.when_late()

    def run(self, *words: bytes, refused: str = "", lifetime: int = 3600, reply: Replies | None = None) -> Replies:
        """Run one command of alice's."""
        reply = reply or Replies()
        asyncio.run(asyncio.wait_for(self.start(reply, *words, refused=refused, lifetime=lifetime), SOON))
        return reply

    async def start(self, reply: Replies, *words: bytes, refused: str = "", lifetime: int = 3600) -> None:
        """Run one command of alice's among others."""
        peer = Peer("192.0.2.7:40000")
        peer.principal, peer.refused = ALICE, refused
        if not self.commands.at_once(peer, lifetime, list(words), reply):
            await self.commands.run(peer, lifetime, list(words), reply)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The defaults, but for a list that the test may write."""
    return Bench(tmp_path)


def handle(monkeypatch: pytest.MonkeyPatch, verb: str, handler: Callable[[Call], Result]) -> None:
    """Let `handler` do a verb."""
    monkeypatch.setitem(verbs.HANDLERS, verb, handler)


def keep_calls(monkeypatch: pytest.MonkeyPatch, verb: str) -> list[Call]:
    """Let a verb do nothing but succeed; return the list of its calls."""
    calls: list[Call] = []

    def handler(call: Call) -> Result:
        calls.append(call)
        return Result(changed=True)

    handle(monkeypatch, verb, handler)
    return calls


def test_a_success_is_answered_and_audited(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(monkeypatch, "pause", lambda call: Result(changed=True, domain=call.parsed.text("DOMAIN"), notes=("Done.",)))

    reply = bench.run(b"pause", b"--reason=tea", b"vm1")

    assert (reply.status, reply.outputs) == (0, {1: b"", 2: b"Done.\n"})
    begin, end = bench.audit
    assert begin.startswith('ev="begin" rid="')
    assert 'verb="pause" dom="vm1" reason="tea"' in begin
    assert 'res="ok" code="0"' in end


def test_an_expected_failure_is_one_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_call: Call) -> Result:
        raise RefusedError("Not now.")

    handle(monkeypatch, "pause", refuse)

    reply = bench.run(b"pause", b"vm1")

    assert (reply.status, reply.outputs) == (3, {1: b"", 2: b"Error: Not now.\n"})
    assert 'res="refused" code="3"' in bench.audit[-1]


@pytest.mark.parametrize(
    "broken", [lambda _call: 1 / 0, lambda _call: Result({"host_id": "h"})], ids=["handler", "result"]
)
def test_a_fault_of_ours_has_a_traceback_in_the_log_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: Callable[[Call], Result]
) -> None:
    handle(monkeypatch, "ping", broken)

    with caplog.at_level(logging.ERROR):
        reply = bench.run(b"ping")

    assert (reply.error, reply.outputs) == (wire.ERROR_INTERNAL, {1: b"", 2: b""})
    assert caplog.records[0].exc_info is not None
    assert 'res="internal" code="1"' in bench.audit[-1]


def test_an_unknown_verb_is_error_5_for_everybody(bench: Bench) -> None:
    bench.list.unlink()

    assert bench.run(b"frobnicate").error == wire.ERROR_UNKNOWN_COMMAND
    assert bench.run().error == wire.ERROR_UNKNOWN_COMMAND


@pytest.mark.parametrize("refused", ["", "an anonymous name"])
def test_of_a_denied_caller_nothing_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    def read(*_arguments: object) -> object:
        raise AssertionError("a denied caller's words were read")

    monkeypatch.setattr(arguments, "parse", read)
    handle(monkeypatch, "create", lambda _call: Result())
    bench.list.write_bytes(ALICE + b"\n" if refused else b"bob@XMAN.TEST\n")

    reply = bench.run(b"create", b"<domain/>", refused=refused)

    assert (reply.error, reply.status) == (wire.ERROR_ACCESS, -1)
    assert [line[:9] for line in bench.audit] == ['ev="deny"']


def test_an_expired_context_runs_nothing_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = keep_calls(monkeypatch, "pause")

    reply = bench.run(b"pause", b"vm1", lifetime=0)

    assert (reply.status, ran) == (4, [])
    assert b"kinit" in reply.outputs[2]


def test_json_is_answered_in_json_even_where_the_words_are_wrong(bench: Bench) -> None:
    reply = bench.run(b"pause", b"--json")

    envelope = json.loads(reply.outputs[1])
    assert (reply.status, envelope["class"], reply.outputs[2]) == (2, "usage", b"")


@pytest.mark.parametrize(
    ("verb", "words", "status", "says"),
    [("ping", [], 8, b"did not answer"), ("pause", [b"vm1"], 10, b"may still happen")],
    ids=["reading", "changing"],
)
def test_a_call_that_hangs_is_given_up_and_its_end_is_logged_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, words: list[bytes], status: int, says: bytes
) -> None:
    bench = Bench(tmp_path, read_seconds=0.5, change_seconds=0.5)
    goes_on, ended = threading.Event(), threading.Event()

    def hang(_call: Call) -> Result:
        goes_on.wait(SOON)
        return Result(changed=True)

    handle(monkeypatch, verb, hang)
    bench.when_late = ended.set

    reply = bench.run(verb.encode(), *words)
    goes_on.set()

    assert reply.status == status
    assert says in reply.outputs[2]
    assert ended.wait(SOON)
    assert bench.audit[-1].startswith('ev="late"')
    assert 'res="ok"' in bench.audit[-1]


def test_what_waited_too_long_for_a_thread_is_not_done_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, workers=1, read_seconds=0.5, change_seconds=0.5)
    goes_on = threading.Event()
    handle(monkeypatch, "ping", lambda _call: Result(changed=goes_on.wait(SOON)))
    done = keep_calls(monkeypatch, "pause")

    bench.run(b"ping")
    reply = bench.run(b"pause", b"vm1")
    goes_on.set()
    bench_again = bench.run(b"pause", b"vm2")

    assert (reply.status, b"nothing was done" in reply.outputs[2]) == (8, True)
    assert bench_again.status == 0
    assert [call.parsed.text("DOMAIN") for call in done] == ["vm2"]


def test_of_many_denials_the_first_are_logged_and_the_others_counted(bench: Bench) -> None:
    bench.list.write_bytes(b"bob@XMAN.TEST\n")
    bench.commands.report()

    for _number in range(25):
        bench.run(b"destroy", b"vm1")
    held = len(bench.audit)
    bench.commands._denials[False]._until = 0.0
    bench.commands.report()

    assert held == 10
    assert bench.audit[-1] == 'ev="deny" n="15" detail="15 more commands of 1 callers were denied"'


def test_denied_requests_leave_nothing_behind(bench: Bench) -> None:
    bench.list.write_bytes(b"bob@XMAN.TEST\n")
    bench.run(b"destroy", b"vm1")
    threads = threading.active_count()

    for _number in range(500):
        bench.run(b"destroy", b"vm1")

    assert threading.active_count() <= threads
    assert bench.host.locks._holders == bench.host.locks._queues == {}
    assert bench.commands.changes == 0
