"""Who of all that connect is kept: counts and caps, without a socket or a clock.

A cap alone is a lock that an attacker can turn: whoever fills it keeps everybody out. So nobody who arrives is refused
for want of room; the oldest connection of the source that holds most gives way to him, and an honest client is through
its handshake long before it is the oldest. Only the authenticated, whose principals are known, can be too many.
"""

import ipaddress
from typing import Generic, TypeVar

from xmand.settings import Limits

_K = TypeVar("_K")

# What one customer of a provider has: he can choose any address in it.
_IPV6_PREFIX = 64


def source(host: str) -> str:
    """Return what counts as one source: an IPv4 address, the /64 of an IPv6 one."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, _IPV6_PREFIX)))
    return str(address)


class Admission(Generic[_K]):
    """The connections (any hashable `_K`) of a daemon, by source until they are authenticated, then by principal.

    `limits` may be replaced at any time; what is too much then gives way as others come.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._strangers = _Groups[str, _K]()
        self._known = _Groups[bytes, _K]()
        self._busy: set[_K] = set()
        self._waiting: set[_K] = set()
        # Those of principals for whom no places are kept.
        self._unreserved: set[_K] = set()

    def __len__(self) -> int:
        return self._strangers.total + self._known.total

    @property
    def strangers(self) -> int:
        """How many are not authenticated."""
        return self._strangers.total

    @property
    def crowded(self) -> bool:
        """Whether somebody may have to give way to the next one who becomes known."""
        return self._known.total >= self.limits.connections - self.limits.kept_of(self.limits.connections)

    def arrive(self, key: _K, source: str) -> list[_K]:
        """Count a new connection; return those that must be closed for it, which are not counted any more."""
        self._strangers.add(key, source)
        leaving = []
        if self._strangers.size(source) > self.limits.unauthenticated_per_source:
            leaving.append(self._strangers.oldest(source))
        elif self._strangers.total > self.limits.unauthenticated:
            leaving.append(self._strangers.oldest(self._strangers.by_size()[0]))
        for other in leaving:
            self._strangers.remove(other)
        return leaving

    def authenticate(self, key: _K, principal: bytes, *, reserved: bool = False) -> tuple[bool, list[_K]]:
        """Count a connection among the authenticated; return whether there is room, and whom to close for it.

        `reserved`: he is one of those for whom places are kept. Where there is no room it still counts as a stranger.
        Of those in which a command runs only one that waits for something may have to give way.
        """
        own = self._known.size(principal) >= self.limits.connections_per_principal
        others = self.limits.connections - self.limits.kept_of(self.limits.connections)
        if own:
            leaving = self._giving_way([principal], principal)
        elif self._known.total >= self.limits.connections or (not reserved and len(self._unreserved) >= others):
            candidates = self._known.by_size()
            # Nobody gives way to somebody for whom nothing is kept, but others of those.
            leaving = self._giving_way(
                [one for one in candidates if self._all_unreserved(one)] if not reserved else candidates, principal
            )
        else:
            return self._admit(key, principal, reserved), []
        if not leaving:
            return False, leaving
        for other in leaving:
            self.leave(other)
        return self._admit(key, principal, reserved), leaving

    def waits(self, key: _K, waiting: bool) -> None:
        """The command that runs in this connection only waits for something, or does not any more."""
        (self._waiting.add if waiting else self._waiting.discard)(key)

    def begin(self, key: _K) -> None:
        """A command runs in this connection."""
        self._busy.add(key)

    def end(self, key: _K) -> None:
        """No command runs in it any more."""
        self._busy.discard(key)
        self._waiting.discard(key)

    def leave(self, key: _K) -> None:
        """Count it no more; nothing where it was closed for another."""
        self._strangers.remove(key)
        self._known.remove(key)
        self._busy.discard(key)
        self._waiting.discard(key)
        self._unreserved.discard(key)

    def _admit(self, key: _K, principal: bytes, reserved: bool) -> bool:
        self._strangers.remove(key)
        self._known.add(key, principal)
        if not reserved:
            self._unreserved.add(key)
        return True

    def _all_unreserved(self, principal: bytes) -> bool:
        return self._unreserved.issuperset(self._known.members(principal))

    def _giving_way(self, principals: list[bytes], newcomer: bytes) -> list[_K]:
        """Return the oldest connection in which nothing runs, of the first of `principals` that has one.

        Otherwise the oldest of another's in which a command only waits, where he has more of them than the newcomer.
        """
        for principal in principals:
            for key in self._known.members(principal):
                if key not in self._busy:
                    return [key]
        for principal in principals:
            if self._known.size(principal) <= self._known.size(newcomer) + 1 or principal == newcomer:
                continue
            for key in self._known.members(principal):
                if key in self._waiting:
                    return [key]
        return []


_G = TypeVar("_G", str, bytes)


class _Groups(Generic[_G, _K]):
    """Keys in groups, the oldest first."""

    def __init__(self) -> None:
        self._groups: dict[_G, dict[_K, None]] = {}
        self._of: dict[_K, _G] = {}

    @property
    def total(self) -> int:
        return len(self._of)

    def add(self, key: _K, group: _G) -> None:
        self._groups.setdefault(group, {})[key] = None
        self._of[key] = group

    def remove(self, key: _K) -> None:
        if key in self._of:
            group = self._of.pop(key)
            del self._groups[group][key]
            if not self._groups[group]:
                del self._groups[group]

    def size(self, group: _G) -> int:
        return len(self._groups.get(group, ()))

    def members(self, group: _G) -> list[_K]:
        return list(self._groups.get(group, ()))

    def oldest(self, group: _G) -> _K:
        return next(iter(self._groups[group]))

    def by_size(self) -> list[_G]:
        """Return the groups, the largest first, of equal ones the older first."""
        return sorted(self._groups, key=lambda group: -len(self._groups[group]))
