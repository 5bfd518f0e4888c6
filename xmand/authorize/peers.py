"""Other hosts, by their own keys: what two xmands ask of each other, and nothing that is a person's."""

import contextlib
import re

from ClusterShell.NodeSet import NodeSet, NodeSetParseError

from xman import keytab
from xman.between import BETWEEN
from xman.errors import RefusedError
from xmand.authorize.grant import Grant

# A plain name, with nothing in it that a node set takes for a sign.
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,253}[a-z0-9])?")
_GRANT = Grant(frozenset(BETWEEN))


class Peers:
    """Those of `accept`, node sets of host names, whose principals are `service`/FQDN of a realm of this host's own.

    Another realm that ours trusts may call anything a host.
    """

    def __init__(self, accept: tuple[str, ...], service: str, keys: str) -> None:
        # Taken apart once: for each command of any host of the realm it is asked, on the event loop.
        self._accept: list[NodeSet] = []
        for pattern in accept:
            with contextlib.suppress(RefusedError):  # no node set: xmand --check says so
                self._accept.append(_hosts(pattern))
        self._service = service
        self._realms = _realms(keys, service) if accept else frozenset()

    def grant(self, principal: str) -> Grant | None:
        """Return what the principal of a host may."""
        if principal.rpartition("@")[2] not in self._realms:
            return None
        host = host_of(principal, self._service)
        return _GRANT if host and any(host in hosts for hosts in self._accept) else None


def _realms(keys: str, service: str) -> frozenset[str]:
    try:
        own = [key.principal for key in keytab.read(keys)]
    except keytab.KeytabError:
        return frozenset()
    return frozenset(name.rpartition("@")[2] for name in own if name.startswith(f"{service}/"))


def host_of(principal: str, service: str) -> str:
    """Return the name of the host whose principal that is; empty where it is none's."""
    name, _, realm = principal.rpartition("@")
    first, slash, host = name.partition("/")
    if not slash or not realm or first != service or host != host.lower() or not _HOST.fullmatch(host):
        return ""
    return host


def within(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether `host`, a plain name or address, is in one of the node sets. Raises RefusedError for no node set."""
    return any(host.lower() in _hosts(pattern) for pattern in patterns)


def _hosts(pattern: str) -> NodeSet:
    """Return the hosts of a pattern, as they are compared. Raises RefusedError for no node set."""
    try:
        return NodeSet(_canonical(pattern), autostep=None)
    except NodeSetParseError as error:
        raise RefusedError(f"[migrate] in xmand.toml: {error}") from error


def _canonical(pattern: str) -> str:
    """Return a node set of host names as they are compared: without case, and without dots at their ends."""
    return ",".join(part.strip().removesuffix(".") for part in pattern.lower().split(","))
