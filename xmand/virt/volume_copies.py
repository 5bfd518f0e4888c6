"""Whole copies of volumes of libvirt's storage pools, made by libvirt; xmand needs no right on a file for them.

A copy holds what its original showed, whatever that was made of: it has no backing file, and no snapshots.
"""

import contextlib
import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UnsupportedError, XmanError
from xmand.settings import Patience
from xmand.virt import connection_pool, in_place, pools, sources
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain_jobs import LongCall
from xmand.virt.errors import code_of, reading
from xmand.virt.pools import Pool
from xmand.virt.volumes import QCOW2, RAW, Facts, Volume, changing, gone

_POLL_SECONDS = 0.5
# How often a caller hears of a copy of which nothing is seen to grow: before it takes silence for the end.
_TELL_SECONDS = 20.0


@dataclass(frozen=True)
class Place:
    """Where a copy is to be: a pool, and the name of the volume in it."""

    pool: str
    name: str

    def __str__(self) -> str:
        return f"'{self.name}' in the pool '{self.pool}'"


@dataclass(frozen=True)
class Original:
    """A volume that is to be copied: what it is, and when it was written last, as far as libvirt tells."""

    place: Place
    facts: Facts
    written: str


def of_path(connection: RawConnection, path: str) -> Original:
    """Return the volume at a path. Raises RefusedError where it is in no pool that is active, or not there."""
    for where in dict.fromkeys((path, os.path.realpath(path))):
        with contextlib.suppress(api.libvirtError):
            return _original(connection, connection.storageVolLookupByPath(where))
    folder = os.path.dirname(path)  # noqa: PTH120  # a path of the host's, as it was written
    for pool in pools.each(connection):
        if pool.facts().get("path") != folder:
            continue
        pool.require_active()
        pool.refresh()
        with contextlib.suppress(api.libvirtError):
            return _original(connection, connection.storageVolLookupByPath(path))
        if sources.seen_missing(path):
            raise RefusedError(f"There is no '{path}' on the host.")
    makes = "NAME logical --source-name GROUP" if path.startswith("/dev/") else f"NAME dir --target {folder}"
    of = "volume group" if path.startswith("/dev/") else "folder"
    raise RefusedError(
        f"'{path}' is in none of libvirt's storage pools, and libvirt copies nothing else"
        f" (virsh pool-create-as {makes} makes one of its {of})."
    )


def of_name(connection: RawConnection, pool: str, name: str) -> Original:
    """Return the volume of that name. Raises RefusedError where there is none."""
    return _original(connection, pools.named(connection, pool).volume(name).raw)


def left(connection: RawConnection, places: list[Place]) -> tuple[list[Place], list[Place]]:
    """Return those of the volumes that are there, and those that cannot be looked for."""
    found = {place: _is_there(connection, place) for place in places}
    return [place for place in places if found[place]], [place for place in places if found[place] is None]


def check(connection: RawConnection, original: Original, place: Place) -> int:
    """Return how many octets a copy takes at first. Raises RefusedError where it cannot be made there.

    Also UsageError, for a name that no new volume may have, and UnsupportedError.
    """
    pool, facts = pools.named(connection, place.pool), original.facts
    # A format that is no image's is refused as one that a new volume cannot have.
    _form, files = pool.check(place.name, facts.capacity, facts.format, None)
    return facts.allocation if files else facts.capacity


def copy(
    connection: RawConnection, original: Original, place: Place, patience: Patience, told: Callable[[int], None]
) -> Volume:
    """Copy a volume; `told` hears again and again how many octets the copy takes, as far as libvirt tells that.

    Raises RefusedError where there is such a volume already, or the original is not in its place (`in_place`),
    HypervisorError where it failed: libvirt removes then what it had begun. UnknownOutcomeError where libvirt was lost,
    or nothing moves for as long as one believes silent calls.
    """
    pool = pools.named(connection, place.pool)
    _form, files = pool.check(place.name, original.facts.capacity, original.facts.format, None)
    holder = pools.named(connection, original.place.pool)
    source = holder.volume(original.place.name).raw
    with reading(place.name):
        text = _description(place.name, original.facts, str(source.XMLDesc(0)), files=files)
    # What several images can share they share, where the file system can do that; libvirt asks it for raw ones only.
    ways = (api.VIR_STORAGE_VOL_CREATE_REFLINK, 0) if files and original.facts.format == RAW else (0,)

    def make() -> Volume:
        with changing(connection, place.name):
            for flags in ways:
                try:
                    begin = functools.partial(pool.raw.createXMLFrom, text, source, flags)
                    _watched(pool, place, begin, patience, told)
                except api.libvirtError as error:
                    if code_of(error) == api.VIR_ERR_STORAGE_VOL_EXIST or not flags or not connection.isAlive():
                        raise
                else:
                    break
        with pools.unknown_where_lost(connection, place.name):
            if not pool.has(place.name):
                raise HypervisorError(f"There is no volume {place}, although libvirt said so.")
            return pool.volume(place.name)

    return in_place.made_of(holder.folder(), original.facts.path, make, Volume.delete)


def _is_there(connection: RawConnection, place: Place) -> bool | None:
    try:
        pool = pools.named(connection, place.pool)
        pool.require_active()
        pool.refresh()
        return pool.has(place.name)
    except XmanError:
        return None


def _watched(
    pool: Pool, place: Place, call: Callable[[], object], patience: Patience, told: Callable[[int], None]
) -> None:
    """Make the call in a thread of its own, and look how far it is. Raises its error."""
    moved_at = told_at = time.monotonic()
    octets = 0
    aside = pool.beside()
    job = LongCall(f"copy-{place.name}", call)
    while job.is_alive():
        job.join(_POLL_SECONDS)
        if not job.is_alive():
            break
        now, before = time.monotonic(), octets
        with contextlib.suppress(api.libvirtError):  # it is not there yet
            octets = int(aside.raw.storageVolLookupByName(place.name).info()[2])
        if octets != before:
            moved_at = now
        if octets != before or now - told_at >= _TELL_SECONDS:
            told_at = now
            told(octets)
        if now - moved_at > patience.silent:
            connection_pool.leave_behind(job)
            raise UnknownOutcomeError(f"The copying of {place} makes no progress, and libvirt is still working on it.")
    if job.error is not None:
        raise job.error


def _description(name: str, original: Facts, text: str, *, files: bool) -> str:
    """Return libvirt's description of a volume that is to hold what the original shows (`text` describes that)."""
    before = etree.fromstring(text.encode())
    root = etree.Element("volume")
    etree.SubElement(root, "name").text = name
    etree.SubElement(root, "capacity", unit="bytes").text = str(original.capacity)
    if files:
        # Otherwise a raw one would take all of its capacity.
        etree.SubElement(root, "allocation", unit="bytes").text = "0"
        target = etree.SubElement(root, "target")
        etree.SubElement(target, "format", type=original.format)
        owner = before.find("target/permissions")
        if owner is not None:
            for label in owner.findall("label"):
                owner.remove(label)
            target.append(owner)
        if original.format == QCOW2:
            # As it is since 2012; libvirt's own choice is what was before.
            etree.SubElement(target, "compat").text = before.findtext("target/compat") or "1.1"
    return etree.tostring(root, encoding="unicode")


def _original(connection: RawConnection, volume: Any) -> Original:
    with gone(str(volume.name())), reading():
        root = etree.fromstring(str(volume.XMLDesc(0)).encode())
        pool = str(volume.storagePoolLookupByVolume().name())
    facts = Volume(connection, volume, str(root.findtext("name"))).facts()
    if root.find(".//encryption") is not None:
        raise UnsupportedError(f"The volume '{facts.name}' is encrypted; libvirt does not copy what it cannot read.")
    return Original(Place(pool, facts.name), facts, root.findtext("target/timestamps/mtime") or "")
