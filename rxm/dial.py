"""From a host's name to a socket that is connected."""

import _socket  # the part in C: `socket` around it costs rxm's start more than it gives here

from rxm.deadline import Deadline

# One address of a host that is down should not use up the time for the next.
ADDRESS_SECONDS = 5.0


def dial(host: str, port: int, deadline: Deadline) -> _socket.socket:
    """Connect to the first address of `host` that answers. Raises OSError."""
    problem: OSError | None = None
    # As octets: for a text Python fetches its codec of international names first, whatever the text.
    for family, kind, protocol, _name, address in _socket.getaddrinfo(_octets(host), port, type=_socket.SOCK_STREAM):
        sock = _socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.remaining(ADDRESS_SECONDS))
            sock.connect(address)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            problem = error
    raise problem or OSError("the name has no address")


def _octets(host: str) -> bytes:
    """Return a host's name as the resolver takes it. Raises OSError."""
    try:
        return host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError as error:
        raise OSError("this cannot be the name of a host") from error
