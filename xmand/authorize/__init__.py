"""Who may: the configured authorizers, asked in an order that reads as little as possible of what a stranger says.

Those that need only principal and verb come first. Only where others are enabled are the words split by the verb table,
never a FILE, and the domains looked up; a missing domain is answered like any other that one may not touch.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from xman.errors import XmanError
from xman.verbs import DOMAIN, TEXT
from xmand.authorize.external import External
from xmand.authorize.grant import Authorizer, Grant
from xmand.authorize.k5login import AccessList, Listed
from xmand.authorize.owner import Owner
from xmand.authorize.principals import Principals
from xmand.request import Request
from xmand.settings import Settings
from xmand.virt import metadata
from xmand.virt.domain import Domain, find, find_all
from xmand.virt.driver import READ, Driver

# Verbs whose results say which list the host has.
_TELLS_LIST = ("ping", "version")


@dataclass(frozen=True)
class Access:
    """What the caller of one command may: `verbs` at all; where it is `restricted`, only what concerns some domains.

    `shows` says then whether a list may hold a domain; it blocks.
    """

    verbs: frozenset[str]
    # The list as it was read for this command, None where it cannot be used, or was not asked.
    listed: AccessList | None = None
    restricted: bool = False
    shows: Callable[[Domain], bool] = lambda _domain: True
    # On the list: as good as root, so that no description of theirs is held to `[create]`.
    listed_caller: bool = False
    # Whether who allowed the verb also allows what a description asks for; it may block.
    describes: Callable[[dict[str, object]], bool] = lambda _facts: True


class Authority:
    """The authorizers that the settings name."""

    def __init__(self, settings: Settings, driver: Driver) -> None:
        self._driver = driver
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Ask by other settings from now on."""
        chosen = settings.authorize
        made: dict[str, Authorizer] = {
            "principals": Principals(chosen.principals),
            "owner": Owner(chosen.owner_verbs, metadata.read, lambda: find_all(self._driver.connection(READ))),
            "external": External(chosen.external, chosen.external_seconds),
        }
        self._listed = Listed(settings.k5login)
        made["k5login"] = self._listed
        self._first = [made[name] for name in ("k5login", "principals") if name in chosen.methods]
        self._second = [made[name] for name in chosen.methods if made[name] not in self._first]
        self._by_list = "k5login" in chosen.methods

    @property
    def asks_words(self) -> bool:
        """Whether there are authorizers that need to know about which domain the command is."""
        return bool(self._second)

    def by_name(self, principal: str, verb: str) -> Access | None:
        """Return what the caller may, by principal and verb alone; None where that is not enough for the verb."""
        found = [(each, grant) for each in self._first if (grant := each.grant(principal)) is not None]
        if not any(verb in grant.verbs for _, grant in found):
            return None
        allowed = frozenset[str]().union(*(grant.verbs for _, grant in found))
        listed = any(authorizer is self._listed for authorizer, _ in found)
        return Access(allowed, self._list_for(verb), listed_caller=listed)

    def by_words(self, request: Request) -> Access | None:
        """Return what the caller may, by the domains that the command names; to be called in a worker.

        None where it may not, and where that cannot be told.
        """
        try:
            domains = self._domains(request)
        except XmanError:
            return None
        for authorizer in self._second:
            grant = authorizer.grant(request.principal)
            if grant is not None and request.verb.name in grant.verbs and _all(grant, request.verb.name, domains):
                request.pin(domains)
                return Access(
                    grant.verbs,
                    self._list_for(request.verb.name),
                    restricted=True,
                    shows=grant.shows,
                    describes=functools.partial(grant.describes, request.verb.name),
                )
        return None

    def why_not(self) -> str:
        """Return what the audit says of a denial."""
        if self._by_list and self._listed.read() is None:
            return "the list cannot be used"
        return "not on the list" if not self._second else "not allowed"

    def _list_for(self, verb: str) -> AccessList | None:
        return self._listed.read() if verb in _TELLS_LIST else None

    def _domains(self, request: Request) -> list[Domain]:
        """Return the domains that a command names. Raises UsageError and NoSuchDomainError."""
        if any(argument.kind == TEXT for argument in request.verb.arguments):
            return []
        request.parse()
        names = [a.name for a in request.verb.arguments if a.kind == DOMAIN]
        words = [word for name in names for word in request.parsed.given.get(name, [])]
        connection = self._driver.connection(READ) if words else None
        return [find(connection, word, allow_id=not request.verb.loses_data) for word in words]


def _all(grant: Grant, verb: str, domains: list[Domain]) -> bool:
    """Whether a grant covers all domains that a command names, or the command as such where it names none."""
    if grant.about is None:
        return True
    try:
        if not domains:
            return grant.about(verb, None)
        return all(grant.about(verb, domain) for domain in domains)
    except XmanError:
        return False
