"""How much memory is spent on what strangers said: one budget for all of them together.

Whoever is over it makes the connection leave that holds most, of the group that holds most: an honest client's
handshake is a few KiB, and over in a moment.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)


class Octets(Generic[_K]):
    """What is held for connections (any hashable `_K`) in groups; `most` may be replaced at any time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._held: dict[_K, tuple[str | bytes, int]] = {}
        self._of_group: Counter[str | bytes] = Counter()

    def hold(self, key: _K, group: str | bytes, octets: int) -> _K | None:
        """Note that `key` of `group` holds so many; return who must leave, None where there is room."""
        if octets == 0 and key not in self._held:
            return None
        self.forget(key)
        if octets:
            self._held[key] = (group, octets)
            self._of_group[group] += octets
            self.total += octets
        return self.leaving()

    def leaving(self) -> _K | None:
        """Return who must leave, None where there is room."""
        if self.total <= self.most:
            return None
        largest = max(self._of_group, key=self._of_group.__getitem__)
        return max(
            (one for one, (of, _octets) in self._held.items() if of == largest), key=lambda one: self._held[one][1]
        )

    def forget(self, key: _K) -> None:
        """It holds nothing any more."""
        group, octets = self._held.pop(key, ("", 0))
        if octets:
            self.total -= octets
            self._of_group[group] -= octets
            if not self._of_group[group]:
                del self._of_group[group]
