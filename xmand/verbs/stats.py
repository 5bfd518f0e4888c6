"""Verbs that measure: stats. They use libvirt's read-only access."""

import contextlib
from typing import Any

from xman.errors import DeniedError, NoSuchDomainError, UsageError
from xman.result import Result
from xmand.call import Call
from xmand.virt import runs
from xmand.virt.domain import find
from xmand.virt.driver import Connection
from xmand.virt.hoststats import host_stats
from xmand.virt.stats import domain_stats


def stats(call: Call) -> Result:
    """What all domains use, sorted by name, or those named, in the order given; with `--host`, the host instead."""
    words = call.parsed.words("DOMAIN")
    if call.parsed.flag("host"):
        if words:
            raise UsageError("--host is about the host as a whole; name no domain with it.")
        if call.access.restricted:
            raise DeniedError("You may look at your own domains only, not at the host.")
        return Result({"host": host_stats(call.reader)})
    connection = call.reader
    if not words:
        shown = [domain for domain in domain_stats(connection) if call.shown(domain["uuid"])]
        return Result({"domains": [domain | _run(connection, domain) for domain in shown]})
    asked = {domain.uuid: domain for domain in (find(connection, word) for word in words)}
    found = {figures["uuid"]: figures for figures in domain_stats(connection, [d.raw for d in asked.values()])}
    for uuid, domain in asked.items():
        if uuid not in found:  # gone while it was measured
            raise NoSuchDomainError(domain.name)
    return Result({"domains": [found[uuid] | _run(connection, found[uuid]) for uuid in asked]})


def _run(connection: Connection, domain: dict[str, Any]) -> dict[str, Any]:
    """Return since when it runs, where that is known."""
    run: dict[str, Any] = {}
    if domain["id"] is not None:
        with contextlib.suppress(NoSuchDomainError):
            run = runs.facts(find(connection, domain["uuid"]).raw)
    return {key: run[key] for key in ("started", "uptime_seconds") if key in run}
