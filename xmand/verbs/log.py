"""log: who changed what, when, why and with which outcome, from the journal."""

import time
from typing import Any

from xman import outcome, times
from xman.errors import HypervisorError, UsageError
from xman.result import Result
from xmand.call import Call
from xmand.journal import Entry, JournalError

# More is no answer for a person, and programs can ask for a shorter time.
MOST = 10_000
# A change that is under way, or that nobody has settled yet.
RUNNING = "running"


def log(call: Call) -> Result:
    """The changes, oldest first: all that are kept, or those of a domain, of a principal, since a time."""
    options = call.parsed.options
    since = 0.0
    if "since" in options:
        try:
            since = times.since(str(options["since"]), time.time())
        except ValueError as error:
            raise UsageError(f"--since: {error}.") from error
    principal, domain = str(options.get("principal", "")), call.parsed.text("DOMAIN")
    try:
        found = call.host.journal.read(since, principal, domain, MOST + 1)
    except JournalError as error:
        raise HypervisorError(f"The journal cannot be read: {error}.") from error
    notes = (f"There are more; the last {MOST} are shown.",) if len(found) > MOST else ()
    return Result({"entries": [_entry(entry) for entry in found[-MOST:]]}, notes=notes)


def _entry(entry: Entry) -> dict[str, Any]:
    change, how = entry.change, entry.answer
    told: dict[str, Any] = {
        "at": times.utc(entry.begun), "principal": change.principal, "peer": change.peer, "verb": change.verb,
        "domain": change.domain, "rid": change.rid, "class": RUNNING if how is None else outcome.class_name(how.code),
    }  # fmt: skip
    told |= {"uuid": entry.uuid} if entry.uuid else {}
    told |= {"reason": change.reason} if change.reason else {}
    if how is not None:
        told |= {"code": how.code, "recovered": entry.recovered}
        # Of a change that was settled after a crash nobody knows how long it took.
        told |= {} if entry.recovered else {"ms": how.ms}
        told |= {"message": how.detail} if how.detail else {}
        told |= {"changed": how.done.changed} if how.done is not None else {}
    return told
