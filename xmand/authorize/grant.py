"""What an authorizer answers: which verbs somebody may use, and about which domains."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from xman import grammar, verbs
from xmand.virt.domain import Domain

EVERY_VERB = frozenset((*verbs.BY_NAME, grammar.AUDIT))
# Whoever may use anything may ask what, and as whom one is known.
COURTESY = frozenset(verb.name for verb in verbs.VERBS if verb.courtesy)


class UnreadError(Exception):
    """A file has to be read first, which may take its time: ask again in a worker."""


class Rank(enum.Enum):
    """How much a principal may, as far as it can be told by his name: whose places are kept for him."""

    STRANGER = 0
    GRANTED = 1
    LISTED = 2


@dataclass(frozen=True)
class Grant:
    """A permission; `about` is None where it holds for the host and every domain on it.

    Otherwise `about` is asked with the verb and the domain, or with None where the command names none. It may block,
    and raises XmanError where it cannot tell, which is a no. `shows` says then whether a list may hold a domain.
    """

    verbs: frozenset[str]
    about: Callable[[str, Domain | None], bool] | None = None
    shows: Callable[[Domain], bool] = lambda _domain: True
    # Which of the verbs hold for some domain just now, where that is less than all; it blocks.
    now: Callable[[], frozenset[str]] | None = None
    # Asked with the verb and what a description asks for (`xmand.virt.policy.facts`), before a domain is defined.
    describes: Callable[[str, dict[str, object]], bool] = lambda _verb, _facts: True
    # Asked with the verb and the name that a domain is to have.
    names: Callable[[str, str], bool] = lambda _verb, _name: True


class Authorizer(Protocol):
    """One way to be allowed something."""

    def grant(self, principal: str) -> Grant | None:
        """Return what `principal` may do, None where that is nothing; must not block."""
