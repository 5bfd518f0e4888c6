"""A profile's clients shut down, so that it can be changed: in order if they are quick, else at once."""

import contextlib
import time

from xman.errors import NoSuchDomainError, XmanError
from xmand.profiles import clients, exclusive
from xmand.profiles.clients import Client
from xmand.system.locks import DomainLocks
from xmand.virt import condition, lifecycle
from xmand.virt.binding import RawConnection
from xmand.virt.condition import OFF, RUNNING
from xmand.virt.domain import Domain, find

# A guest that has heard it is off by then; what its disks hold is gone in any case.
_GRACE_SECONDS = 30.0
_POLL_SECONDS = 0.5


def evict(connection: RawConnection, locks: DomainLocks, verb: str, deadline: float, profile: Domain) -> list[str]:
    """Shut the clients of a profile down, under its lock; return what is to be said of that.

    Those that are suspended lose their memory. Raises RefusedError, before anything is done, where a client keeps what
    it writes, or has snapshots; and others.
    """
    found = clients.of(connection, profile.uuid)
    exclusive.require(profile.name, found, evict=True)
    at_work = [each for each in found if each.condition != OFF]
    if not at_work and not any(each.suspended for each in found):
        return []
    for each in at_work:
        if each.condition == RUNNING:
            with contextlib.suppress(XmanError), locks.hold(each.uuid, verb, deadline):
                find(connection, each.uuid).ask_shutdown()
    until = min(deadline, time.monotonic() + _GRACE_SECONDS)
    hearing = [each for each in at_work if each.condition == RUNNING]
    while any(_condition(connection, each) != OFF for each in hearing) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
    said = []
    for each in found:
        with locks.hold(each.uuid, verb, deadline), contextlib.suppress(NoSuchDomainError):
            client = find(connection, each.uuid)
            if client.active():
                client.destroy()
                said.append(f"{each.name} was destroyed")
            elif lifecycle.suspended(client):
                lifecycle.discard_saved(client)
                said.append(f"the saved memory of {each.name} was dropped")
            elif each.condition != OFF:
                said.append(f"{each.name} was shut down")
    return [f"Evicted from '{profile.name}': {', '.join(said)}."] if said else []


def _condition(connection: RawConnection, client: Client) -> str:
    with contextlib.suppress(NoSuchDomainError):
        return condition.condition(find(connection, client.uuid))
    return OFF
