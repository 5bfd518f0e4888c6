"""rxm.toml, read and checked (man rxm.toml(5))."""

import os
import sys
from dataclasses import dataclass, field

from xman import config
from xman.wire.constants import PORT

SYSTEM_PATH = "/etc/xman/rxm.toml"
# A host at a time takes milliseconds; more in flight than this only fills the client's own processor.
DEFAULT_FANOUT = 64


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured."""

    hosts: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    # Node set of domains -> the host they are on.
    domains: dict[str, str] = field(default_factory=dict)
    port: int = PORT
    service: str = "host"
    fanout: int = DEFAULT_FANOUT
    client_keytab: str = ""
    principal: str = ""


def load(path: str) -> Settings:
    """Read `path`, or else the user's file, or else the system's. Raises ConfigurationError."""
    if path:
        table = config.load(path, required=True)
    else:
        user = _user_path()
        # A program's HOME may be one that it cannot look into.
        table = config.load(user if os.access(user, os.R_OK) else SYSTEM_PATH, required=False)
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
    )
    for key in table.unknown():
        print(f"rxm: {key}: not known to this release", file=sys.stderr)  # noqa: T201
    return found


def _user_path() -> str:
    base = os.environ.get("XDG_CONFIG_HOME", "") or f"{os.environ.get('HOME', '/')}/.config"
    return f"{base}/xman/rxm.toml"
