"""pools, volumes, volume-create, volume-delete: libvirt's storage, and what is in it."""

import contextlib
import functools
from dataclasses import asdict
from typing import Any

from xman.errors import HypervisorError, RefusedError, UsageError
from xman.result import Result
from xmand.journal import verdicts
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt import disk_users, in_place, pools, volume_users, wiping
from xmand.virt.driver import LONG
from xmand.virt.pools import Pool
from xmand.virt.uploads import key
from xmand.virt.volume_copies import Place
from xmand.virt.volumes import Facts, Volume


def show_pools(call: Call) -> Result:
    """All of them."""
    return Result({"pools": [pool.facts() for pool in pools.each(call.reader)]})


def show_volumes(call: Call) -> Result:
    """Those of one pool, or of all, as libvirt saw them last."""
    word = call.parsed.text("POOL")
    found = [pools.named(call.reader, word)] if word else pools.each(call.reader)
    if word:
        found[0].require_active()
    incomplete = uploading(call)
    rows = [row(pool, facts) for pool in found for facts in pool.volumes()]
    for one in rows:
        if (one["pool"], one["name"]) in incomplete:
            one["incomplete"] = True
    return Result({"volumes": rows})


def uploading(call: Call) -> set[tuple[str, str]]:
    """Return pool and name of each volume that is being uploaded, or whose upload was cut off."""
    return {(upload.pool, upload.name) for upload in call.host.uploads.pending()} if call.host.uploads else set()


def require_whole(call: Call, pool: str, name: str) -> None:
    """Raise RefusedError for one of those."""
    if (pool, name) in uploading(call):
        raise RefusedError(f"'{name}' is being uploaded, or its upload was cut off.")


def row(pool: Pool, facts: Facts) -> dict[str, Any]:
    """Return what is told of a volume."""
    found = {"pool": pool.name, **asdict(facts)}
    return {key: value for key, value in found.items() if value != ""}


def create(call: Call) -> Result:
    """Make one; nothing is written over."""
    name, base = call.parsed.text("VOLUME"), str(call.parsed.options.get("base", ""))
    form = str(call.parsed.options.get("format", ""))
    size = call.parsed.number("SIZE") if "SIZE" in call.parsed.values else None
    if size is None and not base:
        raise UsageError("Give its size (8G), or the volume that it is to be an overlay of (--base).")
    pools.check_name(name)
    pool = pools.named(call.writer, call.parsed.text("POOL"))
    with contextlib.ExitStack() as locks:
        # Its base as well: who would delete that sees the overlay from then on.
        for each in sorted({name, base} - {""}):
            locks.enter_context(call.host.locks.hold(key(pool.name, each), call.verb.name, call.deadline, "volume"))
        backing = _base(call, pool, base) if base else None
        pool.check(name, size, form, backing)
        if call.parsed.flag("dry-run"):
            return Result(
                {"pool": pool.name, "volume": name, "dry_run": True},
                notes=(f"A volume '{name}' would be made in the pool '{pool.name}'.",),
            )
        # Durably, once none is seen to be there of that name: after a crash, one that is there is this one.
        call.record.changes_volume(Place(pool.name, name))
        make = functools.partial(pool.create, name, size, form, backing)
        made = in_place.made_of(pool.folder(), backing.path, make, Volume.delete) if backing else make()
        with pools.unknown_where_lost(pool.connection, name):
            facts = made.facts()
            left = pool.facts().get("available", 0)
        if size is not None and facts.capacity < size:
            raise HypervisorError(f"'{name}' has {facts.capacity} octets, although libvirt said it has {size}.")
        notes: tuple[str, ...] = ()
        if facts.capacity - facts.allocation > left:
            notes = (f"The pool '{pool.name}' has {left} octets left; '{name}' may grow beyond that.",)
        return Result(_told(pool, facts), changed=True, notes=notes)


def _base(call: Call, pool: Pool, name: str) -> Facts:
    """Return what a volume is that others are to be built upon.

    Raises RefusedError where it is half, or changes, or is not in its place.
    """
    require_whole(call, pool.name, name)
    facts = pool.volume(name).facts()
    for user in volume_users.of_domains(pool.connection, pool.name, name, facts.path):
        if user.writes:
            raise RefusedError(
                f"The domain '{user.name}' runs and writes to '{name}'; an overlay of it would be damaged."
            )
    # A guest may have written that itself, into a disk that was raw for it.
    if facts.backing and pools.volume_at(pool.connection, facts.backing) is None:
        raise RefusedError(
            f"'{name}' says that it is an overlay of '{facts.backing}', which is in none of this host's pools; an"
            " overlay of it would show that file to its guest."
        )
    pool.look(facts.path)
    return facts


def delete(call: Call) -> Result:
    """Delete one that nobody has, wiped before where the site or the caller says so."""
    name = call.parsed.text("VOLUME")
    pool = pools.named(call.host.driver.connection(LONG), call.parsed.text("POOL"))
    with contextlib.ExitStack() as locks:
        locks.enter_context(call.host.locks.hold(key(pool.name, name), call.verb.name, call.deadline, "volume"))
        volume = pool.volume(name)
        facts = volume.facts()
        require_image(facts)
        # Against who attaches it meanwhile: a domain that was given it while it is wiped would have zeros.
        locks.enter_context(call.host.locks.hold(disk_users.key(facts.path), call.verb.name, call.deadline, "disk"))
        volume_users.require_overlays_seen(pool.connection, name)
        volume_users.require_unused(pool.connection, pool.name, name, facts.path)
        wipes = call.parsed.flag("wipe") or call.host.settings.storage.wipes(pool.name)
        if wipes:
            pool.look(facts.path, links=False)
        told = {"pool": pool.name, "volume": name, "path": facts.path, "wiped": wipes}
        if call.parsed.flag("dry-run"):
            how = "wiped and deleted" if wipes else "deleted"
            note = f"The volume '{name}' of the pool '{pool.name}' would be {how}."
            return Result(told | {"dry_run": True}, notes=(note,))
        call.record.changes_volume(Place(pool.name, name))
        if wipes:
            wiping.wipe(volume, facts, call.progress)
            # That took its time, and a domain may have been given it meanwhile.
            volume_users.require_unused(pool.connection, pool.name, name, facts.path)
        volume.delete()
        with pools.unknown_where_lost(pool.connection, name):
            if pool.has(name):
                raise HypervisorError(f"The volume '{name}' is still there, although libvirt said it is not.")
        return Result(told | {"dry_run": False}, changed=True)


def require_image(facts: Facts) -> None:
    """Raise RefusedError for what is a directory."""
    if not facts.holds_octets:
        raise RefusedError(f"'{facts.name}' is a directory, not an image.")


def _told(pool: Pool, facts: Facts) -> dict[str, Any]:
    found = row(pool, facts)
    return {"volume": found.pop("name")} | found | {"dry_run": False}


ROWS = {
    "pools": Row(show_pools),
    "volumes": Row(show_volumes),
    "volume-create": Row(create, verdicts.volume_made),
    "volume-delete": Row(delete, verdicts.volume_deleted),
}
