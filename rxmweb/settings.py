"""rxmweb.toml, read and checked (man rxmweb(8))."""

import functools
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from rxm.targets import expand
from rxmweb import terminals
from rxmweb.terminals import Terminals
from xman import config, declared
from xman.declared import flag, mapping, number, seconds, text, texts
from xman.errors import UsageError
from xman.wire.constants import PORT

DEFAULT_PATH = "/etc/xman/rxmweb.toml"
EVERYBODY = "*"
# In hexadecimal figures 128 bits, which nobody guesses.
_SHORTEST_SECRET = 32


def _addresses(values: tuple[str, ...]) -> str:
    return next((f"expected ADDRESS:PORT, found {value!r}" for value in values if not split_address(value)[1]), "")


@dataclass(frozen=True)
class Collector:
    """As whom the hosts are asked: a keytab, whose principal needs `show`, `host` and the verb state."""

    client_keytab: str = text("")
    principal: str = text("")
    listen: tuple[str, ...] = texts(
        meaning="Where hosts may report by themselves ([report] in their xmand.toml), by the key of service in keytab:"
        ' ["[::]:4374"]. Empty: nowhere; all hosts are asked.',
        check=_addresses,
    )
    realms: tuple[str, ...] = texts(
        meaning="The realms whose hosts may; empty: that of the key. And the services whose principals are hosts."
    )
    host_services: tuple[str, ...] = texts(("host",))
    expected: tuple[str, ...] = texts(
        meaning="Hosts that will report: names and node sets. They are shown from the start, as not seen yet, accepted"
        " when they report, and not asked before that."
    )
    accepters: tuple[str, ...] = texts(
        meaning="Who may accept hosts that are not among those above, on the page of the hosts; empty: those whom"
        " readers names."
    )


@dataclass(frozen=True)
class History:
    """How much of the past is kept for the plots, and of actions."""

    # A point every five minutes for a day: 288 for each domain, as many as a small plot has pixels.
    sample_seconds: float = seconds(300.0)
    hours: int = number(24, least=1, most=24 * 366)
    # The size cap: about 200 MB in SQLite. With more domains the plots begin later.
    samples: int = number(2_000_000, least=1000, most=10**9)
    action_days: int = number(90, least=1, most=3660)
    # And of the results of actions, one for each machine: about 100 MB.
    results: int = number(200_000, least=1000, most=10**9)


@dataclass(frozen=True)
class Proxy:
    """For a portal behind Apache's mod_auth_gssapi: the headers in which it hands over who it is, and the ticket."""

    user_header: str = text("")
    cache_header: str = text("")
    secret_file: str = text("")
    # What the file says, by which the proxy is told from every other process of this machine.
    secret: str = field(default="", repr=False)


def _secret(proxy: config.Table) -> str:
    """Return the last word of the file: before it may stand what Apache needs to read the same file."""
    path = proxy.text("secret_file", "")
    if not path:
        return ""
    try:
        if not Path(path).is_file() and Path(path).exists():  # a FIFO would be waited for
            raise proxy.error("secret_file", f"{path} is not a file")
        words = Path(path).read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise proxy.error("secret_file", f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
    secret = words[-1].strip('"') if words else ""
    if len(secret) < _SHORTEST_SECRET:
        raise proxy.error("secret_file", f"the last word of {path} has less than {_SHORTEST_SECRET} characters")
    return secret


def _proxy(table: config.Table) -> Proxy:
    return declared.read(Proxy, table, secret=_secret(table))


def _link(value: str) -> str:
    good = value.startswith(("https://", "http://")) and "{host}" in value and value.isprintable() and " " not in value
    return "" if not value or good else f"expected https://... with {{host}} in it, found {value!r}"


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured."""

    listen: str = text(
        "127.0.0.1:8080",
        "Plain HTTP on this machine only, for a proxy or a browser on it; with certificate and key HTTPS, anywhere.",
    )
    certificate: str = text("")
    key: str = text("")
    workers: int = number(2, least=1, most=64)
    threads: int = number(8, least=1, most=256)
    viewers: int = number(32, least=0, most=1000)
    service: str = text("HTTP", "Browsers authenticate to HTTP/FQDN, where FQDN is the name in the address.")
    keytab: str = text("/etc/krb5.keytab")
    constrained: bool = flag(
        False,
        "Whether the realm lets HTTP/FQDN act for people whose browser does not delegate (S4U2Proxy). Where the keytab"
        ' has keys of several HTTP/FQDN, say which one in service: "HTTP@FQDN".',
    )
    password_form: bool = flag(
        False,
        "Whether browsers that know no tickets may sign on by name and password, over HTTPS only. The password goes to"
        " the KDC and is kept nowhere; but whoever has the portal could have it.",
    )
    database: str = text(
        "sqlite:////var/lib/rxmweb/portal.db",
        'One file, or "postgresql://user@database.example.org/portal?gssencmode=require" for several portals.',
    )
    run_dir: str = text("/run/rxmweb", "Tickets, and what actions say; of no use after a restart of the machine.")
    hosts: tuple[str, ...] = texts(meaning="The hosts that are shown: names and node sets.")
    port: int = number(PORT, least=1, most=65535)
    host_service: str = text("host")
    interval_seconds: float = seconds(
        60.0, "How often the hosts are asked. Three intervals without a report make a row grey."
    )
    readers: tuple[str, ...] = texts(
        meaning='Who may see every machine: full principals, or "*" for everybody with a ticket. Others see those of'
        " their own jobs. Who may do what is decided by each host."
    )
    # No longer than a working day, whatever the ticket's life.
    session_hours: float = seconds(10.0, "A session ends with its ticket, or after so long.")
    metrics_from: tuple[str, ...] = texts(("127.0.0.1", "::1"), "The addresses that may read /metrics.")
    groups: dict[str, str] = mapping(
        "Tabs over the table: names for node sets.", example='Brno = "skirit[80-84].example.org"'
    )
    host_link: str = text(
        "",
        'The monitoring of hosts at this site: "https://munin.example.org/{host}" is a link on the page of each.',
        check=_link,
    )
    collector: Collector = declared.table(
        Collector,
        "The identity that asks hosts: a keytab whose principal has the families show and host and the verb state on"
        " each of them ([authorize.principals] in their xmand.toml), and need not be on any list. Without one, the"
        " tickets of its environment.",
    )
    history: History = declared.table(History, "How much of the past is kept.")
    proxy: Proxy = declared.table(
        Proxy,
        "Behind Apache with mod_auth_gssapi: in which headers it says who it is, and where their ticket is; and the"
        " file whose last word it shows in the header X-Rxmweb-Secret, without which it is not believed.",
        reader=_proxy,
    )
    # A table of free keys, read by `terminals.read`.
    terminals: Terminals = terminals.NONE
    # `file: key` of keys that mean nothing to this release.
    unknown: tuple[str, ...] = ()

    def host_names(self) -> list[str]:
        """Return every configured host, once each and in order. Raises UsageError."""
        return list(dict.fromkeys(name for text in self.hosts for name in expand(text, self.groups)))

    def expected_names(self) -> list[str]:
        """Return every host that is expected to report and is not asked before it does. Raises UsageError."""
        asked = set(self.host_names())
        found = (name for text in self.collector.expected for name in expand(text, self.groups))
        return [name for name in dict.fromkeys(found) if name not in asked]

    @functools.cached_property
    def expected(self) -> frozenset[str]:
        """Those hosts, to look for one of them. Raises UsageError."""
        return frozenset(self.expected_names())

    @functools.cached_property
    def expected_places(self) -> range:
        """Return where they are among those that are shown. Raises UsageError."""
        first = len(self.host_names())
        return range(first, first + len(self.expected))

    def shown_names(self) -> list[str]:
        """Return every host that has a row from the start. Raises UsageError."""
        return [*self.host_names(), *self.expected_names()]

    def members(self) -> dict[str, list[str]]:
        """Return the hosts of each group. Raises UsageError."""
        return {name: expand(text, self.groups) for name, text in self.groups.items()}

    def accepts_hosts(self, principal: str) -> bool:
        """Whether `principal` may accept hosts that report."""
        named = self.collector.accepters or self.readers
        return principal in named and self.reads_all(principal)

    def reads_all(self, principal: str) -> bool:
        """Whether `principal` may see every domain."""
        return principal in self.readers or EVERYBODY in self.readers


def load_all(path: str | None) -> tuple[Settings | None, list[str]]:
    """Return the settings with the default in place of each wrong value, and what is wrong with each.

    They are None where the file cannot be read at all.
    """
    return config.tolerant(lambda without: load(path, without))


def load(path: str | None, without: tuple[tuple[str, ...], ...] = ()) -> Settings:
    """Read `path`, or the default file where there is one. Raises ConfigurationError."""
    name = path or DEFAULT_PATH
    table = config.load(name, required=path is not None, without=without)
    found = declared.read(Settings, table)
    desks = terminals.read(table.table("terminals"), found.groups)
    found = replace(found, terminals=desks, unknown=tuple(table.unknown()))
    _check(found, table)
    return found


def _check(found: Settings, table: config.Table) -> None:
    names = (("hosts", found.host_names), ("groups", found.members), ("collector.expected", found.expected_names))
    for key, read in names:
        try:
            read()
        except UsageError as error:
            raise table.error(key, str(error)) from error
    if found.collector.expected and not found.collector.listen:
        raise table.error("collector.expected", "no host can report where collector.listen is empty")
    proxy = table.table("proxy")
    if bool(found.certificate) != bool(found.key):
        raise table.error("certificate", "certificate and key belong together")
    host, port = split_address(found.listen)
    if not port:
        raise table.error("listen", f"expected ADDRESS:PORT, found {found.listen!r}")
    if not found.certificate and not is_loopback(host):
        raise table.error(
            "listen", f"{host} is no loopback address, where only HTTPS is served: give certificate and key"
        )
    if found.proxy.user_header and not is_loopback(host):
        raise proxy.error("user_header", "trusted from this machine only: listen must be a loopback address")
    if found.proxy.user_header and not found.proxy.secret:
        raise proxy.error("user_header", "trusted only with a secret: set proxy.secret_file")


def portal_name(settings: Settings) -> str:
    """Return the name of this portal among those that share a database: where its tickets are."""
    return f"{os.uname().nodename}:{settings.run_dir}"


def split_address(text: str) -> tuple[str, int]:
    """Return (address, port) of `127.0.0.1:8080` or `[::1]:8080`; port 0 where it has none."""
    host, colon, port = text.rpartition(":")
    good = colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536
    return host.strip("[]"), int(port) if good else 0


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
