"""Verbs about the service itself: help, ping, version."""

import socket
from typing import Any

import xman
from xman import verbs
from xman.errors import HypervisorError, UsageError
from xman.result import Result
from xman.wire.constants import HIGHEST_VERSION
from xmand.model import health
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


ROWS = {
    "help": Row(help_),
    "ping": Row(ping),
    "hosts": Row(hosts),
    "version": Row(version),
}
