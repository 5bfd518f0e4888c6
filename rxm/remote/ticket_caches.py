"""Whom each host gets to see: always the same user, for many hosts with tickets from several small caches.

Looking a ticket up takes as long as there are tickets in the cache, and a cache in a file is read anew each time: with
a thousand tickets in one file that alone takes minutes. So for many hosts the ticket for tickets is copied into caches
in memory, and each of those gets the tickets for a few hosts only. They go with the process.

Where libkrb5 has a choice it is left to it, however many hosts there are: among the caches of a collection (DIR,
KEYRING, KCM), by host and realm, as ~/.k5identity says.
"""

import posix

from xman import lowlevel
from xman.gss import GssError, backends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rxm.remote import kept_tickets
    from xman.gss.backends import Initiator

# Each looking up goes through half of a cache, and each acquiring of an identity through all of it.
_HOSTS_PER_CACHE = 32
# Types of caches beside which there are no others; and the user's own rules of who he is where (k5identity(5)).
_SINGLE = ("FILE", "MEMORY")
_CHOICES = ".k5identity"
_EVERYTHING = "MEMORY:xman-all"


# Kept tickets of hosts that are not asked this time.
_OTHERS = "MEMORY:xman-others"


def _names(service: bytes) -> tuple[bytes, bytes]:
    """Return how the host of `host/skirit80.example.org@EXAMPLE.ORG` may have been called: in full, and in short."""
    host = service.partition(b"/")[2].partition(b"@")[0].lower()
    return host, host.partition(b".")[0]


def _chooses() -> bool:
    """Whether the user has rules of who he is where."""
    home = lowlevel.environment("HOME")
    try:
        if not home:
            import pwd

            home = pwd.getpwuid(posix.getuid()).pw_dir
        posix.stat(f"{home}/{_CHOICES}")
    except (OSError, KeyError):
        return False
    return True


class Identities:
    """The user's identity towards each of `hosts`. Raises CredentialsError where there is none."""

    def __init__(self, own: "Initiator", principal: str, hosts: list[str], client_keytab: str = "") -> None:
        self._own = own
        self._client_keytab = client_keytab
        self._kept: kept_tickets.Kept | None = None
        # The caches of hosts whose keys have changed since their tickets were kept.
        self._renewed: dict[str, str] = {}
        self._principal = principal
        self._caches: dict[str, str] = {}
        self._shards: dict[str, str] = {}
        # Hosts whose tickets are at hand, and the one identity for all such of a cache.
        self._at_hand: set[str] = set()
        self._shared: dict[str, Initiator] = {}
        # What is called as its ticket is: libkrb5 would ask the DNS for its other names.
        self._known: dict[str, str] = {}
        try:
            self._spread(hosts)
        except GssError as error:
            from rxm.remote import messages

            self._forget()
            raise messages.gss_error(error) from error

    def of(self, host: str) -> "Initiator":
        """Return the identity towards a host. Raises CredentialsError."""
        cache = self._caches.get(host)
        if not cache:
            return self._own
        try:
            if host in self._at_hand:
                return self._shared.get(cache) or self._shared.setdefault(cache, self._sharing(cache))
            # One of its own for each host: with a common one the threads would ask the KDC one after the other.
            return backends.initiator("", self._principal, cache)
        except GssError as error:
            from rxm.remote import messages

            raise messages.gss_error(error) from error

    def _sharing(self, cache: str) -> "Initiator":
        found = backends.initiator("", self._principal, cache)
        found.known = self._known
        return found

    def anew(self, host: str) -> "Initiator | None":
        """Return an identity with a new ticket for a host that did not take the one it was shown; None: it was new."""
        if self._kept is None or not self._kept.path or host not in self._caches or host in self._renewed:
            return None
        from xman.gss import tickets

        cache = self._renewed[host] = f"MEMORY:xman-anew-{len(self._renewed)}"
        try:
            tickets.spread(_EVERYTHING, [cache])
        except LookupError:
            return None
        self._caches[host] = cache
        self._at_hand.discard(host)
        return self.of(host)

    def keep(self, service: str) -> None:
        """Keep the tickets for the hosts' `service` that were fetched, for the next call."""
        fetched = self._renewed or not all(f"{service}@{host}" in self._known for host in self._shards)
        if self._kept is None or not fetched:
            return
        old = {host.lower().encode() for host in self._renewed}

        def without(cache: str, service: bytes) -> bool:
            return cache not in self._renewed.values() and not old.isdisjoint(_names(service))

        caches = list(dict.fromkeys([*self._shards.values(), *self._renewed.values()]))
        self._kept.save(caches, _OTHERS, without, renewed=bool(self._renewed))

    def _forget(self) -> None:
        try:
            from rxm.remote import kept_tickets
        except (ImportError, AttributeError, OSError):
            return
        kept_tickets.forget(self._client_keytab)

    def _spread(self, hosts: list[str]) -> None:
        try:
            from xman.gss import tickets
        except (ImportError, AttributeError, OSError):
            return  # not MIT's library: slower, no worse
        try:
            if tickets.kind() not in _SINGLE or _chooses():
                return
        except LookupError:
            return
        self._own.copy_to(_EVERYTHING)
        caches = {host: f"MEMORY:xman-{number // _HOSTS_PER_CACHE}" for number, host in enumerate(hosts)}
        try:
            tickets.spread(_EVERYTHING, list(dict.fromkeys([*caches.values(), _OTHERS])))
        except LookupError:
            return
        self._caches, self._shards = dict(caches), caches
        from rxm.remote import kept_tickets

        by_name = {host.lower().removesuffix(".").encode(): host for host in caches}

        def place(service: bytes) -> str:
            full, short = _names(service)
            host = by_name.get(full) or by_name.get(short)
            if host is None:
                return ""
            self._at_hand.add(host)
            if full == host.encode():
                principal = service.decode("utf-8", "surrogateescape")
                self._known[f"{principal.partition('/')[0]}@{host}"] = principal
            return caches[host]

        self._kept = kept_tickets.Kept(_EVERYTHING, self._client_keytab)
        if self._kept.path:
            self._kept.load(place)
