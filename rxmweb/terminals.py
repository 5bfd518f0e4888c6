"""The terminals of laboratories, as rxmweb.toml has them, and which of them asks: by its principal, or its address.

An address is no secret: who can have it is given what it names. A principal is proved by the terminal's keytab. Pure.
"""

import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rxm.targets import expand
from xman import config, terminals
from xman.errors import UsageError
from xman.labels import is_key

_SERVICE = "host"
# More desks than any house has; a slip in a node set is not to take minutes.
_MOST = 10_000
# The addresses that proxies have forwarded for; and in which the site's own shows that it is the one.
_FORWARDED = "X-Forwarded-For"
SECRET_HEADER = "X-Rxmweb-Secret"  # noqa: S105


@dataclass(frozen=True)
class Terminal:
    """One terminal: its laboratory and the profile of its machines, both without @, and its address, if it has one.

    A `sticky` one has one machine for good: that which `rxm assign` gave it, or the first that it gets.
    """

    name: str
    lab: str = ""
    profile: str = ""
    sticky: bool = False
    address: str = ""


@dataclass(frozen=True)
class Terminals:
    """All of them, by their names in small letters."""

    known: Mapping[str, Terminal]
    by_address: Mapping[str, Terminal]

    def of_principal(self, principal: str, realms: Iterable[str]) -> Terminal | None:
        """Return the terminal of `host/NAME@REALM`, of one of the realms that are believed."""
        service, slash, rest = principal.partition("/")
        name, at, realm = rest.rpartition("@")
        if service != _SERVICE or not slash or not at or realm not in set(realms):
            return None
        return self.known.get(name.lower())

    def of_address(self, address: str) -> Terminal | None:
        """Return the terminal with that address."""
        return self.by_address.get(_plain(address) or "")

    def labs(self) -> list[str]:
        """Return the laboratories, in the order of the configuration."""
        return list(dict.fromkeys(terminal.lab for terminal in self.known.values()))

    def of_lab(self, lab: str) -> list[Terminal]:
        """Return the terminals of a laboratory, in the order of the configuration."""
        return [terminal for terminal in self.known.values() if terminal.lab == lab]


class Headers(Protocol):
    """A request's headers, whose names are taken in any letters."""

    def get(self, key: str, default: str, /) -> str:
        """Return a header, or the default."""


NONE = Terminals({}, {})


def read(table: config.Table, groups: dict[str, str]) -> Terminals:
    """Read `[terminals]`: node set = { lab, profile, sticky, address }. Raises ConfigurationError."""
    known: dict[str, Terminal] = {}
    for key in table.names():
        for terminal in _read(table, key, groups):
            if known.setdefault(terminal.name.lower(), terminal) is not terminal:
                raise table.error(key, f"the terminal {terminal.name} is in two of them")
        if len(known) > _MOST:
            raise table.error(key, f"more than {_MOST} terminals")
    by_address: dict[str, Terminal] = {}
    for terminal in known.values():
        if terminal.address and by_address.setdefault(terminal.address, terminal) is not terminal:
            first = by_address[terminal.address].name
            raise table.error(terminal.name, f"{first} and {terminal.name} have the same address {terminal.address}")
    return Terminals(known, by_address)


def _read(table: config.Table, key: str, groups: dict[str, str]) -> list[Terminal]:
    inner = table.table(key)
    lab, profile = inner.text("lab", "").removeprefix("@"), inner.text("profile", "")
    for name, value in (("lab", lab), ("profile", profile)):
        if not (is_key(value) if name == "lab" else value and value.isprintable()):
            raise inner.error(name, f"expected the name of a {name}, found {value!r}")
    sticky, addresses = inner.flag("sticky", False), inner.text("address", "")
    for word in inner.unasked():
        raise inner.error(word, "there is no such key; a terminal has lab, profile, sticky and address")
    names = _expanded(table, key, key, groups)
    places = _expanded(inner, "address", addresses, {}) if addresses else [""] * len(names)
    if len(places) != len(names):
        raise inner.error("address", f"{len(names)} terminals, and {len(places)} addresses")
    plain = [_plain(place) if place else "" for place in places]
    for name, place, address in zip(names, places, plain, strict=True):
        if not terminals.is_name(name):
            raise table.error(key, f"{name!r} cannot name a terminal")
        # Behind a proxy everybody comes from there.
        if address is None or (address and ipaddress.ip_address(address).is_loopback):
            raise inner.error("address", f"{place!r} is no address of another machine")
    return [Terminal(name, lab, profile, sticky, address or "") for name, address in zip(names, plain, strict=True)]


def _expanded(table: config.Table, key: str, text: str, groups: dict[str, str]) -> list[str]:
    try:
        return expand(text, groups)
    except UsageError as error:
        raise table.error(key, str(error)) from error


def _plain(address: str) -> str | None:
    """Return an address in one way of writing it; None of what is none."""
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def of_lab(labs: str | None, lab: str) -> bool:
    """Whether a profile is for a laboratory: one that names none is for all."""
    return not labs or lab in (name.removeprefix("@") for name in labs.split())


def address_of(peer: str, headers: Headers, secret: str) -> str:
    """Return from where a request comes: from its peer or, where that is the site's proxy, from where that says.

    Only who shows the proxy's secret on this machine is believed, and of what it forwards only the last address, which
    it has added itself: all before it may be anybody's words. Any other peer of this machine's comes from nowhere.
    """
    try:
        local = ipaddress.ip_address(_plain(peer) or "").is_loopback
    except ValueError:
        local = True
    if not local:
        return peer
    shown = headers.get(SECRET_HEADER, "")
    if not secret or not hmac.compare_digest(shown.encode(), secret.encode()):
        return ""
    return headers.get(_FORWARDED, "").rpartition(",")[2].strip()
