"""Which domains a configured list of names means."""

from fnmatch import fnmatchcase

from ClusterShell.NodeSet import NodeSet, NodeSetParseError

from xman.errors import ConfigurationError

_SIGNS = frozenset("[]@,!&^*? \t\n")


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether `name` is one of a list of node sets (`vm[1-9]-2`) and patterns with `*` and `?` (`vm*-2`).

    Raises ConfigurationError.
    """
    return any(_matches(name, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    if "*" in pattern or "?" in pattern:
        return fnmatchcase(name, pattern)
    # ClusterShell reads the name as a set as well: `@x` would be an empty one, which every set has, and `a[1-99999999]`
    # take all memory that there is.
    if not name or not _SIGNS.isdisjoint(name):
        return name == pattern
    try:
        return name in NodeSet(pattern, autostep=None)
    except NodeSetParseError as error:
        raise ConfigurationError(f"[batch] in xmand.toml: {error}") from error
