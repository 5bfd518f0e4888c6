"""Ranges and groups of names, by ClusterShell. Imported only where a word holds one: ClusterShell is dear to import.

Groups are those of rxm.toml and of ClusterShell's own files (groups.conf(5)), side by side.
"""

import re

from ClusterShell.NodeSet import NodeSet, NodeSetException, std_group_resolver
from ClusterShell.NodeUtils import GroupResolver, GroupResolverError, GroupSource, GroupSourceError

from xman.errors import UsageError

# A name directly before an @ is a person's.
_USER = re.compile(r"[^,!&^\[\]@*\s]+@[^,!&^\[\]\s]*")
_GROUP = re.compile(r"@[^,\[\]&!^\s]+")
# More names than any site has hosts; ClusterShell makes each of them before it can be asked how many there are.
MOST_NAMES = 100_000
_ITEM = re.compile(r"(?:\[[^\]]*\]|[^,!&^\s\[])+")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_RANGE = re.compile(r"\s*([0-9]{1,9})-([0-9]{1,9})(?:/([0-9]{1,9}))?\s*")
_LONG_RANGE = re.compile(r"\s*[0-9]+-[0-9]+(?:/[0-9]+)?\s*")


class _Groups(GroupResolver):  # type: ignore[misc]  # ClusterShell has no types
    """Our own groups, and all others where ClusterShell finds them; a name that both have is ours."""

    def __init__(self, groups: dict[str, str]) -> None:
        super().__init__(GroupSource("xman", groups=groups))
        self._own = groups

    def group_nodes(self, group: str, namespace: str | None = None) -> list[str]:
        """Return the nodes of a group, as texts that may name groups again."""
        if namespace is None and group in self._own:
            found: list[str] = super().group_nodes(group)
            return found
        others: list[str] = std_group_resolver().group_nodes(group, namespace)
        return others


def names(text: str, groups: dict[str, str]) -> list[str]:
    """Return the names that a node set stands for. Raises UsageError."""
    resolver = _Groups(groups)
    if size(text) > MOST_NAMES:
        raise UsageError(f"'{text[:64]}' stands for more than {MOST_NAMES} names.")
    if user := _USER.search(text):
        from rxm import slips

        slips.host(user[0])
    try:
        # ClusterShell takes a group that nobody knows for an empty one; a slip must not make a command smaller.
        for group in _GROUP.findall(text):
            if not NodeSet(group, resolver=resolver):
                raise _no_such_group(group, groups)
        return [str(name) for name in NodeSet(text, resolver=resolver)]
    except (NodeSetException, GroupResolverError, GroupSourceError) as error:
        from rxm import slips

        group = next((group for group in _GROUP.findall(text) if _absent(group, groups)), "")
        if group:
            raise _no_such_group(group, groups) from error
        raise slips.names(text, str(error)) from error


def size(text: str) -> int:
    """Return how many names the ranges of a node set make at most, without making them; groups count as one."""
    total = 0
    for item in _ITEM.findall(text):
        product = 1
        for inside in _BRACKETS.findall(item):
            product *= max(1, sum(map(_numbers, inside.split(","))))
        total += product
    return total


def _numbers(part: str) -> int:
    """Return how many numbers `1-9`, `1-9/2` or `7` are."""
    found = _RANGE.fullmatch(part)
    if found is None:
        return MOST_NAMES + 1 if _LONG_RANGE.fullmatch(part) else 1
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    return max(0, last - first) // max(1, step) + 1


def _absent(group: str, groups: dict[str, str]) -> bool:
    try:
        return group.removeprefix("@") not in known(groups) and ":" not in group
    except OSError:
        return True


def _no_such_group(group: str, groups: dict[str, str]) -> UsageError:
    name = group.removeprefix("@")
    if name in groups:
        return UsageError(f"'{group}' is empty: rxm.toml gives this group no hosts.")
    from rxm import slips

    there = known(groups)
    meant = slips.meant(name, there)
    hint = f" Did you mean @{meant}?" if meant else ""
    if not hint and there:
        hint = f" Known groups: {', '.join(f'@{each}' for each in there)}."
    return UsageError(f"'{group}' is not a group that rxm.toml or ClusterShell knows.{hint}")


def known(groups: dict[str, str]) -> list[str]:
    """Return the names of all groups, for completion."""
    try:
        others = std_group_resolver().grouplist()
    except (GroupResolverError, GroupSourceError):
        others = []
    return sorted({*groups, *others})
