"""The JSON object that tells of one target: the host's own, or one that says what came instead."""

from rxm.remote import messages
from rxm.remote.command import Reply
from rxm.targets import Target
from xman import outcome, received, result
from xman.errors import XmanError
from xman.received import WrongResultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def of_reply(reply: Reply, verb: str, target: Target, principal: str) -> "dict[str, Any]":
    """Return the object of a reply."""
    if reply.error:
        message = messages.message(reply, principal, verb)
        return result.failed(target.host, verb, target.domain or None, reply.outcome, message)
    octets = reply.stdout
    if reply.status != outcome.OK:  # what came in pages may have ended before its end: why is on the last line
        octets = octets.rstrip(b"\n").rpartition(b"\n")[2]
    return of_line(octets, verb, target)


def of_line(line: bytes, verb: str, target: Target) -> "dict[str, Any]":
    """Return the object that a host wrote, its host named as the user did; one that says so where it is none."""
    try:
        return received.read(line, verb) | {"host": target.host}
    except WrongResultError as error:
        message = f"the host's answer is not xman's JSON ({error}); does xmand listen there?"
        return result.failed(target.host, verb, target.domain or None, outcome.INTERNAL, message)


def of_error(error: XmanError, verb: str, target: Target) -> "dict[str, Any]":
    """Return the object of a target from which no reply came."""
    return result.failed(target.host, verb, target.domain or None, error.outcome, str(error), error.reason)
