"""Which domains a configured list of names means."""

from fnmatch import fnmatchcase

from ClusterShell.NodeSet import NodeSet, NodeSetParseError

from xman.errors import ConfigurationError


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether `name` is one of a list of node sets (`vm[1-9]-2`) and patterns with `*` and `?` (`vm*-2`).

    Raises ConfigurationError.
    """
    return any(_matches(name, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    if "*" in pattern or "?" in pattern:
        return fnmatchcase(name, pattern)
    try:
        return name in NodeSet(pattern, autostep=None)
    except NodeSetParseError as error:
        raise ConfigurationError(f"[batch] in xmand.toml: {error}") from error
