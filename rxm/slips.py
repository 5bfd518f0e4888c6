"""What was meant, where a word is not what it should be: loaded only to say so."""

from xman import escape
from xman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# From so many letters on two may be wrong.
_LONG = 6


def host(word: str) -> str:
    """Return the name of a host that is not of ASCII; raise UsageError for what is none, with what to write instead."""
    shown = escape.line(word)
    if "@" in word:
        user, _, name = map(escape.line, word.partition("@"))
        raise UsageError(f"'{shown}': write the host alone, {name}; who you are, your ticket says (kinit {user}).")
    if word.startswith("-"):
        raise UsageError(f"'{shown}' is not a host; hosts are left out by '!': @all!{shown.lstrip('-')}.")
    if word.count(":") == 1 and "/" not in word:
        name, _, port = map(escape.line, word.partition(":"))
        raise UsageError(f"'{shown}': the port is an option of its own: -H {name} -p {port or 'N'}.")
    if "://" in word:
        raise UsageError(f"'{shown}': write the host alone ({escape.line(word.partition('://')[2].split('/')[0])}).")
    if word.isascii() or not word.isprintable() or any(character.isspace() or character in "/@:" for character in word):
        raise UsageError(f"'{shown}' cannot be the name of a host.")
    return word


def names(text: str, problem: str) -> UsageError:
    """Return what to say of a list of hosts, or of domains, that cannot be read."""
    inner = text.strip().removeprefix("[").removesuffix("]")
    if text.strip().startswith("[") and ":" in inner and frozenset("0123456789abcdefABCDEF:.").issuperset(inner):
        return UsageError(f"'{text}': write an address of IPv6 without brackets: {inner}.")
    return UsageError(f"'{escape.line(text)}' is not a list of names: {problem}.")


def meant(word: str, known: "Iterable[str]") -> str:
    """Return which of the `known` words was probably meant; empty where none is near."""
    near = sorted((_distance(word.lower(), each.lower()), each) for each in known)
    return near[0][1] if near and near[0][0] <= (1 if len(word) < _LONG else 2) else ""


def _distance(one: str, other: str) -> int:
    """Return how many letters are wrong, missing, too many, or exchanged with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        earlier, before, row = before, row, [at]
        for there, theirs in enumerate(other, 1):
            cost = min(before[there] + 1, row[-1] + 1, before[there - 1] + (letter != theirs))
            exchanged = at > 1 and there > 1 and letter == other[there - 2] and one[at - 2] == theirs
            row.append(min(cost, earlier[there - 2] + 1) if exchanged else cost)
    return row[-1]
