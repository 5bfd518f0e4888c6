"""What the configuration names that this host's libvirt or kernel should have: pools, networks, bridges, folders."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from xman.errors import UnsupportedError
from xman.finding import BAD, NOTE, Finding
from xmand.settings import Settings
from xmand.virt import pools
from xmand.virt.binding import RawConnection
from xmand.virt.errors import reading

_NET = Path("/sys/class/net")


def check(settings: Settings, connection: RawConnection) -> Iterator[Finding]:
    """Yield what is not there. Raises HypervisorError."""
    create, launch = settings.create, settings.launch
    if create.pools or launch.pools or launch.pool or settings.storage.wipe:
        try:
            there = [pool.name for pool in pools.each(connection)]
        except UnsupportedError as error:
            yield BAD, f"storage: the configuration names pools, but {str(error).rstrip('.')}; remove them"
            there = []
        else:
            yield from _missing(BAD, "launch.pools", "pool", launch.pools, there)
            yield from _missing(BAD, "launch.pool", "pool", filter(None, [launch.pool]), there)
            yield from _missing(NOTE, "create.pools", "pool", create.pools, there)
            yield from _missing(NOTE, "storage.wipe", "pool", settings.storage.wipe, there)
    if create.networks or launch.networks:
        with reading():
            networks = [str(raw.name()) for raw in connection.listAllNetworks(0)]
        yield from _missing(BAD, "launch.networks", "network", launch.networks, networks)
        yield from _missing(NOTE, "create.networks", "network", create.networks, networks)
    for bridge in create.bridges:
        if not (_NET / bridge / "bridge").exists() and not (_NET / bridge / "openvswitch").exists():
            yield NOTE, f"create.bridges: this host has no bridge '{bridge}' now; check its spelling"
    for path in create.paths:
        if not Path(path).is_dir():
            yield NOTE, f"create.paths: {path} is not a folder of this host now; check its spelling"


def _missing(kind: str, key: str, what: str, names: Iterable[str], there: list[str]) -> Iterator[Finding]:
    for name in names:
        if not any(fnmatchcase(each, name) for each in there):
            has = f"it has {', '.join(sorted(there)[:8])}" if there else "it has none"
            yield kind, f"{key}: libvirt has no {what} '{name}' ({has}); make it, or correct its spelling"
