"""Whom each host gets to see: always the same user, for many hosts with tickets from several small caches.

Looking a ticket up takes as long as there are tickets in the cache, and a cache in a file is read anew each time: with
a thousand tickets in one file that alone takes minutes. So for many hosts the ticket for tickets is copied into caches
in memory, and each of those gets the tickets for a few hosts only. They go with the process.

Where libkrb5 has a choice it is left to it, however many hosts there are: among the caches of a collection (DIR,
KEYRING, KCM), by host and realm, as ~/.k5identity says.
"""

import os

from xman.gss import GssError, backends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xman.gss.backends import Initiator

# Where the looking up begins to be felt beside the handshake (measured: 100 to 250).
_HOSTS_PER_CACHE = 128
# Types of caches beside which there are no others; and the user's own rules of who he is where (k5identity(5)).
_SINGLE = ("FILE", "MEMORY")
_CHOICES = "~/.k5identity"


class Identities:
    """The user's identity towards each of `hosts`. Raises CredentialsError where there is none."""

    def __init__(self, own: "Initiator", principal: str, hosts: list[str]) -> None:
        self._own = own
        self._principal = principal
        self._caches: dict[str, str] = {}
        try:
            self._spread(hosts)
        except GssError as error:
            from rxm.remote import messages

            raise messages.gss_error(error) from error

    def of(self, host: str) -> "Initiator":
        """Return the identity towards a host. Raises CredentialsError."""
        cache = self._caches.get(host)
        if not cache:
            return self._own
        try:
            # One of its own for each host: with a common one the threads would ask the KDC one after the other.
            return backends.initiator("", self._principal, cache)
        except GssError as error:
            from rxm.remote import messages

            raise messages.gss_error(error) from error

    def _spread(self, hosts: list[str]) -> None:
        try:
            from xman.gss import tickets
        except (ImportError, AttributeError, OSError):
            return  # not MIT's library: slower, no worse
        try:
            if tickets.kind() not in _SINGLE or os.path.exists(os.path.expanduser(_CHOICES)):  # noqa: PTH110, PTH111
                return
        except LookupError:
            return
        everything = "MEMORY:xman-all"
        self._own.copy_to(everything)
        caches = {host: f"MEMORY:xman-{number // _HOSTS_PER_CACHE}" for number, host in enumerate(hosts)}
        try:
            tickets.spread(everything, list(dict.fromkeys(caches.values())))
        except LookupError:
            return
        self._caches = caches
