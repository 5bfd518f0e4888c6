"""libvirt's storage pools, and the volumes in each: found by name, and made."""

import contextlib
import os
import string
from pathlib import Path
from typing import Any

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnknownOutcomeError, UnsupportedError, UsageError
from xmand.virt import in_place
from xmand.virt.binding import RawConnection, api
from xmand.virt.driver import beside, lost
from xmand.virt.errors import Translating, code_of, reading, translate
from xmand.virt.volumes import QCOW2, RAW, Facts, Volume, changing

# Pools whose volumes are files, which take no room before something is written, and may be of any format.
_OF_FILES = frozenset(("dir", "fs", "netfs", "gluster", "vstorage"))
_NEW_NAME_FIRST = frozenset(string.ascii_letters + string.digits + "_")
_NEW_NAME_REST = _NEW_NAME_FIRST | frozenset(".+-")
_NEW_NAME_LENGTH = 128
# How many are named where one was not found.
_MOST_NAMED = 8
# Only root and libvirt's own users read what guests keep.
_MODE = "0600"


def check_name(name: str) -> None:
    """Raise UsageError unless `name` may be given to a new volume: no path, and no file that others do not see."""
    good = 0 < len(name) <= _NEW_NAME_LENGTH and name[0] in _NEW_NAME_FIRST and _NEW_NAME_REST.issuperset(name)
    if not good:
        raise UsageError(
            f"'{name[:_NEW_NAME_LENGTH]}' is not a valid name for a new volume. Use up to {_NEW_NAME_LENGTH} of"
            " A-Z a-z 0-9 _ . + -, beginning with a letter, a digit or _."
        )


class Pool:
    """One pool, that is active or not."""

    def __init__(self, connection: RawConnection, raw: Any, name: str) -> None:
        self.connection = connection
        self.raw = raw
        self.name = name

    def beside(self) -> "Pool":
        """Return it as it is to be asked while a call blocks (`driver.beside`). Raises HypervisorError."""
        other = beside(self.connection)
        return self if other is self.connection else named(other, self.name)

    def facts(self) -> dict[str, Any]:
        """Return what `pools` tells of it; sizes in octets, as of its last refresh. Raises HypervisorError."""
        with reading():
            active = bool(self.raw.isActive())
            root = self._description()
            found: dict[str, Any] = {
                "name": self.name,
                "active": active,
                "type": str(root.get("type", "")),
                "autostart": bool(self.raw.autostart()),
            }
            if active:
                _state, capacity, allocation, available = self.raw.info()
                found |= {"capacity": capacity, "allocation": allocation, "available": available}
        path = root.findtext("target/path")
        return found | ({"path": path} if path else {})

    def require_active(self) -> None:
        """Raise RefusedError where libvirt does not serve it: its volumes are not known then."""
        with reading():
            active = bool(self.raw.isActive())
        if not active:
            raise RefusedError(f"The pool '{self.name}' is not active; start it on the host (virsh pool-start).")

    def refresh(self) -> None:
        """Let libvirt look for what others have put there, or taken; not while it makes a volume there itself."""
        with contextlib.suppress(api.libvirtError):
            self.raw.refresh(0)

    def folder(self) -> str:
        """Return the folder whose files its volumes are; empty where they are none."""
        with reading():
            root = self._description()
        return (root.findtext("target/path") or "") if root.get("type") in _OF_FILES else ""

    def has(self, name: str) -> bool:
        """Whether it has a volume of that name, as libvirt knows it."""
        return self._find(name) is not None

    def volume(self, name: str) -> Volume:
        """Return one of its volumes. Raises RefusedError where there is none of that name."""
        self.require_active()
        raw = self._find(name)
        if raw is None:
            others = [facts.name for facts in self.volumes()]
            more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
            has = f"it has {', '.join(others[:_MOST_NAMED])}{more}" if others else "it has none"
            raise RefusedError(f"The pool '{self.name}' has no volume '{name}'; {has}.")
        return Volume(self.connection, raw, name)

    def volumes(self) -> list[Facts]:
        """Return what each of its volumes is, by name; none of a pool that is not active."""
        with reading():
            if not self.raw.isActive():
                return []
            raws = self.raw.listAllVolumes(0)
        found = []
        for raw in raws:
            with contextlib.suppress(RefusedError):  # gone since it was listed
                found.append(Volume(self.connection, raw, "").facts())
        return sorted(found, key=lambda facts: facts.name)

    def create(self, name: str, capacity: int | None, form: str = "", backing: Facts | None = None) -> Volume:
        """Make a volume: empty, of `capacity` octets, or an overlay of `backing`, as large as that (None) or larger.

        Raises UsageError, RefusedError where there is one already, UnsupportedError where its kind of pool has no such.
        """
        form, files = self.check(name, capacity, form, backing)
        text = _described(name, capacity, form, backing, files=files)
        with changing(self.connection, name):
            raw = self.raw.createXML(text, 0)
        return Volume(self.connection, raw, name)

    def look(self, path: str, *, links: bool = True) -> in_place.Standing | None:
        """Return what stands at the path of one of its volumes. Raises RefusedError, as `in_place.look` does."""
        return in_place.look(self.folder(), path, links=links)

    def require_overlays(self, name: str) -> None:
        """Raise UnsupportedError where its volumes can be no overlays; UsageError and RefusedError as `create`."""
        check_name(name)
        self.require_active()
        with reading():
            files = self._description().get("type") in _OF_FILES
        if not files:
            raise UnsupportedError(f"The pool '{self.name}' keeps no files; its volumes are {RAW}.")

    def check(self, name: str, capacity: int | None, form: str, backing: Facts | None) -> tuple[str, bool]:
        """Return the format that a volume would have, and whether it is a file; raises as `create`."""
        check_name(name)
        self.require_active()
        with reading():
            files = self._description().get("type") in _OF_FILES
        form = form or (QCOW2 if files else RAW)
        if form not in (RAW, QCOW2):
            raise UsageError(f"'{form}' is neither {RAW} nor {QCOW2}.")
        if not files and (form != RAW or backing is not None):
            raise UnsupportedError(f"The pool '{self.name}' keeps no files; its volumes are {RAW}.")
        if backing is not None and form != QCOW2:
            raise UsageError(f"An overlay is a {QCOW2} image.")
        # libvirt lets an overlay be smaller than its base, whose end the guest does not see then.
        if backing is not None and capacity is not None and capacity < backing.capacity:
            raise RefusedError(f"'{backing.name}' has {backing.capacity} octets; an overlay cannot be smaller.")
        if backing is None and not capacity:
            raise UsageError("A volume must have at least one octet.")
        self.refresh()
        if self.has(name):
            raise RefusedError(f"The pool '{self.name}' already has a volume '{name}'.")
        # What libvirt takes for no volume, a link to nowhere above all: what writes there would write where it leads.
        folder = self._description().findtext("target/path")
        if files and folder and os.path.lexists(Path(folder) / name):
            raise RefusedError(f"There is something else called '{name}' in the folder of the pool '{self.name}'.")
        return form, files

    def _find(self, name: str) -> Any:
        try:
            return self.raw.storageVolLookupByName(name)
        except api.libvirtError as error:
            if code_of(error) == api.VIR_ERR_NO_STORAGE_VOL:
                return None
            raise translate(error) from error

    def _description(self) -> etree._Element:
        return etree.fromstring(str(self.raw.XMLDesc(0)).encode())


def each(connection: RawConnection) -> list[Pool]:
    """Return all pools, by name. Raises UnsupportedError where the host's libvirt has no storage driver."""
    with reading():
        found = [Pool(connection, raw, str(raw.name())) for raw in connection.listAllStoragePools(0)]
    return sorted(found, key=lambda pool: pool.name)


def named(connection: RawConnection, name: str) -> Pool:
    """Return the pool of that name. Raises RefusedError where there is none, UnsupportedError as `each`."""
    found = each(connection)
    for pool in found:
        if pool.name == name:
            return pool
    has = f"it has {', '.join(pool.name for pool in found[:_MOST_NAMED])}" if found else "it has none"
    raise RefusedError(f"The host has no pool '{name}'; {has}.")


def folder_of(volume: Volume) -> str:
    """Return the folder of the pool that has a volume, as `Pool.folder` does. Raises HypervisorError."""
    with reading(volume.name):
        raw = volume.raw.storagePoolLookupByVolume()
        return Pool(volume.connection, raw, str(raw.name())).folder()


def require_in_place(connection: RawConnection, path: str) -> None:
    """Raise RefusedError where a volume's path leads out of its pool, as `in_place.look` does.

    What is in no pool that is active is not looked at.
    """
    where = volume_at(connection, path)
    if where is not None:
        named(connection, where[0]).look(path)


def volume_at(connection: RawConnection, path: str) -> tuple[str, str] | None:
    """Return the names of the pool and of the volume at `path`, also behind links. None where no active pool has it."""
    for place in dict.fromkeys((path, os.path.realpath(path))):
        with contextlib.suppress(api.libvirtError):
            raw = connection.storageVolLookupByPath(place)
            return str(raw.storagePoolLookupByVolume().name()), str(raw.name())
    return None


def look_beside(connection: RawConnection, path: str) -> None:
    """Let libvirt look into each active pool whose folder `path` is in: what others have put there it does not know."""
    for pool in each(connection):
        facts = pool.facts()
        if facts["active"] and facts.get("path") == str(Path(path).parent):
            pool.refresh()


def unknown_where_lost(connection: RawConnection, name: str) -> Translating:
    """Around what follows a change of the volume `name`: a lost libvirt leaves its outcome unknown then."""

    def unknown(error: HypervisorError) -> UnknownOutcomeError | None:
        if lost(connection):
            return UnknownOutcomeError(f"libvirt was lost after changing the volume '{name}': {error}")
        return None

    return Translating(HypervisorError, unknown)


def _described(name: str, capacity: int | None, form: str, backing: Facts | None, *, files: bool) -> str:
    root = etree.Element("volume")
    etree.SubElement(root, "name").text = name
    if capacity:  # without it an overlay is as large as its base is just now, whatever libvirt last saw of that
        etree.SubElement(root, "capacity", unit="bytes").text = str(capacity)
    if files:
        etree.SubElement(root, "allocation", unit="bytes").text = "0"
        target = etree.SubElement(root, "target")
        etree.SubElement(target, "format", type=form)
        etree.SubElement(etree.SubElement(target, "permissions"), "mode").text = _MODE
        if form == QCOW2:
            # libvirt's own choice is what QEMU could read in 2010.
            etree.SubElement(target, "compat").text = "1.1"
    if backing is not None:
        base = etree.SubElement(root, "backingStore")
        etree.SubElement(base, "path").text = backing.path
        etree.SubElement(base, "format", type=backing.format)
    return etree.tostring(root, encoding="unicode")
