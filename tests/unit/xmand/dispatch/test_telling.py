"""A reply in pages (`xmand.dispatch.telling`): one answer together, made as it is read, and ended truly."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rxm.output import envelope
from rxm.remote.command import Reply
from rxm.targets import Target
from xman import outcome, verbs
from xman.errors import HypervisorError
from xman.render import log
from xman.result import Pages, Result
from xman.wire import constants as wire
from xmand.answer import Answer
from xmand.dispatch import telling
from xmand.request import Peer, Request

ENTRY = {
    "at": "2026-11-21T10:00:00Z", "principal": "a@R", "peer": "192.0.2.1:1", "verb": "pause", "domain": "vm1",
    "rid": "0" * 32, "class": "ok", "code": 0, "recovered": False, "ms": 1,
}  # fmt: skip


class Client:
    """Takes what is sent; `left` goes after so many parts."""

    def __init__(self, most: int = 1000) -> None:
        self.parts: list[bytes] = []
        self.errors: list[int] = []
        self._most = most

    async def send_long(self, data: bytes) -> None:
        if len(self.parts) == self._most:
            raise ConnectionResetError
        self.parts.append(data)

    def send_output(self, _stream: int, data: bytes) -> None:
        self.parts.append(data)

    def send_status(self, status: int) -> None: ...

    def send_error(self, code: int) -> None:
        self.errors.append(code)


def rows(count: int, then: Exception | None = None) -> Iterator[list[dict[str, Any]]]:
    for number in range(count):
        yield [ENTRY | {"domain": f"vm{number}"}]
    if then is not None:
        raise then


def told(words: list[bytes], pages: Iterator[list[dict[str, Any]]], client: Client, *, may: bool = True) -> Answer:
    """Send pages; return how that ended."""

    async def allowed() -> bool:
        return may

    async def in_worker(make: Callable[[], bytes | None]) -> bytes | None:
        return await asyncio.to_thread(make)

    async def all_of_it() -> Answer:
        done = Result({"entries": []}, notes=("a note",), pages=Pages("entries", pages, log.Columns(()).text))
        request = Request(Peer("192.0.2.1:1"), verbs.BY_NAME["log"], words)
        request.parse()
        how = await telling.pages(Answer(0, 3, done=done), request, client, in_worker, allowed, 3600)
        return await telling.tell(request, how, client)

    return asyncio.run(all_of_it())


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pages_together_are_one_result(count: int) -> None:
    client = Client()

    how = told([b"--json"], rows(count), client)

    whole = json.loads(b"".join(client.parts))
    assert (how.code, whole["ok"], whole["notes"], whole["ms"]) == (0, True, ["a note"], 3)
    assert [entry["domain"] for entry in whole["result"]["entries"]] == [f"vm{number}" for number in range(count)]


@pytest.mark.parametrize("count", [0, 3])
def test_and_one_text(count: int) -> None:
    client = Client()

    told([], rows(count), client)

    header, *lines = b"".join(client.parts).decode().splitlines()
    assert header.split()[0] == "Time"
    assert [line.split()[4] for line in lines[:-1]] == [f"vm{number}" for number in range(count)]
    assert lines[-1] == "a note"


def test_no_page_is_made_before_the_one_before_is_sent() -> None:
    made: list[int] = []

    def counted() -> Iterator[list[dict[str, Any]]]:
        for number, page in enumerate(rows(10)):
            made.append(number)
            yield page

    how = told([], counted(), Client(most=2))

    assert (how.code, made) == (0, [0, 1, 2])


def test_a_failure_in_the_middle_is_the_end_and_rxm_says_so() -> None:
    client = Client()

    how = told([b"--json"], rows(2, HypervisorError("The journal cannot be read.")), client)

    reply = Reply()
    reply.stdout, reply.status = b"".join(client.parts), how.code
    found = envelope.of_reply(reply, "log", Target("h", ""), "a@R")
    assert (found["ok"], found["class"], found["message"]) == (False, "hypervisor", "The journal cannot be read.")


def test_a_page_that_cannot_be_shown_is_a_fault_of_ours_and_told_as_such(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()

    how = told([], rows(2, KeyError("at")), client)

    assert (how.code, client.errors) == (outcome.INTERNAL, [wire.ERROR_INTERNAL])
    assert "KeyError: 'at'" in caplog.text


def test_who_may_not_any_more_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "JUDGE_SECONDS", 0.0)
    client = Client()

    how = told([], rows(5), client, may=False)

    assert (how.code, [part for part in client.parts if b"vm" in part]) == (outcome.DENIED, [])
