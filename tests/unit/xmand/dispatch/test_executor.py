"""A verb under which libvirt is lost, and what is left of it (`xmand.dispatch.executor`)."""

import asyncio
import gc
import time
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from xman import arguments, verbs
from xman.errors import HypervisorError, RefusedError
from xman.result import Result
from xmand.dispatch import executor
from xmand.dispatch.executor import Executor, carry_out
from xmand.settings import Limits
from xmand.system.workers import OWN
from xmand.verbs import HANDLERS


class Driver:
    """Whether the connection for reading was lost."""

    def __init__(self, lost: bool) -> None:
        self.lost = lost

    def was_lost(self, _purpose: str) -> bool:
        return self.lost


class FakeCall:
    """As much of a Call as is needed."""

    def __init__(self, *words: str, lost: bool = True) -> None:
        self.parsed = arguments.parse(verbs.BY_NAME[words[0]], list(words[1:]))
        self.verb = self.parsed.verb
        self.host = self
        self.driver = Driver(lost)


class Handler:
    """A verb that fails some times before it succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, _call: Any) -> Result:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return Result({})


def run(handler: Handler, call: FakeCall) -> Result:
    """Carry a verb out."""
    done = carry_out(handler, call)  # type: ignore[arg-type]
    assert isinstance(done, Result)
    return done


def test_a_verb_that_only_reads_is_tried_once_more() -> None:
    handler = Handler(HypervisorError("lost"))

    run(handler, FakeCall("list"))

    assert handler.calls == 2


def test_it_is_tried_twice_at_most() -> None:
    handler = Handler(HypervisorError("lost"), HypervisorError("still lost"))

    with pytest.raises(HypervisorError, match="still lost"):
        run(handler, FakeCall("list"))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (FakeCall("pause", "vm1"), HypervisorError("lost")),
        (FakeCall("events", "--follow"), HypervisorError("lost")),
        (FakeCall("list", lost=False), HypervisorError("another failure")),
        (FakeCall("list"), RefusedError("no")),
    ],
    ids=["a change", "a stream", "libvirt is there", "another error"],
)
def test_nothing_else_is(call: FakeCall, error: Exception) -> None:
    handler = Handler(error)

    with pytest.raises(type(error)):
        run(handler, call)

    assert handler.calls == 1


def test_nor_is_what_libvirt_hung_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "_RESTART_SECONDS", -1.0)
    handler = Handler(HypervisorError("lost"))

    with pytest.raises(HypervisorError):
        run(handler, FakeCall("list"))


def test_what_a_failed_verb_had_in_its_hands_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when Python's collector comes by: a lost connection has descriptors, and libvirtd may die again and again."""

    class Connection:
        pass

    held: list[weakref.ref[Connection]] = []

    def handler(_call: Any) -> Result:
        connection = Connection()
        held.append(weakref.ref(connection))
        raise HypervisorError("lost")

    monkeypatch.setitem(HANDLERS, "list", handler)
    call = FakeCall("list", lost=False)
    call.progress = lambda _text: None  # type: ignore[attr-defined]
    request = SimpleNamespace(parsed=call.parsed, verb=call.verb, ms=lambda: 1)

    async def run_it() -> str:
        answer, _later = await Executor(Limits()).run(request, lambda _deadline: call, OWN)  # type: ignore[arg-type,return-value]
        return answer.message

    gc.disable()
    try:
        assert asyncio.run(run_it()) == "lost"
        end = time.monotonic() + 5.0
        while held[0]() is not None and time.monotonic() < end:
            time.sleep(0.01)
        assert held[0]() is None
    finally:
        gc.enable()
