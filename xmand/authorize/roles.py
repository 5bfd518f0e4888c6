"""The authorizer `roles`: who belongs to a role may use its verbs, on the domains that it is about.

The same configuration serves many hosts: a role's domains may hold `{host}`, the short name of this host, and `{name}`,
the caller's own.
"""

import socket
from collections.abc import Mapping

from xman.errors import ConfigurationError
from xmand.authorize.grant import COURTESY, Grant
from xmand.authorize.k5login import Listed
from xmand.authorize.principals import granted
from xmand.batch.patterns import matches
from xmand.settings.authorize import FILTERED, Role
from xmand.virt.domain import Domain

# What stands for itself in a pattern and in a node set; a name with others is in no domain's name that is filled in.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-")


class Roles:
    """The table `[authorize.roles]`; a group's file is read as strictly as the list, and may make this block."""

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self._roles = roles
        self._verbs = {name: granted(role.verbs) for name, role in roles.items()}
        self._groups = {name: Listed(role.group) for name, role in roles.items() if role.group}
        self._host = this_host()

    def grant(self, principal: str) -> Grant | None:
        """Return what all roles of `principal` allow together."""
        own = [name for name, role in self._roles.items() if self._belongs(principal, name, role)]
        if not own:
            return None
        allowed = frozenset[str]().union(*(self._verbs[name] for name in own))

        def about(verb: str, domain: Domain | None) -> bool:
            return any(self._covers(name, principal, verb, domain) for name in own)

        def shows(domain: Domain) -> bool:
            return any(about(verb, domain) for verb in FILTERED)

        def names(verb: str, wanted: str) -> bool:
            return any(verb in self._verbs[name] and self._within(name, principal, wanted) for name in own)

        everywhere = all(not self._roles[name].domains for name in own)
        return Grant(allowed | COURTESY, None if everywhere else about, shows, names=names)

    def _belongs(self, principal: str, name: str, role: Role) -> bool:
        if principal in role.members:
            return True
        found = self._groups[name].read() if name in self._groups else None
        return found is not None and found.permits(principal.encode())

    def _covers(self, name: str, principal: str, verb: str, domain: Domain | None) -> bool:
        if verb not in self._verbs[name] and verb not in COURTESY:
            return False
        patterns = self._roles[name].domains
        if not patterns or verb in COURTESY:
            return True
        if domain is None:
            # A list shows what it may; whatever else is about the host as a whole.
            return verb in FILTERED
        return self._within(name, principal, domain.name)

    def _within(self, name: str, principal: str, domain: str) -> bool:
        patterns = self._roles[name].domains
        return not patterns or matches(domain, filled(patterns, principal, self._host))


def filled(patterns: tuple[str, ...], principal: str, host: str) -> tuple[str, ...]:
    """Return the patterns that are left for a principal on `host`, the short name of this one."""
    own = own_name(principal)
    return tuple(
        pattern.replace("{host}", host).replace("{name}", own)
        for pattern in patterns
        if "{name}" not in pattern or (own and _PLAIN.issuperset(own))
    )


def this_host() -> str:
    """Return what `{host}` stands for."""
    return socket.gethostname().split(".")[0]


def own_name(principal: str) -> str:
    """Return the caller's own name: of `alice/admin@R` alice, of `host/pc7.example.org@R` pc7."""
    first, _, rest = principal.rpartition("@")[0].partition("/")
    return rest.split(".")[0] if first == "host" else first


def check(role: Role) -> None:
    """Raise ConfigurationError for domains that cannot be ones."""
    for pattern in role.domains:
        filled = pattern.replace("{host}", "h").replace("{name}", "n")
        if "{" in filled or "}" in filled:
            raise ConfigurationError(f"domains: '{pattern}': only {{host}} and {{name}} are replaced")
        matches("x", (filled,))
