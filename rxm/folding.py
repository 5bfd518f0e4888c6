"""The same failure of many hosts, told once: `node[01-20]: ...`, as clush -b does."""

from xman import lowlevel

_HOST = "HOST"


def fold(hosts: list[str]) -> str:
    """Return hosts as the shortest node set; one after the other where ClusterShell is not installed."""
    different = list(dict.fromkeys(hosts))
    if len(different) < 2:
        return "".join(different)
    lowlevel.installed_packages()
    try:
        from ClusterShell.NodeSet import NodeSet, NodeSetException
    except ImportError:
        return ",".join(different)
    try:
        folded = str(NodeSet.fromlist(different))
    except NodeSetException:
        return ",".join(different)
    return folded


class Failures:
    """Collects failures until they are told."""

    def __init__(self) -> None:
        # What is said, without the host's own name -> the hosts, and what each of them said.
        self._said: dict[str, list[tuple[str, str]]] = {}

    def add(self, host: str, message: str) -> None:
        """Keep a failure."""
        self._said.setdefault(message.replace(host, _HOST), []).append((host, message))

    def lines(self) -> list[str]:
        """Return a line for each different failure, and forget them."""
        said, self._said = self._said, {}
        found = []
        for without, each in said.items():
            hosts = [host for host, _message in each]
            message = each[0][1] if len(set(hosts)) == 1 else without
            found.append(f"{fold(hosts)}: {message}")
        return found
