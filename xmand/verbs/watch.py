"""Verbs that wait for what others do: wait. They only look, and hold nothing while they wait."""

import time

from xman import verbs
from xman.errors import NoSuchDomainError, UsageError, WaitTimeoutError
from xman.result import Result
from xmand.call import Call
from xmand.virt.domain import find
from xmand.virt.driver import Connection

# Events come sooner, but are lost over a restart of libvirtd; these are two small calls.
_POLL_SECONDS = 0.5


def wait(call: Call) -> Result:
    """Return when the domain is in the state asked for.

    Raises WaitTimeoutError; NoSuchDomainError also where it vanishes while another state is waited for.
    """
    wanted = str(call.parsed.options.get("for", ""))
    if wanted not in verbs.WAIT_STATES:
        raise UsageError(f"wait needs --for with one of {', '.join(verbs.WAIT_STATES)}.")
    began = time.monotonic()
    name = uuid = call.parsed.text("DOMAIN")
    try:
        domain = call.domain()
        # What is waited for is this domain, not the next one of its name.
        name, uuid = domain.name, domain.uuid
    except NoSuchDomainError:
        # What was never there is not off: the name is likely to be a slip.
        if wanted != verbs.GONE:
            raise
    with call.host.events.subscribe() as subscription:
        while not _holds(wanted, state := _state(call.reader, uuid)):
            if state == verbs.GONE:
                raise NoSuchDomainError(name)
            now = time.monotonic()
            if now >= call.deadline:
                raise WaitTimeoutError(f"Domain '{name}' is still {state} after {now - began:.1f} s, not {wanted}.")
            # Any event is a reason to look again.
            subscription.take(min(_POLL_SECONDS, call.deadline - now))
    result = {"name": name, "state": state, "seconds": round(time.monotonic() - began, 1)}
    return Result(result, domain=name)


def _state(connection: Connection, uuid: str) -> str:
    """Return the word for its state, GONE where there is no such domain."""
    try:
        return find(connection, uuid).state()[0]
    except NoSuchDomainError:
        return verbs.GONE


def _holds(wanted: str, state: str) -> bool:
    if wanted == verbs.OFF:
        return state in ("shutoff", verbs.GONE)  # a transient one is forgotten when it stops
    # A guest of Xen's that waits for something to do is blocked, and runs.
    return state == wanted or (wanted == "running" and state == "blocked")
