"""rxmweb.toml, read and checked (man rxmweb(8))."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from rxm.targets import expand
from xman import config
from xman.errors import UsageError
from xman.wire.constants import PORT

DEFAULT_PATH = "/etc/xman/rxmweb.toml"
EVERYBODY = "*"
# In hexadecimal figures 128 bits, which nobody guesses.
_SHORTEST_SECRET = 32


@dataclass(frozen=True)
class Collector:
    """As whom the hosts are asked: a keytab, whose principal needs `show`, `host` and the verb state."""

    client_keytab: str = ""
    principal: str = ""


@dataclass(frozen=True)
class History:
    """How much of the past is kept for the plots, and of actions."""

    # A point every five minutes for a day: 288 for each domain, as many as a small plot has pixels.
    sample_seconds: float = 300.0
    hours: int = 24
    # The size cap: about 200 MB in SQLite. With more domains the plots begin later.
    samples: int = 2_000_000
    action_days: int = 90
    # And of the results of actions, one for each machine: about 100 MB.
    results: int = 200_000


@dataclass(frozen=True)
class Proxy:
    """For a portal behind Apache's mod_auth_gssapi: the headers in which it hands over who it is, and the ticket."""

    user_header: str = ""
    cache_header: str = ""
    secret_file: str = ""
    # What the file says, by which the proxy is told from every other process of this machine.
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured."""

    listen: str = "127.0.0.1:8080"
    certificate: str = ""
    key: str = ""
    workers: int = 2
    threads: int = 8
    service: str = "HTTP"
    keytab: str = "/etc/krb5.keytab"
    # S4U2Proxy: act for people whose browser does not delegate, where the realm allows the service to.
    constrained: bool = False
    database: str = "sqlite:////var/lib/rxmweb/portal.db"
    run_dir: str = "/run/rxmweb"
    hosts: tuple[str, ...] = ()
    # Tabs: name -> node set.
    groups: dict[str, str] = field(default_factory=dict)
    port: int = PORT
    host_service: str = "host"
    interval_seconds: float = 60.0
    # Who may see every domain; others see those of their own jobs.
    readers: tuple[str, ...] = ()
    # No longer than a working day, whatever the ticket's life.
    session_hours: float = 10.0
    metrics_from: tuple[str, ...] = ("127.0.0.1", "::1")
    collector: Collector = field(default_factory=Collector)
    history: History = field(default_factory=History)
    proxy: Proxy = field(default_factory=Proxy)
    # `file: key` of keys that mean nothing to this release.
    unknown: tuple[str, ...] = ()

    def host_names(self) -> list[str]:
        """Return every configured host, once each and in order. Raises UsageError."""
        return list(dict.fromkeys(name for text in self.hosts for name in expand(text, self.groups)))

    def members(self) -> dict[str, list[str]]:
        """Return the hosts of each group. Raises UsageError."""
        return {name: expand(text, self.groups) for name, text in self.groups.items()}

    def reads_all(self, principal: str) -> bool:
        """Whether `principal` may see every domain."""
        return principal in self.readers or EVERYBODY in self.readers


def load_all(path: str | None) -> tuple[Settings, list[str]]:
    """Return the settings with the default in place of each wrong value, and what is wrong with each."""
    return config.tolerant(lambda without: load(path, without), Settings())


def load(path: str | None, without: tuple[tuple[str, ...], ...] = ()) -> Settings:
    """Read `path`, or the default file where there is one. Raises ConfigurationError."""
    name = path or DEFAULT_PATH
    table = config.load(name, required=path is not None, without=without)
    base = Settings()
    collector, history, proxy = table.table("collector"), table.table("history"), table.table("proxy")
    found = Settings(
        listen=table.text("listen", base.listen),
        certificate=table.text("certificate", base.certificate),
        key=table.text("key", base.key),
        workers=table.number("workers", base.workers, least=1, most=64),
        threads=table.number("threads", base.threads, least=1, most=256),
        service=table.text("service", base.service),
        keytab=table.text("keytab", base.keytab),
        constrained=table.flag("constrained", base.constrained),
        database=table.text("database", base.database),
        run_dir=table.text("run_dir", base.run_dir),
        hosts=tuple(table.texts("hosts", list(base.hosts))),
        groups=table.mapping("groups"),
        port=table.number("port", base.port, least=1, most=65535),
        host_service=table.text("host_service", base.host_service),
        interval_seconds=table.seconds("interval_seconds", base.interval_seconds),
        readers=tuple(table.texts("readers", list(base.readers))),
        session_hours=table.seconds("session_hours", base.session_hours),
        metrics_from=tuple(table.texts("metrics_from", list(base.metrics_from))),
        collector=Collector(
            client_keytab=collector.text("client_keytab", base.collector.client_keytab),
            principal=collector.text("principal", base.collector.principal),
        ),
        history=History(
            sample_seconds=history.seconds("sample_seconds", base.history.sample_seconds),
            hours=history.number("hours", base.history.hours, least=1, most=24 * 366),
            samples=history.number("samples", base.history.samples, least=1000, most=10**9),
            action_days=history.number("action_days", base.history.action_days, least=1, most=3660),
            results=history.number("results", base.history.results, least=1000, most=10**9),
        ),
        proxy=Proxy(
            user_header=proxy.text("user_header", base.proxy.user_header),
            cache_header=proxy.text("cache_header", base.proxy.cache_header),
            secret_file=proxy.text("secret_file", base.proxy.secret_file),
            secret=_secret(proxy),
        ),
        unknown=tuple(table.unknown()),
    )
    _check(found, table)
    return found


def _check(found: Settings, table: config.Table) -> None:
    for key, read in (("hosts", found.host_names), ("groups", found.members)):
        try:
            read()
        except UsageError as error:
            raise table.error(key, str(error)) from error
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
        raise proxy.error("user_header", "believed from this machine only: listen must be a loopback address")
    if found.proxy.user_header and not found.proxy.secret:
        raise proxy.error("user_header", "believed from who knows a secret only: set proxy.secret_file")


def _secret(proxy: config.Table) -> str:
    """Return the last word of the file: before it may stand what Apache needs to read the same file."""
    path = proxy.text("secret_file", "")
    if not path:
        return ""
    try:
        words = Path(path).read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise proxy.error("secret_file", f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
    secret = words[-1].strip('"') if words else ""
    if len(secret) < _SHORTEST_SECRET:
        raise proxy.error("secret_file", f"the last word of {path} has less than {_SHORTEST_SECRET} characters")
    return secret


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
