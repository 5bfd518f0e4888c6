"""Answers that may have an age (`--max-age`): from the model, anew, or as last seen where libvirt hangs."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.xmand.dispatch.test_dispatcher import Bench, Replies, handle
from xman.errors import HypervisorError
from xman.result import Result
from xmand.dispatch import looking
from xmand.model.kept import Kept, Read
from xmand.verbs.call import Call

LIST = (b"list", b"--max-age=60")
DOMAIN: dict[str, Any] = {"name": "vm1", "uuid": "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11", "id": 1, "state": "running"}
DOMAIN |= {"memory": 1 << 30, "vcpus": 2, "cpu_seconds": 0.5}
OTHER = DOMAIN | {"name": "vm2", "uuid": "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b12", "state": "paused"}


class Aged(Bench):
    """A host whose model has read two domains."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, SimpleNamespace(was_lost=lambda _purpose: False))
        self.told = True
        self.model = self.host.model
        self.model.domains = Kept(self._read, lambda: self.told)
        self.model.domains.read(60.0, time.monotonic() + 1.0)

    def _read(self, _held: Mapping[str, dict[str, Any]]) -> Read[dict[str, Any], list[dict[str, Any]]]:
        return Read({each["uuid"]: each for each in (DOMAIN, OTHER)}, [DOMAIN, OTHER])


@pytest.fixture
def aged(tmp_path: Path) -> Aged:
    return Aged(tmp_path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The verbs that were carried out by their handlers."""
    found: list[str] = []

    def anew(call: Call) -> Result:
        found.append(call.verb.name)
        return Result({"domains": []})

    handle(monkeypatch, "list", anew)
    return found


def names(reply: Replies) -> list[str]:
    """Return the names that a list has."""
    return [line.split()[0] for line in reply.outputs[1].decode().splitlines()[1:]]


def fails(error: Exception) -> Callable[[Call], Result]:
    """Return a handler that raises `error`."""

    def handler(_call: Call) -> Result:
        raise error

    return handler


def test_who_allows_an_age_is_answered_from_the_model(aged: Aged, asked: list[str]) -> None:
    assert names(aged.run(*LIST)) == ["vm1", "vm2"]
    assert asked == []


def test_who_allows_none_is_answered_anew(aged: Aged, asked: list[str]) -> None:
    aged.run(b"list")
    aged.run(b"list", b"--max-age=0")

    assert asked == ["list", "list"]


def test_the_audit_has_both_lines(aged: Aged, asked: list[str]) -> None:
    aged.run(*LIST)

    assert [line.split()[0] for line in aged.audit] == ['ev="begin"', 'ev="end"']


def test_who_is_off_the_list_is_denied_whatever_the_model_has(aged: Aged) -> None:
    aged.list.write_bytes(b"bob@XMAN.TEST\n")

    assert aged.run(*LIST).error


def test_json_says_as_of_when(aged: Aged, asked: list[str]) -> None:
    told = json.loads(aged.run(*LIST, b"--json").outputs[1])

    assert (told["ok"], len(told["result"]["domains"])) == (True, 2)
    assert told["as_of"] <= told["at"]


def test_json_says_so_of_what_is_read_anew(aged: Aged, asked: list[str]) -> None:
    aged.model.touch()

    told = json.loads(aged.run(*LIST, b"--json").outputs[1])

    assert asked == ["list"]
    assert told["as_of"] <= told["at"]


def test_text_says_so_where_it_is_old(aged: Aged, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert aged.run(*LIST).outputs[2] == b""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3)

    assert aged.run(*LIST).outputs[2].startswith(b"As of ")
    assert b" 3 s ago." in aged.run(*LIST).outputs[2]


def test_domains_by_name_and_by_state(aged: Aged, asked: list[str]) -> None:
    assert names(aged.run(*LIST, b"--", b"vm2")) == ["vm2"]
    assert names(aged.run(*LIST, b"--", OTHER["uuid"].encode())) == ["vm2"]
    assert names(aged.run(*LIST, b"--state=paused")) == ["vm2"]
    assert asked == []


@pytest.mark.parametrize("words", [[b"--", b"vm3"], [b"--long"], [b"--state=halted"], [b"--", b"1"]])
def test_what_the_model_cannot_tell_is_asked_of_libvirt(aged: Aged, asked: list[str], words: list[bytes]) -> None:
    aged.run(*LIST, *words)

    assert asked == ["list"]


def test_where_libvirt_hangs_the_last_answer_will_do(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_HANGS_SECONDS", 0.05)
    handle(monkeypatch, "list", lambda _call: time.sleep(0.5))  # type: ignore[arg-type, return-value]
    aged.told = False

    reply = aged.run(*LIST)

    assert (reply.status, names(reply)) == (0, ["vm1", "vm2"])
    assert b"libvirt does not answer: " in reply.outputs[2]


def test_where_libvirt_is_gone_too(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(monkeypatch, "list", fails(HypervisorError("libvirt cannot be reached")))
    aged.told = False

    told = json.loads(aged.run(*LIST, b"--json").outputs[1])

    assert (told["ok"], told["notes"]) == (True, ["libvirt does not answer: libvirt cannot be reached"])


def test_what_has_changed_since_is_not_shown_for_that(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(monkeypatch, "list", fails(HypervisorError("libvirt cannot be reached")))
    aged.model.touch()

    assert aged.run(*LIST).status == 8


def test_what_is_too_old_is_not_shown_either(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(monkeypatch, "list", fails(HypervisorError("libvirt cannot be reached")))
    later = time.monotonic() + 100
    monkeypatch.setattr("xmand.model.kept.time.monotonic", lambda: later)

    assert aged.run(*LIST).status == 8


def test_a_change_has_no_age(aged: Aged) -> None:
    reply = aged.run(b"pause", b"--max-age=5", b"--", b"vm1")

    assert (reply.status, reply.outputs[2]) == (
        2,
        b"Error: '--max-age' is only for verbs that read; pause changes something.\n",
    )


def test_other_verbs_that_look_take_it(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(monkeypatch, "info", lambda _call: Result({"host": "h", "hypervisor": "QEMU"}))

    assert json.loads(aged.run(b"info", b"--max-age=5", b"--json").outputs[1])["as_of"]


class Large(Aged):
    """A host of many domains."""

    def _read(self, _held: Mapping[str, dict[str, Any]]) -> Read[dict[str, Any], list[dict[str, Any]]]:
        rows = [
            DOMAIN | {"name": f"vm{number:04}", "uuid": f"{number:08x}{DOMAIN['uuid'][8:]}"} for number in range(500)
        ]
        return Read({each["uuid"]: each for each in rows}, rows)


@pytest.mark.parametrize("words", [(), (b"--state=running",), (b"--json",), (b"vm0001",) * 100])
def test_what_takes_its_time_to_be_written_is_written_by_a_worker(
    tmp_path: Path, asked: list[str], words: tuple[bytes, ...]
) -> None:
    Large(tmp_path).run(*LIST, *words)

    assert asked == ["list"]


def test_the_whole_that_has_been_written_once_is_there_for_the_next(tmp_path: Path, asked: list[str]) -> None:
    large = Large(tmp_path)
    shown = large.model.domains.shown(60.0)
    assert shown is not None
    shown.memo["text"] = b"as it was written\n"

    assert large.run(*LIST).outputs[1] == b"as it was written\n"
    assert asked == []
    large.run(*LIST, b"--json")
    assert asked == ["list"]


def test_of_few_domains_those_that_are_named_are_answered_at_once(aged: Aged, asked: list[str]) -> None:
    assert names(aged.run(*LIST, b"vm2")) == ["vm2"]
    aged.run(*LIST, *(b"vm2",) * 65)

    assert asked == ["list"]
