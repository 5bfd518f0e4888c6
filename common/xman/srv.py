"""Hosts that the DNS names for a service (SRV records, RFC 2782): `srv:_xmand._tcp.example.org` where names may stand.

dnspython asks; it is imported only where such a word stands. Unsigned, the DNS says who is asked or told, and Kerberos
who that really is.
"""

import random

from xman import lowlevel
from xman.errors import UnreachableError, UsageError

PREFIX = "srv:"
# However the resolver is configured: who asks has more to do.
_SECONDS = 10.0
# More than any answer has room for.
_MOST_RECORDS = 10_000
_PORTS, _PORT_DIGITS = 1 << 16, 6
# The DNS may hold any octets; here such a name would be taken for a range of hosts, or for several.
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
# Of addresses of IPv6; and what stands in ranges, lists, groups and URLs: here each host is named.
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF:.")
_NO_NAME = frozenset(" /[](){},;@*?!&^|'\"\\")


class Place:
    """One target: where a service is."""

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and (self.host, self.port) == (other.host, other.port)

    def __hash__(self) -> int:
        return hash((self.host, self.port))

    def __repr__(self) -> str:
        return f"Place({self.host!r}, {self.port})"


def place(word: str, port: int) -> Place:
    """Return the place that `portal.example.org`, `portal.example.org:4374` or `[2001:db8::1]:4374` is.

    `port` is that of a word without one. Raises UsageError.
    """
    host, colon, given = word.rpartition(":")
    if not colon or (word.startswith("[") and word.endswith("]")) or (":" in host and not host.endswith("]")):
        host, given = word, str(port)
    within = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if within else host
    number = int(given) if given.isascii() and given.isdigit() and len(given) < _PORT_DIGITS else 0
    # An address of IPv6, with the interface behind it where it has one; nothing else has colons, or stands in brackets.
    address = _HEXADECIMAL.issuperset(name.partition("%")[0])
    is_name = bool(name) and name.isprintable() and _NO_NAME.isdisjoint(name)
    if not is_name or not 0 < number < _PORTS or ((":" in name or within) and not address):
        raise UsageError(f"expected HOST, HOST:PORT or srv:_SERVICE._tcp.DOMAIN, found {word!r}")
    return Place(name, number)


def lookup(word: str) -> list[Place]:
    """Return where the service is that `word` (`srv:_xmand._tcp.example.org`) names, in the order to be tried.

    Of one priority the order is drawn by lot, by weight. Raises UsageError and UnreachableError.
    """
    name = word.removeprefix(PREFIX).strip()
    if not name.startswith("_") or "._" not in name:
        raise UsageError(f"'{word}': expected srv:_SERVICE._tcp.DOMAIN.")
    lowlevel.installed_packages()
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        raise UsageError(
            f"'{word}': SRV records need dnspython, which is not installed (Debian: python3-dnspython)."
        ) from None
    try:
        answer = dns.resolver.resolve(name, "SRV", lifetime=_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
        raise UsageError(f"'{word}': the DNS has no such SRV record.") from error
    except dns.exception.DNSException as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnreachableError(f"'{word}': the DNS does not answer: {said}") from error
    # A target of "." says that there is no such service (RFC 2782).
    records = [one for one in list(answer)[:_MOST_RECORDS] if str(one.target) != "."]
    if not records:
        raise UsageError(f"'{word}': the DNS says that there is no such service.")
    records = [one for one in records if _LETTERS.issuperset(str(one.target).lower())]
    if not records:
        raise UsageError(f"'{word}': the DNS has no name there that can be a host's.")
    drawn = sorted(records, key=lambda one: (one.priority, -(random.random() ** (1.0 / max(one.weight, 0.1)))))  # noqa: S311
    return [Place(str(one.target).rstrip("."), int(one.port)) for one in drawn]
