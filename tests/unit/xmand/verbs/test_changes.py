"""What a follower of `list` or `state` is told (`xmand.verbs.changes`)."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.fakes.host_standin import host_of
from xman import arguments, verbs
from xman.errors import HypervisorError, NoSuchDomainError, UsageError
from xman.result import Result
from xmand.authorize import Access
from xmand.model.kept import Kept, Read
from xmand.verbs import changes
from xmand.verbs.call import Call
from xmand.verbs.kept import LISTED

ROW: dict[str, Any] = {"id": 1, "memory": 1 << 30, "vcpus": 2}


class EndError(Exception):
    """The test has seen enough."""


class Bench:
    """A host whose domains change step by step, each when the follower looks the next time."""

    def __init__(self) -> None:
        self.host = host_of(None)
        self.states: dict[str, str] = {"vm1": "running", "vm2": "running"}
        self.steps: Iterator[Callable[[], object]] = iter(())
        self.problem: HypervisorError | None = None
        self.parts: list[Result] = []
        self.clock = 0.0
        self.host.model.domains = Kept(self._read, lambda: self.problem is None)

    def _read(self, _held: Mapping[str, Any]) -> Read[Any, Any]:
        if self.problem is not None:
            raise self.problem
        self.clock += 1
        rows = [
            ROW | {"name": name, "uuid": f"uuid-{name}", "state": state, "cpu_seconds": self.clock}
            for name, state in self.states.items()
        ]
        return Read({row["uuid"]: row for row in rows}, rows)

    def _emit(self, part: Result | None) -> None:
        if part is not None:
            self.parts.append(part)
            return
        step = next(self.steps, None)
        if step is None:
            raise EndError
        step()
        self.host.model.touch()

    def follow(self, *steps: Callable[[], object], words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Follow through `steps`; return what was told."""
        self.steps = iter((lambda: None, *steps, lambda: None))
        parsed = arguments.parse(verbs.BY_NAME["list"], ["--follow", *words])
        call = Call(
            self.host, "alice@R", Access(frozenset()), parsed, time.monotonic() + 5, lambda _text: None, self._emit
        )
        with pytest.raises(EndError):
            changes.follow(call, LISTED, NoSuchDomainError)
        return [part.data for part in self.parts]

    def becomes(self, name: str, state: str) -> Callable[[], object]:
        """Return a step."""
        return lambda: self.states.update({name: state})


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(changes, "_LOOK_SECONDS", 0.001)
    return Bench()


def said(parts: list[dict[str, Any]]) -> list[list[tuple[str, str]]]:
    """Return the names and states of each part."""
    return [[(domain["name"], domain["state"]) for domain in part["domains"]] for part in parts]


def test_the_whole_comes_first(bench: Bench) -> None:
    parts = bench.follow()

    assert (said(parts), parts[0]["whole"]) == ([[("vm1", "running"), ("vm2", "running")]], True)


def test_each_change_is_a_part_of_its_own(bench: Bench) -> None:
    parts = bench.follow(bench.becomes("vm2", "paused"), bench.becomes("vm3", "running"))

    assert said(parts[1:]) == [[("vm2", "paused")], [("vm3", "running")]]
    assert [part["whole"] for part in parts] == [True, False, False]
    assert [part.domain for part in bench.parts] == [None, "vm2", "vm3"]


def test_processor_time_is_no_change(bench: Bench) -> None:
    assert len(bench.follow(lambda: None, lambda: None)) == 1


def test_one_that_is_no_more_is_told(bench: Bench) -> None:
    parts = bench.follow(lambda: bench.states.pop("vm1"))

    assert parts[1] == {"domains": [], "gone": [{"name": "vm1", "uuid": "uuid-vm1"}], "whole": False}


def test_a_libvirt_that_is_away_is_told_once_and_the_whole_when_it_is_back(bench: Bench) -> None:
    def away() -> None:
        bench.problem = HypervisorError("libvirt cannot be reached")

    def back() -> None:
        bench.problem = None

    parts = bench.follow(away, lambda: None, back)

    assert [part.get("whole") for part in parts] == [True, False, True]
    assert bench.parts[1].notes == ("libvirt does not answer: libvirt cannot be reached",)


@pytest.mark.parametrize("option", ["--long", "--state=running"])
def test_what_is_not_followed_is_said(bench: Bench, option: str) -> None:
    parsed = arguments.parse(verbs.BY_NAME["list"], ["--follow", option])
    call = Call(bench.host, "alice@R", Access(frozenset()), parsed, time.monotonic() + 5, lambda _text: None)

    with pytest.raises(UsageError, match="--follow shows every domain"):
        changes.follow(call, LISTED, NoSuchDomainError)
