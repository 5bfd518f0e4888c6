"""rxm.toml, read and checked (man rxm.toml(5))."""

from xman import config, lowlevel
from xman.wire.constants import PORT

SYSTEM_PATH = "/etc/xman/rxm.toml"
# A host at a time takes milliseconds; more in flight than this only fills the client's own processor.
DEFAULT_FANOUT = 64
# Among many hosts: for a host that answers this is plenty, and one that hangs gives its place to the next after it.
DEFAULT_CONNECT_SECONDS = 10.0


class Settings:
    """Everything that can be configured."""

    __slots__ = (
        "client_keytab",
        "connect_seconds",
        "domains",
        "fanout",
        "groups",
        "hosts",
        "port",
        "principal",
        "service",
    )

    def __init__(
        self,
        hosts: str = "",
        groups: dict[str, str] | None = None,
        domains: dict[str, str] | None = None,
        port: int = PORT,
        service: str = "host",
        fanout: int = DEFAULT_FANOUT,
        client_keytab: str = "",
        principal: str = "",
        connect_seconds: float = DEFAULT_CONNECT_SECONDS,
    ) -> None:
        self.hosts = hosts
        self.groups = groups or {}
        # Node set of domains -> the host they are on.
        self.domains = domains or {}
        self.port = port
        self.service = service
        self.fanout = fanout
        self.client_keytab = client_keytab
        self.principal = principal
        self.connect_seconds = connect_seconds


def path_of(path: str) -> str:
    """Return which file is read: `path`, or else the user's, or else the system's."""
    user = _user_path()
    # A program's HOME may be one that it cannot look into.
    return path or (user if lowlevel.readable(user) else SYSTEM_PATH)


def load(path: str, warn: bool = True) -> Settings:
    """Read `path`, or else the user's file, or else the system's. Raises ConfigurationError."""
    table = config.load(path_of(path), required=bool(path))
    base = Settings()
    found = Settings(
        hosts=",".join(table.texts("hosts", [])),
        groups=table.mapping("groups"),
        domains=table.mapping("domains"),
        port=table.number("port", base.port, least=1, most=65535),
        service=table.text("service", base.service),
        fanout=table.number("fanout", base.fanout, least=1, most=65535),
        client_keytab=table.text("client_keytab", base.client_keytab),
        principal=table.text("principal", base.principal),
        connect_seconds=table.seconds("connect_seconds", base.connect_seconds),
    )
    for key in table.unknown() if warn else ():
        lowlevel.err(f"rxm: {key}: not known to this release\n")
    return found


def _user_path() -> str:
    base = lowlevel.environment("XDG_CONFIG_HOME") or f"{lowlevel.environment('HOME') or '/'}/.config"
    return f"{base}/xman/rxm.toml"
