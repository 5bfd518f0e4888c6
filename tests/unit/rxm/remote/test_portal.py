"""What a portal tells of hosts: a server that lies, drips or is somebody else costs the answer, and nothing more."""

import json
from email.message import Message
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from rxm.remote import portal
from rxm.remote.deadline import Deadline
from rxm.remote.portal import Known, Told

CONDITION = {"name": "h1", "state": "up", "xmand_version": "0.2", "at": "2026-11-21T10:00:00Z", "load": [0.5, 0, 0]}


def row(**changes: Any) -> dict[str, Any]:
    """Return a host as the portal tells of it."""
    return {"name": "h1", "freshness": "fresh", "age": 2.5, "condition": CONDITION} | changes


def read(*rows: object, more: object = False) -> tuple[dict[str, Told], bool]:
    """Read an answer with these hosts."""
    return portal._read(json.dumps({"hosts": rows, "more": more}).encode())


def test_what_is_told_is_kept() -> None:
    assert read(row(), row(name="h2", freshness="stale"), more=True) == (
        {"h1": Told(2.5, CONDITION, True), "h2": Told(2.5, CONDITION, False)},
        True,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"condition": {}},
        {"condition": CONDITION | {"load": "high"}},
        {"condition": CONDITION | {"state": 5}},
        {"condition": [1]},
        {"age": None},
        {"age": -1},
        {"age": float("inf")},
        {"age": float("nan")},
        {"age": 1e300},
        {"age": 10**400},
        {"age": "2"},
    ],
)
def test_of_whom_nothing_can_be_believed_is_asked(changes: dict[str, Any]) -> None:
    found, _more = read(row(**changes))

    assert not found["h1"].fresh


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"hosts": 3, "more": false}', b'{"hosts": [[]], "more": 1}', b"[" * 100_000]
)
def test_what_is_no_answer_is_said(body: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        portal._read(body)


class Endless:
    """A portal that always has more."""

    def __init__(self) -> None:
        self.queries: list[str] = []

    def get(self, query: str) -> bytes:
        """Answer with one more host."""
        self.queries.append(query)
        return json.dumps({"hosts": [row(name=f"h{len(self.queries):03}")], "more": True}).encode()


def test_a_portal_without_an_end_is_left() -> None:
    endless = Endless()

    found = portal._ask(endless)  # type: ignore[arg-type]

    assert len(found) == len(endless.queries) == 100
    assert endless.queries[:3] == ["", "?after=h001", "?after=h002"]


class Sorted:
    """A portal whose database sorts names as people do, capitals beside small letters."""

    names = ("alba", "Brno", "cheb", "Dubá")

    def __init__(self) -> None:
        self.queries: list[str] = []

    def get(self, query: str) -> bytes:
        """Answer with two hosts at a time."""
        self.queries.append(query)
        begin = self.names.index(unquote(query.partition("=")[2])) + 1 if query else 0
        rows = [row(name=name) for name in self.names[begin : begin + 2]]
        return json.dumps({"hosts": rows, "more": bool(rows)}).encode()


def test_the_next_answer_begins_behind_the_last_host_of_the_one_before() -> None:
    told = Sorted()

    assert [*portal._ask(told)] == [*Sorted.names]  # type: ignore[arg-type]
    assert told.queries == ["", "?after=Brno", "?after=Dub%C3%A1"]


def test_it_stands_for_the_hosts_own_answer() -> None:
    known = Known("H1", "hosts", Told(2.5, CONDITION, True), 1000.0)

    envelope = json.loads(known.run([b"hosts", b"--json"]).stdout)
    text = known.run([b"hosts"])

    assert (envelope["host"], envelope["result"]["host"]) == ("H1", CONDITION)
    assert envelope["as_of"] == "1970-01-01T00:16:37Z"
    assert (text.stdout.splitlines()[1].split()[:2], b"2 s ago" in text.stderr) == ([b"h1", b"up"], True)


class Context:
    """A security context that a token of the portal's completes."""

    complete = False

    def step(self, token: bytes | None) -> bytes | None:
        """Take the portal's token, or make our own."""
        self.complete = token == b"proof"
        return b"ticket" if token is None else None


class Answering:
    """A connection over which everything is answered with one header."""

    sock = None
    status = 200

    def __init__(self, header: str) -> None:
        self.headers = Message()
        self.headers["WWW-Authenticate"] = header
        self.headers["Set-Cookie"] = "session=1; Secure"
        self.sent: list[dict[str, str]] = []
        self._left = [b"told"]

    def request(self, _method: str, _path: str, headers: dict[str, str]) -> None:
        """Note what is sent."""
        self.sent.append(headers)
        self._left = [b"told"]

    def getresponse(self) -> "Answering":
        """Answer."""
        return self

    def read1(self, _most: int) -> bytes:
        """Return the body, and then its end."""
        return self._left.pop() if self._left else b""


def asked(header: str) -> tuple[portal._Portal, Answering]:
    """Return the question to a portal that answers with this header."""
    answering = Answering(header)
    identity: Any = SimpleNamespace(context=lambda _service, _host: Context())
    return portal._Portal(answering, "p", "", identity, Deadline(None)), answering  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["", "Basic cHJvb2Y=", "Negotiate", "Negotiate !", "Negotiate bm90aGluZw=="])
def test_who_does_not_prove_to_be_the_portal_tells_nothing(header: str) -> None:
    subject, _answering = asked(header)

    with pytest.raises(ValueError, match="does not prove that it is the portal"):
        subject.get("")


def test_the_ticket_is_shown_once() -> None:
    subject, answering = asked("Negotiate cHJvb2Y=")

    assert [subject.get(""), subject.get("?after=h")] == [b"told", b"told"]
    assert [sorted(headers) for headers in answering.sent] == [["Accept", "Authorization"], ["Accept", "Cookie"]]
    assert answering.sent[1]["Cookie"] == "session=1"
