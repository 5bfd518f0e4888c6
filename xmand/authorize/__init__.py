"""Who may: the configured authorizers, asked in an order that reads as little as possible of what a stranger says.

Those that need only principal and verb come first. Only where others are enabled are the words split by the verb table,
never a FILE, and the domains looked up; a missing domain is answered like any other that one may not touch.
"""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

from xman.errors import XmanError
from xman.grammar import AUDIT, DOMAIN, TEXT
from xman.verbs import VERBS
from xmand.authorize.external import External
from xmand.authorize.grant import EVERY_VERB, Authorizer, Grant, Rank, UnreadError
from xmand.authorize.k5login import AccessList, Listed
from xmand.authorize.owner import Owner
from xmand.authorize.peers import Peers
from xmand.authorize.principals import Principals
from xmand.authorize.roles import Roles
from xmand.request import Request
from xmand.settings import Settings
from xmand.virt import metadata
from xmand.virt.domain import Domain, find, find_all
from xmand.virt.driver import READ, Driver

__all__ = ("Access", "Authority", "Rank", "UnreadError")

# Verbs whose results say which list the host has.
_TELLS_LIST = tuple(verb.name for verb in VERBS if verb.tells_list)
# Those whose answer is another one for somebody who stands on it, though others may use them as well.
_HANG_ON_LIST = frozenset(
    verb.name
    for verb in VERBS
    if verb.tells_list or verb.courtesy or verb.audits or any(a.kind == TEXT for a in verb.arguments)
)


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
    # Whether a domain that the command names anew may have that name.
    names: Callable[[str], bool] = lambda _name: True
    # Whether the family `audit` is among it; it may block.
    audits: Callable[[], bool] = lambda: True
    # Whether somebody may more than an owner does.
    administers: Callable[[str], bool] = lambda _principal: True


class Authority:
    """The authorizers that the settings name."""

    def __init__(self, settings: Settings, driver: Driver) -> None:
        self._driver = driver
        self._listed: Listed | None = None
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Ask by other settings from now on."""
        chosen = settings.authorize
        made: dict[str, Authorizer] = {
            "principals": Principals(chosen.principals),
            "roles": Roles(chosen.roles),
            "owner": Owner(
                chosen.owner_verbs,
                chosen.launched_verbs,
                metadata.read,
                lambda: find_all(self._driver.connection(READ)),
            ),
            "external": External(chosen.external, chosen.external_seconds),
        }
        if self._listed is None or self._listed.path != settings.k5login:
            self._listed = Listed(settings.k5login)
        self._by_list = "k5login" in chosen.methods
        # Asked by name alone: tables of the settings' own; and hosts, who are allowed nothing else by that.
        peers: Authorizer = Peers(settings.migrate.accept, settings.service, settings.keytab)
        self._tables = [made[name] for name in ("principals",) if name in chosen.methods] + [peers]
        # Asked with words.
        self._second = [made[name] for name in chosen.methods if name in ("roles", "owner", "external")]

    @property
    def asks_words(self) -> bool:
        """Whether there are authorizers that need to know about which domain the command is."""
        return bool(self._second)

    def by_name(self, principal: str, verb: str, *, wait: bool = True) -> Access | None:
        """Return what the caller may, by principal and verb alone; None where that is not enough for the verb.

        Reading the list may take its time, or for ever. Without `wait` nothing here does: it raises UnreadError where
        the list has to be read and the answer hangs on it.
        """
        grants = self._by_tables(principal)
        found = None
        if self._by_list:
            try:
                found = self.listed.read() if wait else self.listed.unchanged()
            except UnreadError:
                if verb in _HANG_ON_LIST or not any(verb in grant.verbs for grant in grants):
                    raise
        on_list = found is not None and found.permits(principal.encode())
        if on_list:
            grants.append(Grant(EVERY_VERB))
        return self._access(grants, verb, found if verb in _TELLS_LIST else None, listed_caller=on_list)

    def knows(self, principal: str, *, wait: bool = True) -> bool:
        """Whether he may do anything at all, by his name alone; blocks, or raises UnreadError without `wait`."""
        if self._by_tables(principal):
            return True
        if not self._by_list:
            return False
        found = self.listed.read() if wait else self.listed.unchanged()
        return found is not None and found.permits(principal.encode())

    def without_list(self, principal: str, verb: str) -> Access | None:
        """Return what the caller may, had the list nobody on it: it cannot be read now."""
        return self._access(self._by_tables(principal), verb, None)

    def _by_tables(self, principal: str) -> list[Grant]:
        return [grant for authorizer in self._tables if (grant := authorizer.grant(principal)) is not None]

    def rank(self, principal: str) -> Rank:
        """Return whose places are kept for him, by the list as it was read last: no permission hangs on it."""
        with contextlib.suppress(UnreadError):
            self.listed.last = self.listed.unchanged()
        last = self.listed.last
        if self._by_list and last is not None and last.permits(principal.encode()):
            return Rank.LISTED
        return Rank.GRANTED if self._by_tables(principal) else Rank.STRANGER

    def _access(
        self, grants: list[Grant], verb: str, found: AccessList | None, *, listed_caller: bool = False
    ) -> Access | None:
        if not any(verb in grant.verbs for grant in grants):
            return None
        allowed = frozenset[str]().union(*(grant.verbs for grant in grants))
        return Access(
            allowed,
            found,
            listed_caller=listed_caller,
            audits=lambda: AUDIT in allowed,
            administers=self.administers,
        )

    def administers(self, principal: str) -> bool:
        """Whether `principal` is on the list, or has verbs on every domain."""
        return self.rank(principal) is not Rank.STRANGER

    @property
    def listed(self) -> Listed:
        """The list of administrators."""
        assert self._listed is not None  # noqa: S101  # `configure` has been called
        return self._listed

    def by_words(self, request: Request, named: Access | None = None) -> Access | None:
        """Return what the caller may, by the domains that the command names; to be called in a worker.

        None where it may not, and where that cannot be told. `named` is what it may by its name alone, where it asks
        for all that it may.
        """
        try:
            domains = self._domains(request)
        except XmanError:
            return named
        told = named
        for authorizer in self._second:
            # A site's own program knows of no end of verbs: it is asked where nobody else has said yes.
            if told is not None and isinstance(authorizer, External):
                continue
            grant = authorizer.grant(request.principal)
            if grant is None or request.verb.name not in grant.verbs or not _all(grant, request.verb.name, domains):
                continue
            access = self._of(grant, request, domains)
            if not request.verb.courtesy:
                return access
            told = access if told is None else replace(told, verbs=told.verbs | access.verbs)
        return told

    def _of(self, grant: Grant, request: Request, domains: list[Domain]) -> Access:
        request.pin(domains)
        found = self.listed.read() if self._by_list and request.verb.name in _TELLS_LIST else None
        # Whoever asks what he may is told of what there is.
        told = grant.now() if grant.now is not None and request.verb.courtesy else grant.verbs
        return Access(
            told,
            found,
            restricted=grant.about is not None,
            shows=grant.shows,
            describes=functools.partial(grant.describes, request.verb.name),
            names=functools.partial(grant.names, request.verb.name),
            audits=functools.partial(_audits, grant),
            administers=self.administers,
        )

    def why_not(self) -> str:
        """Return what the audit says of a denial."""
        if self._by_list and self.listed.last is None:
            return "the list cannot be used"
        return "not on the list" if not self._second else "not allowed"

    def _domains(self, request: Request) -> list[Domain]:
        """Return the domains that a command names. Raises UsageError and NoSuchDomainError."""
        if any(argument.kind == TEXT for argument in request.verb.arguments):
            return []
        request.parse()
        names = [a.name for a in request.verb.arguments if a.kind == DOMAIN]
        words = [word for name in names for word in request.parsed.given.get(name, [])]
        connection = self._driver.connection(READ) if words else None
        return [find(connection, word, allow_id=not request.verb.loses_data) for word in words]


def _audits(grant: Grant) -> bool:
    if AUDIT not in grant.verbs:
        return False
    return grant.about is None or grant.about(AUDIT, None)


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
