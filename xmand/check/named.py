"""What the configuration names that this host's libvirt or kernel should have: pools, networks, bridges, folders."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from xman.errors import RefusedError, UnsupportedError, XmanError
from xman.finding import BAD, NOTE, Finding
from xmand.settings import Settings
from xmand.virt import in_place, pools
from xmand.virt.binding import RawConnection
from xmand.virt.errors import reading

_NET = Path("/sys/class/net")
# Of volumes that have the same wrong with them.
_MOST_NAMED = 8


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
    yield from _in_place(connection)
    for path in create.paths:
        if not Path(path).is_dir():
            yield NOTE, f"create.paths: {path} is not a folder of this host now; check its spelling"


def _in_place(connection: RawConnection) -> Iterator[Finding]:
    """Yield the volumes that are not read, since they are links out of their pool, and who could make such."""
    with contextlib.suppress(XmanError, OSError):  # a libvirt without storage, a folder that is out of sight
        for pool in pools.each(connection):
            folder = pool.folder()
            if not folder or not Path(folder).is_dir():
                continue
            found = Path(folder).stat()
            by_group = found.st_mode & stat.S_IWGRP and found.st_gid != 0
            if found.st_uid not in (0, os.geteuid()) or found.st_mode & stat.S_IWOTH or by_group:
                text = f"others than root can change what is in {folder}, also while libvirt uses it"
                yield NOTE, f"storage: the pool '{pool.name}': {text}; let root alone write there if you can"
            out = [facts.name for facts in pool.volumes() if _leads_out(folder, facts.path)]
            for name in out[:_MOST_NAMED]:
                text = "leads out of the pool's folder, so nothing is read from it, built upon it or wiped there"
                yield NOTE, f"storage: the volume '{name}' of the pool '{pool.name}' {text} (since 0.2)"
            if len(out) > _MOST_NAMED:
                yield NOTE, f"storage: {len(out) - _MOST_NAMED} more volumes of the pool '{pool.name}' do so"


def _leads_out(folder: str, path: str) -> bool:
    try:
        in_place.look(folder, path)
    except RefusedError:
        return Path(path).is_symlink()
    return False


def _missing(kind: str, key: str, what: str, names: Iterable[str], there: list[str]) -> Iterator[Finding]:
    for name in names:
        if not any(fnmatchcase(each, name) for each in there):
            has = f"it has {', '.join(sorted(there)[:8])}" if there else "it has none"
            yield kind, f"{key}: libvirt has no {what} '{name}' ({has}); make it, or correct its spelling"
