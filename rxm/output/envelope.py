"""The JSON object that tells of one target: the host's own, or one that says what came instead."""

import json
from typing import Any

from rxm.remote.command import Reply
from rxm.targets import Target
from xman import outcome, result
from xman.errors import XmanError


def of_reply(reply: Reply, verb: str, target: Target, principal: str) -> dict[str, Any]:
    """Return the object of a reply."""
    if reply.error:
        message = reply.message(principal, verb)
        return result.failed(target.host, verb, target.domain or None, reply.outcome, message)
    try:
        envelope: dict[str, Any] = json.loads(reply.stdout)
        envelope["ok"]  # another server's JSON has none
    except (ValueError, KeyError, TypeError):
        message = "the host's answer is not xman's JSON; is it xmand that listens there?"
        return result.failed(target.host, verb, target.domain or None, outcome.INTERNAL, message)
    return envelope


def of_error(error: XmanError, verb: str, target: Target) -> dict[str, Any]:
    """Return the object of a target from which no reply came."""
    return result.failed(target.host, verb, target.domain or None, error.outcome, str(error))


def renamed(line: bytes, target: Target) -> tuple[bytes, bool]:
    """Return an object as the host wrote it, its host named as the user did, and whether it tells of a failure."""
    try:
        envelope = json.loads(line) | {"host": target.host}
        return result.dumps(envelope).encode(), not envelope["ok"]
    except (ValueError, TypeError, KeyError):  # another server's words
        return line, False
