"""Sockets on which hosts report, and descriptors for their connections."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Callable, Iterable

from rxmweb.settings import split_address

_BACKLOG = 1024
# So many are let in at once, before those who are in have a turn; asyncio takes the one number for the other.
_AT_A_TIME = 32
# Of the worker's other parts: the database, rxm and what it says, actions.
_OWN_DESCRIPTORS = 512


async def listen(address: str, every: Iterable[str], made: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    """Listen at one of `every` address, where each connection gets what is `made` for it. Raises OSError."""
    host, port = split_address(address)
    loop = asyncio.get_running_loop()
    if _both(address, every):
        server = await loop.create_server(made, sock=_everywhere(port), backlog=_AT_A_TIME)
    else:
        server = await loop.create_server(made, host, port, backlog=_AT_A_TIME)
    for listening in server.sockets:
        with socket.socket(fileno=os.dup(listening.fileno())) as same:
            same.listen(_BACKLOG)
    return server


def _both(address: str, every: Iterable[str]) -> bool:
    """Whether `address` is all of this machine's, those of IPv4 as well, which no other one names."""
    host, port = split_address(address)
    others = [split_address(other) for other in every if other != address]
    return host == "::" and not any(port == other_port and ":" not in other for other, other_port in others)


def _everywhere(port: int) -> socket.socket:
    """Return a socket for all addresses of this machine: asyncio's own `::` would be those of IPv6 alone."""
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=_AT_A_TIME, dualstack_ipv6=True)
    except OSError as error:
        # No IPv6 in this kernel, or switched off.
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return socket.create_server(("", port), backlog=_AT_A_TIME)


def descriptors(hosts: int, strangers: int) -> int:
    """Allow ourselves a descriptor for each connection, as far as we may; return for how many hosts there are some."""
    wanted = hosts + strangers + _OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    else:
        most = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft)
    return max(1, most - strangers - _OWN_DESCRIPTORS)
