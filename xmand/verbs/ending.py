"""What has become of a domain whose console or screen has ended."""

import os
from collections.abc import Callable

from xman.errors import NoSuchDomainError
from xmand.verbs.call import Call
from xmand.virt.domain import Domain, find

# What seems to be somebody else's may for so long be what libvirt has not put away yet.
_SETTLE_SECONDS = 3.0
# libvirt's reason of a domain that is off since it was moved away (VIR_DOMAIN_SHUTOFF_MIGRATED).
_MIGRATED = 4


def became(
    call: Call, domain: Domain, waited: float, most: float, taken: Callable[[Domain], bool] = lambda _found: False
) -> str | None:
    """Return it, for a person; empty where it cannot be told yet: the end of a console, or of a screen, comes first.

    How long before libvirt calls its domain off hangs on all else that the host has to do. None where the domain goes
    on: `most` seconds have been `waited`, or somebody has `taken` what ended here. Raises HypervisorError.
    """
    try:
        found = find(call.reader, domain.uuid)
        state, reason = found.state()
        if state == "shutoff":
            return f"{domain.name} was migrated away." if reason == _MIGRATED else f"{domain.name} ended."
        if state == "crashed":
            return f"{domain.name} crashed."
        if found.container() and _gone(found.identifier()):
            return f"{domain.name} ended."
        goes_on = waited >= most or (waited >= _SETTLE_SECONDS and taken(found))
    except NoSuchDomainError:
        return f"{domain.name} ended."
    return None if goes_on else ""


def _gone(process: int | None) -> bool:
    """Whether the process is gone that a container's id is the number of.

    libvirt (9.0) misses the end of a container that has hardly begun, and calls it running for good.
    """
    try:
        os.kill(process or os.getpid(), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
