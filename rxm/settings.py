"""rxm.toml, read and checked (man rxm.toml(5))."""

from xman import config, lowlevel
from xman.config import Setting
from xman.wire.constants import PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SYSTEM_PATH = "/etc/xman/rxm.toml"
# A host at a time takes milliseconds; more in flight than this only fills the client's own processor.
DEFAULT_FANOUT = 64
# Among many hosts: for a host that answers this is plenty, and one that hangs gives its place to the next after it.
DEFAULT_CONNECT_SECONDS = 10.0


def _portal(value: str) -> str:
    """Return what is wrong with a portal's address, empty where nothing is."""
    host = value.removeprefix("https://").rstrip("/")
    good = value.startswith("https://") and host and value.isprintable() and {" ", "?", "#", "@"}.isdisjoint(host)
    return "" if not value or good else f"expected https://HOST or https://HOST:PORT, found {value!r}"


# Each with what the example file says of it (etc/xman/rxm.toml).
SETTINGS = (
    Setting(
        "hosts",
        config.JOINED,
        "",
        "The hosts that rxm calls without -H; by default this machine.",
        example='hosts = ["skirit[80-84].example.org"]',
    ),
    Setting("port", config.NUMBER, PORT, "Where xmand listens there, and the service of its key.", 1, 65535),
    Setting("service", config.WORD, "host"),
    Setting("fanout", config.NUMBER, DEFAULT_FANOUT, "How many hosts at a time.", 1, 65535),
    Setting(
        "connect_seconds",
        config.SECONDS,
        DEFAULT_CONNECT_SECONDS,
        "With several hosts: how long one may take to connect and authenticate.",
    ),
    Setting(
        "client_keytab",
        config.WORD,
        "",
        "For programs that have no ticket: a keytab, and which of its principals to use.",
    ),
    Setting("principal", config.WORD, ""),
    Setting(
        "portal",
        config.WORD,
        "",
        "A portal that hosts report to: rxm hosts asks it first, and then the hosts of which it has no report.",
        example='portal = "https://portal.example.org"',
        check=_portal,
    ),
    Setting(
        "groups",
        config.NAMED,
        {},
        "Names for node sets: -H @cluster",
        example='cluster = "skirit[80-84].example.org"',
    ),
    # Node set of domains -> the host they are on.
    Setting(
        "domains",
        config.NAMED,
        {},
        "Which host a domain is on, so that rxm need not ask.",
        example='"vm[1-2]" = "skirit80.example.org"',
    ),
)


class Settings:
    """Everything that can be configured."""

    __slots__ = tuple(row.name for row in SETTINGS)

    hosts: str
    port: int
    service: str
    fanout: int
    connect_seconds: float
    client_keytab: str
    principal: str
    portal: str
    groups: dict[str, str]
    domains: dict[str, str]

    def __init__(self, **given: "Any") -> None:
        for row in SETTINGS:
            value = given.pop(row.name, None)
            setattr(self, row.name, row.default if value is None else value)
        if given:
            raise TypeError(f"no such setting: {', '.join(given)}")


def path_of(path: str) -> str:
    """Return which file is read: `path`, or else the user's, or else the system's."""
    user = _user_path()
    # A program's HOME may be one that it cannot look into.
    return path or (user if lowlevel.readable(user) else SYSTEM_PATH)


def load(path: str, warn: bool = True) -> Settings:
    """Read `path`, or else the user's file, or else the system's. Raises ConfigurationError."""
    table = config.load(path_of(path), required=bool(path))
    found = Settings(**{row.name: row.read(table) for row in SETTINGS})
    # Said to be nobody, it must not become this machine, or all.
    if "hosts" in table.names() and not all(table.texts("hosts", []) or [""]):
        raise table.error("hosts", "an empty list, or text, names no host; leave it out for this machine")
    for name, host in found.domains.items():
        if not host.strip():
            raise table.error("domains", f"'{name}' is on no host; name one, or leave it out")
    for key in table.unknown() if warn else ():
        lowlevel.err(f"rxm: {key}: not known to this release\n")
    return found


def _user_path() -> str:
    base = lowlevel.environment("XDG_CONFIG_HOME") or f"{lowlevel.environment('HOME') or '/'}/.config"
    return f"{base}/xman/rxm.toml"
