"""The authorizer `principals`: verbs and families of verbs by principal, so that a scheduler need not be root."""

from collections.abc import Mapping

from xman import grammar, verbs
from xmand.authorize.grant import COURTESY, Grant


class Principals:
    """The table `[authorize.principals]`: full principals, compared exactly, and what each may use."""

    def __init__(self, table: Mapping[str, tuple[str, ...]]) -> None:
        self._grants = {principal: Grant(granted(words) | COURTESY) for principal, words in table.items() if words}

    def grant(self, principal: str) -> Grant | None:
        """Return what the table says."""
        return self._grants.get(principal)


def granted(words: tuple[str, ...]) -> frozenset[str]:
    """Return the verbs that verbs and families of verbs stand for."""
    found = frozenset(verb.name for verb in verbs.VERBS if verb.name in words or verb.family in words)
    return found | {grammar.AUDIT} if grammar.AUDIT in words else found
