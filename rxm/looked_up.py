"""Hosts that the DNS names (`srv:_xmand._tcp.example.org`), where names and groups stand. Loaded where such a word is.

Only what a command asks for is looked up, once each.
"""

from xman import srv
from xman.errors import UsageError

_ENDS = frozenset(",&!^[]@*")


def words(text: str, port: int) -> str:
    """Return a text with the hosts in it that the DNS names for its `srv:` words; they have to be asked on `port`.

    Raises UsageError and UnreachableError.
    """
    found: list[str] = []
    for word in text.split(","):
        if not word.strip().startswith(srv.PREFIX):
            found.append(word)
            continue
        places = srv.lookup(word.strip())
        for place in places:
            if place.port != port:
                raise UsageError(
                    f"'{word.strip()}': the DNS says port {place.port} of {place.host}, but rxm uses port {port};"
                    " set port in rxm.toml."
                )
        found += sorted(place.host for place in places)
    return ",".join(found)


def groups(text: str, known: "dict[str, str]", port: int) -> "dict[str, str]":
    """Return groups in which those that `text` is about, and those that these are made of, have names of hosts only.

    Raises UsageError and UnreachableError.
    """
    found, seen, waiting = dict(known), set[str](), [text]
    while waiting:
        for name in _named(waiting.pop(), known):
            if name not in seen:
                seen.add(name)
                if srv.PREFIX in known[name]:
                    found[name] = words(known[name], port)
                waiting.append(found[name])
    return found


def _named(text: str, known: "dict[str, str]") -> "list[str]":
    """Return the groups that a text refers to; `@*` is all of them."""
    if "@*" in text:
        return list(known)
    found: list[str] = []
    for part in text.split("@")[1:]:
        end = next((place for place, letter in enumerate(part) if letter in _ENDS or letter.isspace()), len(part))
        if part[:end] in known:
            found.append(part[:end])
    return found
