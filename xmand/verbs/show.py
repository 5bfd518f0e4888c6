"""Verbs that look: list, describe, info, dmesg. They use libvirt's read-only access, on Xen its own tool
as well."""

import contextlib
import socket
from typing import Any

import xman
from xman import times, verbs
from xman.errors import NoSuchDomainError, RefusedError, UsageError, XmanError
from xman.result import Result
from xmand import xl
from xmand.call import Call
from xmand.virt import host
from xmand.virt.domain import find
from xmand.virt.driver import XEN, Connection
from xmand.virt.listing import details, list_domains, list_one, power_state, suspended


def list(call: Call) -> Result:
    """All domains sorted by name, those in one state, or those named, in the order given."""
    words = call.parsed.words("DOMAIN")
    long = call.parsed.flag("long")
    state = str(call.parsed.options.get("state", verbs.POWER_STATES[-1]))
    if words and call.parsed.flag("state"):
        raise UsageError("You may specify either a state or a particular VM, but not both")
    if state not in verbs.POWER_STATES:
        raise UsageError(f"'{state}' is not a state; give one of {', '.join(verbs.POWER_STATES)}.")
    connection = call.reader
    if words:
        found = [find(connection, word) for word in words]
        domains = [list_one(domain.raw) | (details(domain.raw) if long else {}) for domain in found]
    else:
        domains = [domain for domain in list_domains(connection, call.more_readers) if call.shown(domain["uuid"])]
        if state != "all":
            saved = suspended(connection) if state in ("halted", "suspended") else set()
            domains = [domain for domain in domains if power_state(domain, saved) == state]
        if long:
            domains = [domain | more for domain in domains if (more := _details(connection, domain["uuid"]))]
    domains = [domain | _since(call, domain) for domain in domains]
    return Result({"domains": domains} | ({"long": True} if long else {}))


def _since(call: Call, domain: dict[str, Any]) -> dict[str, str]:
    """Return when its state began, where that was seen."""
    at = call.host.events.since(domain["uuid"], domain["state"])
    return {} if at is None else {"since": times.utc(at)}


def _details(connection: Connection, uuid: str) -> dict[str, Any]:
    """Return what `--long` adds; empty for a domain that has vanished since the list was made."""
    with contextlib.suppress(NoSuchDomainError):
        return details(find(connection, uuid).raw)
    return {}


def describe(call: Call) -> Result:
    """libvirt's XML, of what runs or of what is kept. Raises RefusedError where nothing is kept."""
    domain = call.domain()
    inactive = call.parsed.flag("inactive")
    if inactive and not domain.persistent():
        raise RefusedError(f"Domain '{domain.name}' is transient: no description of it is kept.")
    return Result({"xml": domain.description(inactive=inactive)}, domain=domain.name)


def info(call: Call) -> Result:
    """The host in the terms of `xm info`; what Xen alone can tell is left out, and said, where it cannot be asked."""
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
    hypervisor = host.versions(call.reader)["hypervisor"]
    if hypervisor == XEN:
        source, lines = f"Xen message buffer of {socket.gethostname()}", xl.dmesg(clear=clear)
    else:
        source = f"xmand message ring on {socket.gethostname()} (driver {hypervisor})"
        lines = call.host.ring.lines(clear)
    return Result({"source": source, "lines": lines}, changed=clear)
