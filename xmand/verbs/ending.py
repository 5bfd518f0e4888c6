"""What has become of a domain whose console or screen has ended."""

import time

from xman.errors import NoSuchDomainError
from xmand.verbs.call import Call
from xmand.virt.domain import Domain, find

# The end of a console, or of a screen, comes before libvirt calls its domain off.
_SETTLE_SECONDS = 3.0
_LOOK_SECONDS = 0.1
# libvirt's reason of a domain that is off since it was moved away (VIR_DOMAIN_SHUTOFF_MIGRATED).
_MIGRATED = 4


def became(call: Call, domain: Domain) -> str:
    """Return it, for a person; empty where the domain still runs. Blocks for some seconds. Raises HypervisorError."""
    until = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < until:
        try:
            state, reason = find(call.reader, domain.uuid).state()
        except NoSuchDomainError:
            return f"{domain.name} ended."
        if state == "shutoff":
            return f"{domain.name} was migrated away." if reason == _MIGRATED else f"{domain.name} ended."
        if state == "crashed":
            return f"{domain.name} crashed."
        time.sleep(_LOOK_SECONDS)
    return ""
