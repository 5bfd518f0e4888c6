"""Verbs about the service itself: help, ping, version."""

import socket
import time

import xman
from xman import verbs
from xman.errors import HypervisorError, UsageError
from xman.result import Result
from xman.wire.constants import HIGHEST_VERSION
from xmand.call import Call
from xmand.virt import host


def help(call: Call) -> Result:
    """The verbs that the caller may use, or one of them in full."""
    wanted = call.parsed.text("VERB")
    if not wanted:
        return Result({"verbs": [{"name": v.name, "help": v.help, "family": v.family} for v in verbs.VERBS]})
    try:
        name, _warning = verbs.resolve(wanted)
    except LookupError as error:
        raise UsageError(str(error)) from error
    return Result(verbs.BY_NAME[name].facts())


def ping(call: Call) -> Result:
    """Whether the daemon serves at all: no call to libvirt is made."""
    return Result(
        {
            "host_id": socket.gethostname(),
            "xmand_version": xman.__version__,
            "principal": call.principal,
            "verbs": [verb.name for verb in verbs.VERBS],
            "list": {
                "sha256": call.access.sha256,
                "entries": len(call.access.entries),
                "age_seconds": max(0, int(time.time() - call.access.modified)),
            },
        }
    )


def version(call: Call) -> Result:
    """The versions of all that takes part; what cannot be reached is left out."""
    found = {"xmand_version": xman.__version__, "protocol": str(HIGHEST_VERSION)}
    try:
        found |= host.versions(call.reader)
    except HypervisorError as error:
        return Result(found, notes=(str(error),))
    return Result(found)
