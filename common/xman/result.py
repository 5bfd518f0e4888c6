"""The structured result of a command: one JSON object per target (DESIGN, "Results"; `result.schema.json`).

Numbers are octets, seconds and UTC timestamps (RFC 3339). Fields are added in later releases, never renamed or removed.
"""

import time

from xman import lean_json, outcome, times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

SCHEMA_VERSION = 1


class Pages:
    """Rows of a result that are made while they are sent: the list at `key` of its data, a page of it at a time.

    `text` returns what a person sees of a page; its second argument is whether it is the first one.
    """

    __slots__ = ("key", "rows", "text")

    def __init__(
        self,
        key: str,
        rows: "Iterator[list[dict[str, Any]]]",
        text: "Callable[[list[dict[str, Any]], bool], str]",
    ) -> None:
        self.key = key
        self.rows = rows
        self.text = text


class Result:
    """What a verb achieved: `data` by the verb's own keys, whether anything changed, and notes for a person.

    `as_of`: when it was so, in seconds since 1970, where its caller allowed it an age; `memo` is shared by results with
    the same data, for what is made of that; `pages` hold the rest of `data`, where that may be long; `recovered` says
    that it was found done after a crash, and that there are no data of it.
    """

    __slots__ = ("as_of", "changed", "data", "domain", "memo", "notes", "pages", "recovered")

    def __init__(
        self,
        data: "dict[str, Any] | None" = None,
        *,
        changed: bool = False,
        domain: str | None = None,
        notes: tuple[str, ...] = (),
        as_of: float | None = None,
        memo: "dict[str, bytes] | None" = None,
        pages: "Pages | None" = None,
        recovered: bool = False,
    ) -> None:
        self.data = data or {}
        self.changed = changed
        self.domain = domain
        self.notes = notes
        self.as_of = as_of
        self.memo = memo
        self.pages = pages
        self.recovered = recovered


def succeeded(host: str, verb: str, result: Result, ms: int) -> "dict[str, Any]":
    """Return the object of a success."""
    envelope = _begin(host, verb, result.domain)
    envelope |= {"ok": True, "changed": result.changed, "ms": ms, "result": result.data}
    if result.recovered:
        envelope["recovered"] = True
    if result.as_of is not None:
        envelope["as_of"] = times.utc(result.as_of)
    if result.notes:
        envelope["notes"] = list(result.notes)
    return envelope


def failed(host: str, verb: str, domain: str | None, code: int, message: str, reason: str = "") -> "dict[str, Any]":
    """Return the object of a failure, a local one as well as a host's; `reason` is a word for programs."""
    envelope = _begin(host, verb, domain)
    envelope |= {"ok": False, "class": outcome.class_name(code), "code": code, "message": message}
    return envelope | {"reason": reason} if reason else envelope


def dumps(envelope: "dict[str, Any]") -> str:
    """Return the object as one line, without a newline; what is not printable is in JSON's own escapes."""
    line = lean_json.dumps(envelope)
    if line.isprintable():
        return line
    from xman import escape

    return escape.json(line)


def schema() -> "dict[str, Any]":
    """Return the published JSON Schema of these objects."""
    # Not by importlib.resources, which costs an rxm that prints one object half as much as all else.
    with open(__file__.rpartition("/")[0] + "/result.schema.json", "rb") as file:  # noqa: PTH123  # pathlib is dear, too
        loaded: dict[str, Any] = lean_json.loads(file.read())
    return loaded


def now() -> str:
    """Return the time as RFC 3339 in UTC, to the second."""
    return times.utc(time.time())


def _begin(host: str, verb: str, domain: str | None) -> "dict[str, Any]":
    envelope: dict[str, Any] = {"xman": SCHEMA_VERSION, "host": host, "at": now(), "verb": verb}
    if domain is not None:
        envelope["domain"] = domain
    return envelope
