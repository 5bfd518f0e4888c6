"""Verbs that look: list, describe, info, dmesg. They use libvirt's read-only access, on Xen its own tool
as well."""

import contextlib
import functools
import socket
import time
from typing import Any

import xman
from xman import labels, times
from xman.errors import DeniedError, MetadataError, NoSuchDomainError, RefusedError, UsageError, XmanError
from xman.result import Result
from xman.verbs.words import GONE, POWER_STATES, WAIT_STATES
from xmand.batch import facts
from xmand.broker.arrivals import REASON
from xmand.consoles.present import SCREEN
from xmand.events import waiting
from xmand.events.table import Waits, look
from xmand.system import xl
from xmand.verbs import changes, kept
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt import connection_pool, consoles, host, metadata, runs, screens
from xmand.virt.binding import RawConnection
from xmand.virt.domain import find
from xmand.virt.driver import XEN
from xmand.virt.errors import reading
from xmand.virt.events import Event
from xmand.virt.host import host_stats
from xmand.virt.listing import Known, details, list_domains, list_one, power_state, suspended
from xmand.virt.stats import domain_stats


def list_(call: Call) -> Result:
    """All domains sorted by name, those in one state, or those named, in the order given."""
    words = call.parsed.words("DOMAIN")
    long = call.parsed.flag("long")
    state = str(call.parsed.options.get("state", POWER_STATES[-1]))
    if words and call.parsed.flag("state"):
        raise UsageError("You may specify either a state or a particular VM, but not both")
    if state not in POWER_STATES:
        raise UsageError(f"'{state}' is not a state; give one of {', '.join(POWER_STATES)}.")
    if call.parsed.follows:
        return changes.follow(call, kept.LISTED, NoSuchDomainError)
    if call.from_model:
        done = kept.listed(call.host.model.domains.read(call.parsed.max_age, call.deadline), call.parsed)
        if done is not None:
            return done
    connection = call.reader
    looked_for = labels.wanted(str(call.parsed.options["label"])) if call.parsed.flag("label") else None
    known = functools.partial(_past_us, call)
    if words:
        found = [find(connection, word) for word in words]
        domains = [list_one(domain.raw) | (details(domain.raw, known) if long else {}) for domain in found]
    else:
        domains = [domain for domain in list_domains(connection, call.more_readers) if call.shown(domain["uuid"])]
        if state != "all":
            saved = suspended(connection) if state in ("halted", "suspended") else set()
            domains = [domain for domain in domains if power_state(domain, saved) == state]
        if long:
            domains = [domain | more for domain in domains if (more := _details(connection, domain["uuid"], known))]
    notes: list[str] = []
    if long or looked_for is not None:
        domains = [domain | _kept(connection, domain, notes) for domain in domains]
    if long:
        domains = [domain | _viewers(call, domain) | _arrived(call, domain) for domain in domains]
    if looked_for is not None:
        domains = [domain for domain in domains if labels.fits(domain.get("labels", {}), looked_for)]
    domains = call.host.events.with_since(domains)
    if not long:
        return Result({"domains": domains}, notes=tuple(notes))
    domains, more_notes = runs.with_disk_errors(domains, call.ask)
    return Result({"domains": domains, "long": True}, notes=(*notes, *more_notes))


def _arrived(call: Call, domain: dict[str, Any]) -> dict[str, Any]:
    """Say of a copy that waits for the word of its source that it does."""
    found = call.host.arrivals.unconfirmed(domain["uuid"], domain.get("id"), domain["state"])
    return {} if found is None else {"reason": REASON}


def _kept(connection: RawConnection, domain: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return a domain's labels, terminal and launch, where it has any; that they cannot be read is said in `notes`."""
    try:
        found = metadata.read(find(connection, domain["uuid"]))
    except MetadataError as error:
        notes.append(str(error))
    except NoSuchDomainError:  # gone since the list was made
        pass
    else:
        return facts.kept(found)
    return {}


def _viewers(call: Call, domain: dict[str, Any]) -> dict[str, Any]:
    """Return who is at a domain's console or screen through this xmand, and who is logged on in its guest."""
    found = call.host.present.of(domain["uuid"])
    users = call.host.logged_on.of(domain["uuid"]) if call.host.logged_on is not None else {}
    return ({"viewers": found} if found else {}) | users


def _past_us(call: Call, uuid: str, description: str) -> dict[str, Any]:
    """Return what is known of those who are at the screens and consoles of a domain that runs past this xmand."""
    found: dict[str, Any] = {}
    if screens.screens(description):
        ours = sum(one["kind"] == SCREEN for one in call.host.present.of(uuid))
        count = call.host.past_us.count(uuid, ours)
        found |= {} if count is None else {"graphics": count}
    hubs = call.host.consoles
    held = [name for name in consoles.held(description) if hubs is None or hubs.at(uuid, name) is None]
    return found | ({"held_consoles": held} if held else {})


def _details(connection: RawConnection, uuid: str, known: Known) -> dict[str, Any]:
    """Return what `--long` adds; empty for a domain that has vanished since the list was made."""
    with contextlib.suppress(NoSuchDomainError):
        return details(find(connection, uuid).raw, known)
    return {}


def describe(call: Call) -> Result:
    """libvirt's XML, of what runs or of what is kept. Raises RefusedError where nothing is kept."""
    domain = call.domain()
    inactive = call.parsed.flag("inactive")
    if inactive and not domain.persistent():
        raise RefusedError(f"Domain '{domain.name}' is transient: no description of it is kept.")
    return Result({"xml": domain.description(inactive=inactive)}, domain=domain.name)


def info(call: Call) -> Result:
    """The host in the terms of `xm info`; what Xen alone can tell is left out, and said, where it cannot be asked.

    With `--config`, how xmand is configured there: where it keeps what, and whom it asks.
    """
    if call.parsed.flag("config"):
        return Result({"config": call.host.settings.told()})
    data = host.info(call.reader) | {"host_id": socket.gethostname(), "xmand_version": xman.__version__}
    if data["hypervisor"] != XEN:
        return Result(data)
    try:
        return Result(data | xl.info())
    except XmanError as error:
        return Result(data, notes=(str(error),))


def dmesg(call: Call) -> Result:
    """Xen's message buffer; no other hypervisor has one that can be read, so that there it is ours. The first line says
    which."""
    clear = call.parsed.flag("clear")
    if clear and not call.access.audits():
        raise DeniedError("You are not authorized to clear the message buffer here; it requires the family audit.")
    hypervisor = host.versions(call.reader)["hypervisor"]
    if hypervisor == XEN:
        source, lines = f"Xen message buffer of {socket.gethostname()}", xl.dmesg(clear=clear)
    else:
        source = f"xmand message ring on {socket.gethostname()} (driver {hypervisor})"
        lines = call.host.ring.lines(clear)
    return Result({"source": source, "lines": lines}, changed=clear)


def stats(call: Call) -> Result:
    """What all domains use, sorted by name, or those named, in the order given; with `--host`, the host instead."""
    words = call.parsed.words("DOMAIN")
    if call.parsed.flag("host"):
        if words:
            raise UsageError("--host is about the whole host; do not name a domain with it.")
        if call.access.restricted:
            raise DeniedError("You may look at your own domains only, not at the host.")
        return Result({"host": host_stats(call.reader)})
    connection = call.reader
    if not words:
        shown = [domain for domain in domain_stats(connection, ask=call.ask) if call.shown(domain["uuid"])]
        return _measured([domain | _run(connection, domain) for domain in shown])
    asked = {domain.uuid: domain for domain in (find(connection, word) for word in words)}
    raws = [domain.raw for domain in asked.values()]
    found = {figures["uuid"]: figures for figures in domain_stats(connection, raws, call.ask)}
    for uuid, domain in asked.items():
        if uuid not in found:  # gone while it was measured
            raise NoSuchDomainError(domain.name)
    return _measured([found[uuid] | _run(connection, found[uuid]) for uuid in asked])


def _measured(domains: list[dict[str, Any]]) -> Result:
    silent = [domain["name"] for domain in domains if domain.get("unanswered")]
    notes = [f"The guest of '{name}' does not answer; what only it knows is left out." for name in silent]
    return Result({"domains": domains}, notes=tuple(notes))


def _run(connection: RawConnection, domain: dict[str, Any]) -> dict[str, Any]:
    """Return since when it runs, where that is known."""
    run: dict[str, Any] = {}
    if domain["id"] is not None:
        with contextlib.suppress(XmanError):
            with reading():
                raw = connection.lookupByUUIDString(domain["uuid"])
            run = runs.since(raw)
    return {key: run[key] for key in ("started", "uptime_seconds") if key in run}


def wait(call: Call) -> Result | Waits:
    """Return when the domain is in the state asked for.

    Raises WaitTimeoutError; NoSuchDomainError also where it vanishes while another state is waited for.
    """
    wanted = str(call.parsed.options.get("for", ""))
    if wanted not in WAIT_STATES:
        raise UsageError(f"wait requires --for with one of {', '.join(WAIT_STATES)}.")
    began = time.monotonic()
    name = uuid = call.parsed.text("DOMAIN")
    most = call.parsed.max_age if call.from_model else 0.0
    known = kept.domain(call.host.model, name, most) if most else None
    try:
        # What is waited for is this domain, not the next one of its name.
        if known is not None:
            name, uuid = known["name"], known["uuid"]
        else:
            domain = call.domain()
            name, uuid = domain.name, domain.uuid
    except NoSuchDomainError:
        # What was never there is not off: the name is likely to be a slip.
        if wanted != GONE:
            raise
    goal = waiting.UntilState(name, uuid, wanted, began, most)
    seen = call.host.model.seen(uuid, most) if most else look(call.host.driver, uuid)
    found = goal.reached(seen, [], time.monotonic())
    if found is not None:
        return found
    with call.host.events.table.enter(call.whose) as entry:
        call.host.events.table.watch(entry, goal)
    return Waits(entry, call.deadline)


# How soon a follower that is to end does.
_LOOK_SECONDS = 1.0


def events(call: Call) -> Result:
    """Return what is remembered, oldest first; with `--follow`, hand over each event as it comes, until `-t`."""
    wanted = _Wanted(call)
    if not call.parsed.follows:
        return Result({"events": [_facts(event) for event in call.host.events.recent() if wanted.has(event)]})
    with call.host.events.subscribe() as subscription:
        while (left := call.deadline - time.monotonic()) > 0:
            call.emit(None)
            connection_pool.rest()
            for event in subscription.take(min(_LOOK_SECONDS, left)):
                if wanted.has(event):
                    call.emit(Result({"events": [_facts(event)]}, domain=event.domain or None))
    return Result()


class _Wanted:
    """Which events were asked for."""

    def __init__(self, call: Call) -> None:
        """Look up the domains. Raises NoSuchDomainError, but for one of which something is remembered."""
        remembered = {event.domain for event in call.host.events.recent()}
        self._uuids: set[str] = set()
        self._names: set[str] = set()
        words = call.parsed.words("DOMAIN")
        for word in words:
            try:
                self._uuids.add(find(call.reader, word).uuid)
            except NoSuchDomainError:
                if word not in remembered:
                    raise
                self._names.add(word)
        self._all = not words

    def has(self, event: Event) -> bool:
        """Whether it is one of them; what is about libvirt itself always is."""
        return self._all or not event.uuid or event.uuid in self._uuids or event.domain in self._names


def _facts(event: Event) -> dict[str, str]:
    facts = {"at": times.utc(event.at), "event": event.name, "detail": event.detail}
    return facts | ({"domain": event.domain, "uuid": event.uuid} if event.uuid else {})


ROWS = {
    "list": Row(list_, kept=kept.LISTED),
    "describe": Row(describe),
    "stats": Row(stats),
    "wait": Row(wait),
    "events": Row(events),
    "info": Row(info),
    "dmesg": Row(dmesg),
}
