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


def _absent(group: str, groups: dict[str, str]) -> bool:
    try:
        return group.removeprefix("@") not in known(groups) and ":" not in group
    except OSError:
        return True


def _no_such_group(group: str, groups: dict[str, str]) -> UsageError:
    name = group.removeprefix("@")
    if name in groups:
        return UsageError(f"'{group}' is not a group of any hosts: rxm.toml gives it none.")
    from rxm import slips

    there = known(groups)
    meant = slips.meant(name, there)
    hint = f" Did you mean @{meant}?" if meant else ""
    if not hint and there:
        hint = f" There are: {', '.join(f'@{each}' for each in there)}."
    return UsageError(f"'{group}' is not a group that rxm.toml or ClusterShell knows.{hint}")


def known(groups: dict[str, str]) -> list[str]:
    """Return the names of all groups, for completion."""
    try:
        others = std_group_resolver().grouplist()
    except (GroupResolverError, GroupSourceError):
        others = []
    return sorted({*groups, *others})
