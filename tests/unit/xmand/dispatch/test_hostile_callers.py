"""What callers who may little or nothing can make xmand do: it is bounded, and others do not wait for it."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.xmand.dispatch.test_dispatcher import ALICE, SOON, Bench, Replies, keep_calls
from xman import arguments, render, result, verbs
from xman.errors import UsageError
from xman.wire import constants as wire
from xmand import audit
from xmand.audit import MOST_FIELD, Audit
from xmand.authorize.k5login import Listed
from xmand.request import Peer
from xmand.server.server import Server
from xmand.settings import Limits, Settings
from xmand.system.workers import MOST_WAITING, NotStartedError, Whose, Workers

EVE, BOB = b"eve@XMAN.TEST", b"bob@XMAN.TEST"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A daemon's commands; alice is on the list."""
    return Bench(tmp_path)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Something that hangs until the end of the test."""
    made = threading.Event()
    yield made
    made.set()


async def ask(bench: Bench, principal: bytes, *words: bytes) -> Replies:
    """Let somebody give a command."""
    peer, reply = Peer("192.0.2.9:40000"), Replies()
    peer.principal, peer.refused = principal, ""
    await asyncio.wait_for(bench.commands.run(peer, 3600, list(words), reply), SOON)
    return reply


def configure(bench: Bench, **chosen: Any) -> None:
    """Use other authorizers."""
    from dataclasses import replace

    from xmand.settings.authorize import Authorize

    settings = replace(bench.host.settings, authorize=Authorize(**chosen))
    bench.commands.configure(settings)


# --- X2: words --------------------------------------------------------------------------------------------------------


def test_a_verb_of_a_mebibyte_is_cut_before_it_is_escaped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    escaped: list[int] = []
    real = audit.escape

    def escape(value: str | bytes) -> str:
        escaped.append(len(value))
        return real(value)

    monkeypatch.setattr(audit, "escape", escape)

    reply = asyncio.run(ask(bench, EVE, b"\x01" * (1 << 20)))

    assert reply.error == wire.ERROR_UNKNOWN_COMMAND
    assert max(escaped) <= MOST_FIELD + 1
    assert len(bench.audit[0]) <= audit.MOST_LINE


@pytest.mark.parametrize(
    "words",
    [
        [b"list", b"--reason=" + b"x" * 2000],
        [b"list", b"--reason", b"x" * 2000],
        [b"list", b"n" * 1025],
        [b"list", b"--" + b"x" * 2000],
        [b"wait", b"vm1", b"--for", b"x" * 1025],
        [b"pause", b"vm1", b"--reason=" + b"\xc3\xa9" * 600],
        [b"new", b"<domain/>", b"k=" + b"x" * (1 << 14)],
        [b"new", b"<domain/>", *[b"k=" + b"x" * 16_000] * 20],
        [b"new", b"x" * (256 * 1024 + 1)],
        [b"maintenance", b"on", *[b"word"] * 1000],
    ],
)
def test_a_word_longer_than_its_own_limit_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: list[bytes]
) -> None:
    ran = keep_calls(monkeypatch, words[0].decode())

    reply = asyncio.run(ask(bench, ALICE, *words))

    assert (reply.status, ran) == (2, [])
    assert len(reply.outputs[2]) < 2000
    assert all(len(line) <= audit.MOST_LINE for line in bench.audit)


def test_too_long_a_word_is_not_even_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "parse", lambda *_words: pytest.fail("it was read"))

    with pytest.raises(UsageError, match="Argument 1 of list is longer than 1024 octets"):
        arguments.measure(verbs.BY_NAME["list"], [b"\xff" * (1 << 20)])


def test_words_as_long_as_they_may_be_are_taken(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = keep_calls(monkeypatch, "new")

    reply = asyncio.run(ask(bench, ALICE, b"new", b"x" * (256 * 1024), b"--reason=" + b"y" * 1024))

    assert (reply.status, len(ran)) == (0, 1)


# --- X7: lines --------------------------------------------------------------------------------------------------------


class Arriving:
    """Stands for a connection whose client has just become known."""

    def __init__(self, principal: bytes) -> None:
        self.peer = Peer("192.0.2.9:40000")
        self.peer.principal, self.peer.refused = principal, ""

    def close(self) -> None:
        """Give way."""


def test_who_comes_again_and_again_is_counted_and_not_written_each_time(bench: Bench) -> None:
    lines: list[str] = []
    session: Any = None

    async def scenario() -> None:
        server = Server(session, bench.commands, Audit(lines.append), Limits(connections_per_principal=10_000))
        server.report()
        for _ in range(500):
            arriving: Any = Arriving(EVE)
            server.authenticated(arriving, "")
        alice: Any = Arriving(ALICE)
        server.authenticated(alice, "")
        for throttle in server._arrivals.values():
            throttle._until = 0.0
        server.report()

    asyncio.run(scenario())

    auth = [line for line in lines if line.startswith('ev="auth"')]
    assert sum('princ="eve' in line for line in auth) == 10
    assert sum('princ="alice' in line for line in auth) == 1
    assert any('n="490"' in line for line in auth)


def test_strangers_denials_do_not_keep_an_administrators_out_of_the_log(bench: Bench) -> None:
    for number in range(250):
        asyncio.run(ask(bench, b"eve%d@XMAN.TEST" % number, b"destroy", b"vm1"))

    asyncio.run(ask(bench, ALICE, b"no-such-verb"))

    assert 'princ="alice' in bench.audit[-1]


# --- long replies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [[], [b"--json"]])
def test_what_takes_its_time_is_made_off_the_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, option: list[bytes]
) -> None:
    threads: list[threading.Thread] = []
    real, dumped = render.text, result.dumps

    def text(verb: str, data: dict[str, Any]) -> str:
        threads.append(threading.current_thread())
        return real(verb, data)

    def dumps(data: dict[str, Any]) -> str:
        if "verbs" in data:
            threads.append(threading.current_thread())
        return dumped(data)

    monkeypatch.setattr(render, "text", text)
    monkeypatch.setattr(result, "dumps", dumps)

    reply = asyncio.run(ask(bench, ALICE, b"help", *option))

    assert b"pause" in reply.outputs[1]
    assert threads
    assert threading.main_thread() not in threads


def test_who_does_not_read_long_replies_holds_no_more_than_a_budget(bench: Bench) -> None:
    session: Any = None
    closed: list[Any] = []

    class Holding(Arriving):
        def __init__(self, principal: bytes) -> None:
            super().__init__(principal)
            self.group = principal

        def close(self) -> None:
            closed.append(self)

    async def scenario() -> None:
        await bench.commands.read_list()
        server = Server(session, bench.commands, Audit(lambda _line: None), Limits())
        eves = [Holding(EVE) for _ in range(32)]
        bob, alice = Holding(BOB), Holding(ALICE)
        for one in (bob, *eves, alice):
            anything: Any = one
            server.owes(anything, 64 << 20 if one is alice else 4 << 20)

        assert len(closed) >= 32 - 8
        assert bob not in closed, "who holds most gives way"
        assert alice not in closed, "those on the list may take what there is"
        assert server._unread.total <= 32 << 20

    asyncio.run(scenario())


# --- X8 and X5: threads -----------------------------------------------------------------------------------------------


def test_one_principal_holds_no_more_than_his_share(gate: threading.Event) -> None:
    workers = Workers(8, "shared", each=2, reserved=2)
    eve, bob, admin = (Whose(name, listed=name == "admin") for name in ("eve", "bob", "admin"))

    async def scenario() -> list[str]:
        held = [asyncio.ensure_future(workers.run(gate.wait, SOON, eve)) for _ in range(30)]
        await asyncio.sleep(0)
        done = [await workers.run(lambda: "bob", SOON, bob)]
        # Four principals hold all that others may have; the rest is the administrators'.
        for number in range(4):
            held += [asyncio.ensure_future(workers.run(gate.wait, SOON, Whose(f"p{number}", False))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NotStartedError):
            await workers.run(lambda: "bob", 0.05, bob)
        done.append(await workers.run(lambda: "admin", SOON, admin))
        gate.set()
        await asyncio.gather(*held)
        return done

    assert asyncio.run(scenario()) == ["bob", "admin"]


def test_turns_go_by_principal(gate: threading.Event) -> None:
    workers = Workers(1, "turns")
    order: list[str] = []

    async def scenario() -> None:
        first = asyncio.ensure_future(workers.run(gate.wait, SOON))
        await asyncio.sleep(0)
        names = ["eve"] * 20 + ["bob"]
        rest = [
            asyncio.ensure_future(workers.run(lambda name=name: order.append(name), SOON, Whose(name, False)))  # type: ignore[misc]
            for name in names
        ]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *rest)

    asyncio.run(scenario())

    assert order.index("bob") <= 1


def test_who_has_too_many_calls_waiting_is_told_at_once(gate: threading.Event) -> None:
    workers = Workers(1, "queue")

    async def scenario() -> None:
        eve = Whose("eve", listed=False)
        held = [asyncio.ensure_future(workers.run(gate.wait, SOON, eve)) for _ in range(MOST_WAITING + 1)]
        await asyncio.sleep(0)
        with pytest.raises(NotStartedError):
            await workers.run(lambda: None, SOON, eve)
        gate.set()
        await asyncio.gather(*held)

    asyncio.run(scenario())


def test_a_full_house_is_busy_and_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    bench = Bench(tmp_path, workers=1, read_seconds=0.2)

    async def scenario() -> Replies:
        held = asyncio.ensure_future(bench.commands._executor._workers.run(gate.wait, SOON))
        await asyncio.sleep(0)
        reply = await ask(bench, ALICE, b"ping")
        gate.set()
        await held
        return reply

    reply = asyncio.run(scenario())

    assert (reply.status, b"busy" in reply.outputs[2]) == (3, True)


def test_a_slow_judge_of_others_denies_nobody_who_may(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(bench, methods=("k5login", "external"), external=("/bin/true",))
    waits = threading.Event()

    def judge(request: Any, _named: Any) -> Any:
        if request.principal.startswith("eve"):
            waits.wait(SOON)
            return None
        return bench.commands._authority.by_name("alice@XMAN.TEST", "pause")

    monkeypatch.setattr(bench.commands._authority, "by_words", judge)
    keep_calls(monkeypatch, "pause")

    async def scenario() -> Replies:
        eves = [asyncio.ensure_future(ask(bench, b"eve%d@XMAN.TEST" % (n % 3), b"ping")) for n in range(30)]
        await asyncio.sleep(0.05)
        reply = await ask(bench, BOB, b"pause", b"vm1")
        waits.set()
        await asyncio.gather(*eves)
        return reply

    assert asyncio.run(scenario()).status == 0


def test_who_cannot_be_judged_in_time_is_told_that_and_not_denied(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    configure(bench, methods=("k5login", "external"), external=("/bin/true",))
    from xmand.dispatch import dispatcher

    monkeypatch.setattr(dispatcher, "_JUDGE_SECONDS", 0.1)
    monkeypatch.setattr(bench.commands._authority, "by_words", lambda _request, _named: gate.wait(SOON))

    reply = asyncio.run(ask(bench, BOB, b"ping"))

    assert (reply.status, reply.error) == (3, 0)


def test_who_is_given_verbs_is_told_them_where_nobody_can_tell_what_he_owns(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    configure(bench, methods=("principals", "owner"), principals={BOB.decode(): ("info",)})
    from xmand.dispatch import dispatcher

    monkeypatch.setattr(dispatcher, "_BESIDES_SECONDS", 0.1)
    monkeypatch.setattr(bench.commands._authority, "by_words", lambda _request, _named: gate.wait(SOON))

    reply = asyncio.run(ask(bench, BOB, b"ping"))

    assert reply.status == 0


# --- X9: the list -----------------------------------------------------------------------------------------------------


def hang(monkeypatch: pytest.MonkeyPatch, gate: threading.Event) -> None:
    """Let the list be on a file system that does not answer."""
    monkeypatch.setattr(Listed, "read", lambda _self: gate.wait(SOON) and None)


def test_a_list_that_hangs_keeps_those_waiting_who_need_it_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    bench = Bench(tmp_path, list_seconds=2)
    configure(bench, methods=("k5login", "principals"), principals={BOB.decode(): ("life",)})
    keep_calls(monkeypatch, "pause")
    hang(monkeypatch, gate)

    async def scenario() -> tuple[Replies, Replies, bool]:
        waiting = asyncio.ensure_future(ask(bench, EVE, b"pause", b"vm1"))
        await asyncio.sleep(0)
        bob = await ask(bench, BOB, b"pause", b"vm1")
        first = not waiting.done()
        return await waiting, bob, first

    eve, bob, first = asyncio.run(scenario())

    assert (bob.status, first) == (0, True)
    assert (eve.status, eve.error) == (3, 0), "that he is not on it would be untrue"
    assert b"cannot read its list" in eve.outputs[2]


def test_the_loop_never_reads_a_list_that_may_have_changed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[str] = set()
    real = Listed.read

    def read(self: Listed) -> Any:
        threads.add(threading.current_thread().name)
        return real(self)

    monkeypatch.setattr(Listed, "read", read)
    keep_calls(monkeypatch, "ping")

    asyncio.run(ask(bench, ALICE, b"list"))

    assert threading.main_thread().name not in threads
    assert threads


def test_one_that_has_not_changed_is_told_by_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from xmand.authorize import k5login

    path = tmp_path / "k5login"
    path.write_bytes(ALICE + b"\n")
    path.chmod(0o600)
    subject = Listed(str(path))
    monkeypatch.setattr(k5login, "_RACY_SECONDS", -1.0)
    monkeypatch.setattr(k5login.mounts, "local", lambda _path, _device: True)  # type: ignore[attr-defined]
    assert subject.read() is not None
    looked: list[object] = []
    real = os.lstat

    def lstat(name: Any) -> Any:
        looked.append(name)
        return real(name)

    monkeypatch.setattr(k5login.os, "lstat", lstat)  # type: ignore[attr-defined]
    monkeypatch.setattr(k5login.os, "open", lambda *_words: pytest.fail("it was opened"))  # type: ignore[attr-defined]

    assert subject.unchanged().permits(ALICE)
    assert looked == [str(path)]


def test_of_one_that_was_just_written_no_look_is_enough(tmp_path: Path) -> None:
    from xmand.authorize.grant import UnreadError

    path = tmp_path / "k5login"
    path.write_bytes(ALICE + b"\n")
    path.chmod(0o600)
    subject = Listed(str(path))
    assert subject.read() is not None

    with pytest.raises(UnreadError):
        subject.unchanged()


def test_settings_have_the_limits() -> None:
    limits = Settings().limits

    assert (limits.kept_of(256), limits.share_of(16), limits.share_of(1)) == (64, 4, 1)
