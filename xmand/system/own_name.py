"""As whom this host speaks to others: by a key of its own keytab."""

import socket

from xman import keytab
from xman.errors import UsageError


def own_principal(keys: str, service: str, configured: str = "") -> str:
    """Return the principal: as configured, or by this host's own name, or by the first of its `keys` of `service`.

    Raises UsageError where it has none.
    """
    if configured:
        return configured
    try:
        found = keytab.read(keys)
    except keytab.KeytabError as error:
        raise UsageError(f"{error}") from error
    own = [key.principal for key in found if key.principal.startswith(f"{service}/")]
    mine = [name for name in own if name.partition("@")[0] == f"{service}/{socket.getfqdn()}"]
    if not own:
        raise UsageError(f"{keys}: has no key of {service}/FQDN")
    return (mine or own)[0]
