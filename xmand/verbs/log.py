"""log: who changed what, from the journal; in pages, each made when the one before has been sent."""

import time
from collections.abc import Iterator
from typing import Any

from xman import outcome, times
from xman.errors import HypervisorError, UsageError
from xman.render import log as shown
from xman.result import Pages, Result
from xmand.journal import JournalError
from xmand.journal.entries import Entry, Survey
from xmand.verbs.call import Call
from xmand.verbs.row import Row

# What a program gets, which holds an answer whole and takes no more (`xman.received`); octets of the journal's words.
MOST = 100_000
MOST_OCTETS = 24 << 20
# A change that is under way, or that nobody has settled yet.
RUNNING = "running"


def log(call: Call) -> Result:
    """The changes, oldest first: all that are kept, or those of a domain, of a principal, since a time, the last ones.

    A person gets all of them, however many they are.
    """
    options = call.parsed.options
    since = 0.0
    if "since" in options:
        try:
            since = times.since(str(options["since"]), time.time())
        except ValueError as error:
            raise UsageError(f"--since: {error}.") from error
    principal, domain = str(options.get("principal", "")), call.parsed.text("DOMAIN")
    lines = int(str(options["lines"])) if "lines" in options else None
    bounds = (min(lines or MOST, MOST), MOST_OCTETS) if call.as_json else (lines, None)
    try:
        found = call.host.journal.survey(since, principal, domain, *bounds, reader=call.principal)
    except JournalError as error:
        raise HypervisorError(f"The journal cannot be read: {error}.") from error
    notes: tuple[str, ...] = ()
    if found.more and found.count != lines:
        notes += (f"There are more; the last {found.count} are shown.",)
    notes += tuple(filter(None, [call.host.journal.news()]))
    if not call.access.audits():
        hidden = "The reasons of others are hidden; to see them, you need the family audit."
        notes += (hidden,) if found.reasons else ()
    columns = shown.Columns((0, found.widths[0], 0, found.widths[1]))
    return Result({"entries": []}, notes=notes, pages=Pages("entries", _pages(call, found), columns.text))


def _pages(call: Call, found: Survey) -> Iterator[list[dict[str, Any]]]:
    try:
        for page in call.host.journal.pages(found):
            yield [_entry(entry, call) for entry in page]
    except JournalError as error:
        raise HypervisorError(f"The journal cannot be read: {error}.") from error


def _entry(entry: Entry, call: Call) -> dict[str, Any]:
    change, how = entry.change, entry.answer
    told: dict[str, Any] = {
        "at": times.utc(entry.begun),
        "principal": change.principal,
        "peer": change.peer,
        "verb": change.verb,
        "domain": change.domain,
        "rid": change.rid,
        "class": RUNNING if how is None else outcome.class_name(how.code),
    }
    told |= {"uuid": entry.uuid} if entry.uuid else {}
    if change.reason and (change.principal == call.principal or call.access.audits()):
        told["reason"] = change.reason
    if how is not None:
        told |= {"code": how.code, "recovered": entry.recovered}
        # Of a change that was settled after a crash nobody knows how long it took.
        told |= {} if entry.recovered else {"ms": how.ms}
        told |= {"message": how.detail} if how.detail else {}
        told |= {"changed": how.done.changed} if how.done is not None else {}
    return told


ROWS = {"log": Row(log)}
