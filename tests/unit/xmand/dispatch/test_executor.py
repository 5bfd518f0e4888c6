"""A verb under which libvirt is lost (`xmand.dispatch.executor.carry_out`)."""

from typing import Any

import pytest

from xman import arguments, verbs
from xman.errors import HypervisorError, RefusedError
from xman.result import Result
from xmand.dispatch import executor
from xmand.dispatch.executor import carry_out


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
