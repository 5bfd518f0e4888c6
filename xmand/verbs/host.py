"""Verbs about the service itself: help, ping, version."""

import socket
import threading
import time
from typing import Any

import xman
from xman import outcome, times, verbs
from xman.errors import HypervisorError, RefusedError, UsageError
from xman.result import Result
from xman.wire.constants import HIGHEST_VERSION
from xmand import health
from xmand.journal import Entry, JournalError
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt import host


def help_(call: Call) -> Result:
    """The verbs that the caller may use, or one of them in full."""
    wanted = call.parsed.text("VERB")
    if not wanted:
        mine = [verb for verb in verbs.VERBS if verb.name in call.access.verbs]
        return Result({"verbs": [{"name": v.name, "help": v.help, "family": v.family} for v in mine]})
    try:
        name, _warning = verbs.resolve(wanted)
    except LookupError as error:
        raise UsageError(str(error)) from error
    return Result(verbs.BY_NAME[name].facts())


def ping(call: Call) -> Result:
    """Whether the daemon serves at all: no call to libvirt is made."""
    data: dict[str, Any] = {
        "host_id": socket.gethostname(),
        "xmand_version": xman.__version__,
        "principal": call.principal,
        "verbs": [verb.name for verb in verbs.VERBS if verb.name in call.access.verbs],
    }
    return Result(data | health.list_facts(call.access.listed) | health.keys(call.host.settings))


def hosts(call: Call) -> Result:
    """How this host is; an answer also where libvirt gives none."""
    host = call.host
    return Result({"host": health.facts(host.driver, host.settings, host.batch.maintenance, call.access.listed)})


def version(call: Call) -> Result:
    """The versions of all that takes part, the list's too; what cannot be reached is left out."""
    found: dict[str, Any] = {"xmand_version": xman.__version__, "protocol": str(HIGHEST_VERSION)}
    if call.access.listed is not None:
        found["list_hash"] = call.access.listed.sha256
    found["audit_lost"] = call.host.audit_lost()
    try:
        found |= host.versions(call.reader)
    except HypervisorError as error:
        return Result(found, notes=(str(error),))
    return Result(found)


# More is no answer for a person, and programs can ask for a shorter time.
MOST = 10_000
# Of the journal; what is made of them is about twice as much.
MOST_OCTETS = 4 << 20
# So many are read at a time, whoever asks.
_READING = threading.BoundedSemaphore(2)
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
    # What is read takes several times its octets until it is text.
    if not _READING.acquire(timeout=max(0.0, call.deadline - time.monotonic())):
        raise RefusedError("This host is busy: others read its journal. Try again in a moment.")
    try:
        found, more = call.host.journal.last(since, principal, domain, MOST, MOST_OCTETS)
        entries = [_entry(entry) for entry in found]
    except JournalError as error:
        raise HypervisorError(f"The journal cannot be read: {error}.") from error
    finally:
        _READING.release()
    notes: tuple[str, ...] = (f"There are more; the last {len(found)} are shown.",) if more else ()
    notes += tuple(filter(None, [call.host.journal.news()]))
    if not call.access.audits():
        hidden = [entry for entry in entries if "reason" in entry and entry["principal"] != call.principal]
        for entry in hidden:
            del entry["reason"]
        notes += ("Reasons of others are not among what you may see here (the family audit).",) if hidden else ()
    return Result({"entries": entries}, notes=notes)


def _entry(entry: Entry) -> dict[str, Any]:
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
    told |= {"reason": change.reason} if change.reason else {}
    if how is not None:
        told |= {"code": how.code, "recovered": entry.recovered}
        # Of a change that was settled after a crash nobody knows how long it took.
        told |= {} if entry.recovered else {"ms": how.ms}
        told |= {"message": how.detail} if how.detail else {}
        told |= {"changed": how.done.changed} if how.done is not None else {}
    return told


ROWS = {
    "help": Row(help_),
    "ping": Row(ping),
    "hosts": Row(hosts),
    "version": Row(version),
    "log": Row(log),
}
