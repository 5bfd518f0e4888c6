"""How a command ended: what its caller is told, what a retry gets, and what the audit says of it."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xman import escape, outcome, render, result, times
from xman.result import Result
from xman.wire import constants as wire

# More than any message of libvirt's; the journal is no place for more.
_MOST_MESSAGE = 16_384


@dataclass(frozen=True)
class Answer:
    """An outcome: `done` of a success, `message` of a failure (without `Error: `); `ms` is how long it took."""

    code: int
    ms: int = 0
    message: str = ""
    done: Result | None = None

    @property
    def fault(self) -> bool:
        """Whether it is a fault of ours, which is told as a protocol ERROR."""
        return self.code == outcome.INTERNAL

    @property
    def detail(self) -> str:
        """What the audit says of it."""
        return " ".join(self.done.notes) if self.done is not None else self.message

    def output(self, verb: str, domain: str, *, as_json: bool) -> list[tuple[int, bytes]]:
        """Return what its caller is told, by stream."""
        if self.done is not None:
            # Pages have been sent by whoever made them.
            paged = self.done.pages is not None
            stdout = [] if paged else [(wire.STDOUT, part(verb, self.done, self.ms, as_json=as_json))]
            notes = () if as_json else (*self.done.notes, *_age(self.done))
            return [*stdout, (wire.STDERR, "".join(f"{escape.line(note)}\n" for note in notes).encode())]
        if as_json:
            failed = result.failed(socket.gethostname(), verb, domain or None, self.code, self.message)
            return [(wire.STDOUT, f"{result.dumps(failed)}\n".encode())]
        return [(wire.STDERR, f"Error: {escape.line(self.message)}\n".encode())]

    def dumps(self) -> str:
        """Return it as JSON, for `loads`."""
        kept: dict[str, Any] = {"code": self.code, "ms": self.ms, "message": self.message[:_MOST_MESSAGE]}
        if self.done is not None:
            kept["done"] = {
                "data": self.done.data,
                "changed": self.done.changed,
                "domain": self.done.domain,
                "notes": list(self.done.notes),
            }
            if self.done.recovered:
                kept["done"]["recovered"] = True
        return json.dumps(kept, separators=(",", ":"))


def part(verb: str, done: Result, ms: int, *, as_json: bool) -> bytes:
    """Return what a success says on standard output, without its notes; all of it, or one of its parts."""
    memo = {} if done.memo is None else done.memo
    if as_json:
        envelope = result.succeeded(socket.gethostname(), verb, done, ms)
        data = envelope.pop("result")
        if "json" not in memo:
            memo["json"] = result.dumps(data).encode()
        return b'%s,"result":%s}\n' % (result.dumps(envelope)[:-1].encode(), memo["json"])
    if "text" not in memo:
        memo["text"] = render.octets(verb, done.data)
    return memo["text"]


def pages(verb: str, done: Result, ms: int, *, as_json: bool) -> Iterator[bytes]:
    """Make the same a page at a time of a result that comes in pages: together it is one answer like any other."""
    found = done.pages
    assert found is not None  # noqa: S101  # it has been asked
    if not as_json:
        first = True
        for rows in found.rows:
            yield found.text(rows, first).encode()
            first = False
        if first:
            yield found.text([], True).encode()
        return
    head, tail = result.dumps({found.key: []})[:-2].encode(), b"]}}\n"
    envelope = part(verb, Result({}, domain=done.domain, notes=done.notes, as_of=done.as_of), ms, as_json=True)
    before = envelope.removesuffix(b"{}}\n") + head
    for rows in found.rows:
        yield before + b",".join(result.dumps(row).encode() for row in rows)
        before = b","
    yield tail if before == b"," else before + tail


def prepare(verb: str, done: Result, *, as_json: bool) -> None:
    """Make what `part` returns, which takes its time where it is much, so that the event loop only has to send it.

    What it is made of is dropped, but where others are shown it too. A result that cannot be shown stays as it is: who
    replies says so.
    """
    alone = done.memo is None
    if alone:
        done.memo = {}
    try:
        part(verb, done, 0, as_json=as_json)
    except Exception:  # the same comes again, where it is caught
        done.memo = None if alone else done.memo
        return
    if alone:
        done.data = {}


def _age(done: Result) -> tuple[str, ...]:
    """Say how old a result is, where that is a second or more."""
    seconds = 0 if done.as_of is None else int(time.time() - done.as_of)
    return (f"As of {times.local(times.utc(done.as_of or 0))}, {seconds} s ago.",) if seconds > 0 else ()


def loads(text: str) -> Answer:
    """Return the answer that `Answer.dumps` wrote, of this release or another. Raises ValueError."""
    try:
        kept = json.loads(text)
        done = kept.get("done")
        if done is not None:
            done = Result(
                done["data"],
                changed=done["changed"],
                domain=done["domain"],
                notes=tuple(done["notes"]),
                recovered=bool(done.get("recovered")),
            )
        return Answer(int(kept["code"]), int(kept["ms"]), str(kept["message"]), done)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an answer: {error}") from error
