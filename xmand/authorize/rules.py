"""Who may do what where, in rows: what the settings, the list, the groups' files and the jobs of domains say now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xman import grammar, verbs
from xmand.authorize import k5login
from xmand.authorize.roles import filled, this_host
from xmand.settings import Create, Settings
from xmand.settings.authorize import Role

# In place of verbs: every one.
ALL = "all"
# Whose descriptions are taken as they are can have any file of the host's.
_DEFINING = frozenset(verb.name for verb in verbs.VERBS if any(a.kind == grammar.TEXT for a in verb.arguments))


@dataclass(frozen=True)
class Rule:
    """What one principal may by one method; without `domains` it holds for every one, and for the host."""

    principal: str
    method: str
    verbs: tuple[str, ...]
    domains: tuple[str, ...] = ()
    role: str = ""
    # As good as root.
    as_root: bool = False

    def told(self) -> dict[str, object]:
        """Return it as a result has it."""
        found: dict[str, object] = {
            "principal": self.principal,
            "method": self.method,
            "as_root": self.as_root,
            "verbs": list(self.verbs),
            "domains": list(self.domains),
        }
        return found | ({"role": self.role} if self.role else {})


def rules(
    settings: Settings, listed: frozenset[bytes], groups: Mapping[str, tuple[str, ...]], owners: Mapping[str, list[str]]
) -> Iterator[Rule]:
    """Yield a row for each principal and method that has an effect, in the order in which methods are asked.

    `listed` are the list's entries, `groups` the members of each role's group, `owners` the domains of each owner.
    """
    chosen = settings.authorize
    for method in chosen.methods:
        if method == "k5login":
            yield from (Rule(_text(entry), method, (ALL,), as_root=True) for entry in sorted(listed))
        elif method == "principals":
            for principal, words in chosen.principals.items():
                if words:
                    yield Rule(principal, method, words, as_root=_as_root(settings.create, principal, words))
        elif method == "roles":
            for name, role in chosen.roles.items():
                yield from _of_role(settings, name, role, groups.get(name, ()))
        elif method == "owner":
            yield from (Rule(who, method, chosen.owner_verbs, tuple(names)) for who, names in sorted(owners.items()))


def _of_role(settings: Settings, name: str, role: Role, group: tuple[str, ...]) -> Iterator[Rule]:
    for principal in dict.fromkeys((*role.members, *group)) if role.verbs else ():
        domains = filled(role.domains, principal, this_host())
        if domains or not role.domains:
            as_root = not role.domains and _as_root(settings.create, principal, role.verbs)
            yield Rule(principal, "roles", role.verbs, domains, name, as_root)


def _as_root(create: Create, principal: str, words: tuple[str, ...]) -> bool:
    """Whether somebody's descriptions are defined as they are, and he may have them defined."""
    granted = {verb.name for verb in verbs.VERBS if verb.name in words or verb.family in words}
    return principal in create.unrestricted and not _DEFINING.isdisjoint(granted)


def members(roles: Mapping[str, Role]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the members of each role's group, and what is said of files that cannot be used; reads them."""
    found: dict[str, tuple[str, ...]] = {}
    unusable = []
    for name, role in roles.items():
        if role.group:
            try:
                found[name] = tuple(_text(entry) for entry in sorted(k5login.read(role.group).entries))
            except k5login.K5loginError as error:
                unusable.append(f"roles: {name}: {error}; it has no members")
    return found, unusable


def _text(entry: bytes) -> str:
    return entry.decode("utf-8", "backslashreplace")
