"""Waiting until a guest that was asked to restart, or to shut down, has: by events, and by looking."""

import time
from collections.abc import Callable

from xman.errors import HypervisorError, NoSuchDomainError, WaitTimeoutError
from xmand.events import Subscription
from xmand.virt.domain import Domain, find
from xmand.virt.driver import Connection
from xmand.virt.events import REBOOTED, STARTED

# The second leg: events are lost over a restart of libvirtd.
_POLL_SECONDS = 0.5
# A hypervisor that stops a guest and starts it again does so at once; what stays off for so long stays off.
_OFF_SECONDS = 15.0


def until_restarted(
    domain: Domain, before: int | None, connect: Callable[[], Connection], subscription: Subscription, deadline: float
) -> float:
    """Wait until `domain`, whose id was `before`, has restarted; return the seconds that took.

    libvirt tells of it as a reboot (QEMU), or as a start: on Xen under a new id, and before the stop. `connect` gives
    a connection that is not lost. Raises WaitTimeoutError at `deadline` (time.monotonic()), HypervisorError where it
    stops and does not start again.
    """
    began = time.monotonic()
    off_since: float | None = None
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(_late(domain, time.monotonic() - began))
        events = [event for event in subscription.take(min(_POLL_SECONDS, left)) if event.uuid == domain.uuid]
        now = _identifier(domain, connect, before)
        # A new id alone will do.
        if any(event.name in (REBOOTED, STARTED) for event in events) or now not in (None, before):
            return round(time.monotonic() - began, 1)
        if now is not None:
            off_since = None
        elif off_since is None:
            off_since = time.monotonic()
        elif time.monotonic() - off_since > _OFF_SECONDS:
            raise HypervisorError(f"Domain '{domain.name}' has stopped and was not started again.")


def until_off(
    domain: Domain, before: int | None, connect: Callable[[], Connection], subscription: Subscription, deadline: float
) -> bool:
    """Wait until `domain`, whose id was `before`, is off, or gone, at most until `deadline`; return whether it is.

    Raises HypervisorError where nobody can tell at the deadline.
    """
    while _identifier(domain, connect, before) == before:
        left = deadline - time.monotonic()
        if left <= 0:
            return _now(domain, connect) != before
        # Any event is a reason to look again.
        subscription.take(min(_POLL_SECONDS, left))
    return True


def _identifier(domain: Domain, connect: Callable[[], Connection], before: int | None) -> int | None:
    """Return its id, None where it is off or gone, `before` where nobody can tell."""
    try:
        return _now(domain, connect)
    except HypervisorError:
        return before


def _now(domain: Domain, connect: Callable[[], Connection]) -> int | None:
    try:
        # Looked up anew: libvirt's object keeps the id that it was found with.
        return find(connect(), domain.uuid).identifier()
    except NoSuchDomainError:  # a transient one is forgotten as soon as it stops
        return None


def _late(domain: Domain, seconds: float) -> str:
    said = f"Domain '{domain.name}' was asked to restart {seconds:.0f} s ago and has not."
    if domain.container():
        return said
    # QEMU: libvirt remembers the request until the guest powers off.
    return f"{said} The request stands: it may restart when its guest next powers off."
