"""Which of the domains that are shown again and again were asked for: by name, range, pattern, UUID or id.

They are looked for in each answer, so that one that is made later is shown as well.
"""

import contextlib
import fnmatch
from typing import Any

from rxm import targets
from xman.errors import UsageError

_WILD = frozenset("*?")


def hosts(words: list[str], configured: list[str]) -> list[str]:
    """Return the hosts to ask: those named in front of a colon, and all where a word names none. Raises UsageError."""
    if not words:
        return configured
    return list(dict.fromkeys(host for word in words for host in _split(word, configured)[0]))


class Chosen:
    """The choice. Raises UsageError for a word that is none."""

    def __init__(self, words: list[str], configured: list[str]) -> None:
        self._words = [
            ({targets.same(host) for host in found}, name, names)
            for word in words
            for found, name, names in [_split(word, configured)]
        ]

    def has(self, host: str, domain: dict[str, Any]) -> bool:
        """Whether a domain of a host is to be shown."""
        if not self._words:
            return True
        return any(
            targets.same(host) in found
            and (
                domain["name"] in names
                or domain["uuid"] == name.lower()
                or str(domain["id"]) == name
                or (not _WILD.isdisjoint(name) and fnmatch.fnmatchcase(domain["name"], name))
            )
            for found, name, names in self._words
        )


def _split(word: str, configured: list[str]) -> tuple[list[str], str, set[str]]:
    """Return the hosts that a word is about, the name in it, and the names that this stands for."""
    host, colon, name = word.partition(":")
    if not colon:
        host, name = "", word
    elif not host or not name:
        raise UsageError(f"'{word}' is neither DOMAIN nor HOST:DOMAIN.")
    names = {name}
    if "[" in name and _WILD.isdisjoint(name):
        # It may as well be a name with a bracket in it.
        with contextlib.suppress(UsageError):
            names |= set(targets.expand(name))
    if not colon:
        return configured, name, names
    return (targets.expand(host) if "[" in host else [targets.checked(host)]), name, names
