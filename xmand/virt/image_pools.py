"""Images that machines are made of, and machines' own disks: volumes of libvirt's storage pools.

Nothing here needs a right of xmand's own on a file: libvirt makes, fills and deletes them.
"""

import contextlib
import functools
import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xman.errors import HypervisorError, RefusedError, UnsupportedError, XmanError
from xmand.virt import in_place, pools, room
from xmand.virt.binding import RawConnection, api
from xmand.virt.contents import let_go
from xmand.virt.errors import reading
from xmand.virt.pools import Pool
from xmand.virt.volumes import MOST_OCTETS, QCOW2, RAW, Facts, Volume, changing

# Names of volumes that are machines' own, by the machine's UUID: no image, and nobody else's.
_OWN = "xman-{uuid}{what}"
_IS_OWN = re.compile(r"xman-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[.-]")
DISK, SEED = ".qcow2", "-seed.iso"
# What is beside an image, in words for people.
_SIDECAR = ".toml"
_MOST_SIDECAR = 4096
# For so long what was seen of a pool is good enough to be looked at.
_LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class Image:
    """An image: its pool, what its volume is, and whether there is something beside it."""

    pool: str
    volume: Facts
    sidecar: bool = False

    @property
    def name(self) -> str:
        """What it is called: as its volume is."""
        return self.volume.name


def own(uuid: str, what: str) -> str:
    """Return the name of a volume that is the own one (`DISK`, `SEED`) of the machine with this UUID."""
    return _OWN.format(uuid=uuid, what=what)


def images(connection: RawConnection, names: tuple[str, ...], wanted: Callable[[str], bool]) -> list[Image]:
    """Return the images in the pools that can be looked into, by name; of the same name the first pool's.

    Raises HypervisorError.
    """
    found: dict[str, Image] = {}
    for pool in _there(connection, names):
        volumes = pool.volumes()
        beside = {facts.name for facts in volumes}
        for facts in volumes:
            good = facts.format in (QCOW2, RAW) and not _IS_OWN.match(facts.name) and not facts.name.endswith(_SIDECAR)
            # Nothing yet, or more than any disk has: what its head says is wrong.
            good &= 0 < facts.capacity < MOST_OCTETS
            if good and wanted(facts.name):
                found.setdefault(facts.name, Image(pool.name, facts, f"{facts.name}{_SIDECAR}" in beside))
    return [found[name] for name in sorted(found)]


def unusable(connection: RawConnection, names: tuple[str, ...]) -> list[str]:
    """Return those of the pools that are not there, or not active."""
    active = {pool.name for pool in _there(connection, names) if pool.facts()["active"]}
    return [name for name in names if name not in active]


def refresh(connection: RawConnection, names: tuple[str, ...]) -> None:
    """Start those that are not active, as after libvirt's own restart, and let all see files that others made there.

    What cannot be is left as it is.
    """
    for pool in _there(connection, names):
        _refresh(pool, active=pool.facts()["active"])


def _refresh(pool: Pool, *, active: bool) -> None:
    if not active:
        _wake(pool)
    pool.refresh()


def awake(connection: RawConnection, name: str) -> Pool:
    """Return the pool of machines' own disks, started where it is not active, as after libvirt's own restart.

    Raises RefusedError where it cannot be.
    """
    pool = pools.named(connection, name)
    if not pool.facts()["active"]:
        _wake(pool)
    pool.require_active()
    return pool


def there(pool: Pool, name: str) -> Volume | None:
    """Return a volume that is to be deleted, None where there is none.

    Raises RefusedError where the folder of its pool is away: of all that was there libvirt would say it is deleted.
    """
    found = False
    if pool.has(name):
        with contextlib.suppress(XmanError):
            found = pool.volume(name).capacity() >= 0
    if not found:
        # libvirt forgets what it was killed over while it made it, and finds it again; what is away it finds out now.
        pool.refresh()
        pool.require_active()
    return pool.volume(name) if pool.has(name) else None


def _wake(pool: Pool) -> None:
    with contextlib.suppress(api.libvirtError):
        pool.raw.create(0)


class Looks:
    """Refreshes of pools for those who only look: libvirt opens each of a pool's volumes for one.

    A pool that was refreshed within some seconds is not again, unless something came into its folder or went since.
    Several who ask at once wait for one refresh. Safe to use from several threads.
    """

    def __init__(self) -> None:
        # By name: when it was refreshed (time.monotonic()), and what its folder was known by before that.
        self._last: dict[str, tuple[float, object]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def refresh(self, connection: RawConnection, names: tuple[str, ...]) -> None:
        """Do as `refresh`, where there is need."""
        for pool in _there(connection, names):
            with self._guard:
                lock = self._locks.setdefault(pool.name, threading.Lock())
            with lock:
                facts = pool.facts()
                now, mark = time.monotonic(), _mark(facts.get("path"))
                when, before = self._last.get(pool.name, (-math.inf, None))
                if facts["active"] and now - when < _LOOK_SECONDS and mark == before:
                    continue
                _refresh(pool, active=facts["active"])
                self._last[pool.name] = now, mark


def _mark(path: str | None) -> object:
    """Return what tells that something came into a folder, or went; None where that cannot be seen."""
    with contextlib.suppress(OSError):
        found = Path(path).stat() if path else None
        return None if found is None else (found.st_dev, found.st_ino, found.st_mtime_ns)
    return None


def sidecar(connection: RawConnection, image: Image) -> str:
    """Return the text beside an image, empty where there is none that can be read."""
    if not image.sidecar:
        return ""
    try:
        volume = pools.named(connection, image.pool).volume(f"{image.name}{_SIDECAR}")
        with reading():
            stream = in_place.opened(
                pools.folder_of(volume), volume.path(), lambda: _stream_of(connection, volume.raw), let_go
            )
            octets = b""
            while more := stream.recv(_MOST_SIDECAR):
                octets += more
            stream.finish()
        return octets.decode()
    except (XmanError, UnicodeDecodeError):
        return ""


def _stream_of(connection: RawConnection, raw: Any) -> Any:
    stream = connection.newStream(0)
    raw.download(stream, 0, _MOST_SIDECAR, 0)
    return stream


def require_in_place(connection: RawConnection, pool: str, uuid: str) -> None:
    """Raise RefusedError where a machine's disk, or the image below it, is not the file that its pool's folder has.

    What cannot be found is not looked at: libvirt says why.
    """
    for path in disk_of(connection, pool, uuid):
        pools.require_in_place(connection, path)


def disk_of(connection: RawConnection, pool: str, uuid: str) -> list[str]:
    """Return where a machine's disk is, and the image below it; nothing where that cannot be found."""
    with contextlib.suppress(XmanError):
        facts = pools.named(connection, pool).volume(own(uuid, DISK)).facts()
        return [facts.path, *filter(None, [facts.backing])]
    return []


def overlay(connection: RawConnection, pool: str, name: str, image: Image, capacity: int) -> str:
    """Make a disk of `capacity` octets that begins as the image is; return its path. Raises RefusedError and others."""
    folder, holder = pools.named(connection, image.pool).folder(), pools.named(connection, pool)
    make = functools.partial(holder.create, name, capacity, QCOW2, image.volume)
    return in_place.made_of(folder, image.volume.path, make, Volume.delete).path()


def put(connection: RawConnection, pool: str, name: str, octets: bytes) -> str:
    """Make a volume that holds `octets`; return its path."""
    volume = pools.named(connection, pool).create(name, len(octets), RAW)
    path = volume.path()
    room.require(path, len(octets))
    with changing(connection, name):
        _send(volume, path, octets)
    return path


def _send(volume: Volume, path: str, octets: bytes) -> None:
    def begin() -> Any:
        stream = volume.connection.newStream(0)
        volume.raw.upload(stream, 0, len(octets), 0)
        return stream

    stream = in_place.opened(pools.folder_of(volume), path, begin, let_go, links=False)
    try:
        view = memoryview(octets)
        while view:
            view = view[stream.send(bytes(view)) :]
        stream.finish()
    except api.libvirtError:
        let_go(stream)
        raise


def remove(connection: RawConnection, pool: str, name: str) -> bool:
    """Delete a volume; return whether there was one. Raises RefusedError and HypervisorError."""
    found = awake(connection, pool)
    volume = there(found, name)
    if volume is None:
        return False
    volume.delete()
    if found.has(name):
        raise HypervisorError(f"The volume '{name}' is still there, although libvirt said so.")
    return True


def _there(connection: RawConnection, names: tuple[str, ...]) -> list[Pool]:
    """Return those of the pools that are there, in that order; none where libvirt has no storage here."""
    found = []
    with contextlib.suppress(UnsupportedError):
        for name in names:
            with contextlib.suppress(RefusedError):
                found.append(pools.named(connection, name))
    return found
