"""profile, profile-client, profiles: domains whose disks others begin with, and those others."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from xman import laboratories, values
from xman.errors import (
    MetadataError,
    NoSuchDomainError,
    RefusedError,
    UnknownOutcomeError,
    UnsupportedError,
    UsageError,
    XmanError,
)
from xman.metadata import Metadata, Origin
from xman.result import Result
from xmand.journal import verdicts
from xmand.launch import begun
from xmand.launch.begun import Begun
from xmand.profiles import clients, overlays
from xmand.profiles.clients import Client
from xmand.profiles.overlays import Base
from xmand.verbs import permitted
from xmand.verbs.call import Call
from xmand.verbs.create import kept_private
from xmand.verbs.machine import machines, nothing_left
from xmand.verbs.row import Row, told
from xmand.virt import clients as descriptions
from xmand.virt import cloned, disk_users, image_pools, metadata
from xmand.virt.binding import RawConnection, api
from xmand.virt.condition import OFF
from xmand.virt.definition import kept
from xmand.virt.domain import Domain, define, find
from xmand.virt.driver import QEMU
from xmand.virt.errors import reading


def profile(call: Call) -> Result:
    """Whether others begin with its disks; for which laboratories."""
    word = call.parsed.text("on|off")
    if word not in ("on", "off"):
        raise UsageError(f"'{word}' is neither on nor off.")
    wanted, given = word == "on", call.parsed.options.get("labs")
    if given is not None and not wanted:
        raise UsageError("--labs is for a profile; off is none.")
    named = None if given is None else laboratories.read(str(given))
    _require_qemu(call.writer)
    with call.changing() as domain:
        before = metadata.read(domain)
        after = _marked(before, named) if wanted else replace(before, profile=False, labs=())
        dry = call.parsed.flag("dry-run")
        data = {"profile": wanted, "labs": list(after.labs), "dry_run": dry}
        if wanted:
            _require_fit(call, domain, before, after.labs)
        if (before.profile, before.labs) == (after.profile, after.labs):
            note = f"Domain '{domain.name}' is {'' if wanted else 'not '}a profile already."
            return Result(data, domain=domain.name, notes=(note,))
        if not wanted:
            clients.require_none(call.writer, domain)
        if not dry:
            metadata.update(domain, lambda now: _marked(now, named) if wanted else replace(now, profile=False, labs=()))
        return Result(data, changed=not dry, domain=domain.name)


def _marked(found: Metadata, named: tuple[str, ...] | None) -> Metadata:
    return replace(found, profile=True, labs=found.labs if named is None else named)


def _require_fit(call: Call, domain: Domain, found: Metadata, wanted: tuple[str, ...]) -> None:
    if not domain.persistent():
        raise RefusedError(f"Domain '{domain.name}' is transient, so it cannot be a profile: it is gone when it stops.")
    if found.origin is not None:
        raise RefusedError(
            f"Domain '{domain.name}' is a client of a profile itself; clone it first (rxm clone {domain.name} NEW)."
        )
    if found.instance is not None:
        raise RefusedError(
            f"Domain '{domain.name}' was launched from an image, and goes with its disks when it is terminated; clone"
            f" it first (rxm clone {domain.name} NEW)."
        )
    if not call.parsed.flag("force"):
        laboratories.require(domain.name, wanted, call.host.settings.host.labs)


def client(call: Call) -> Result:
    """Make a client: its overlays, then its definition; where a step fails, nothing of it stays."""
    name = call.parsed.text("NAME")
    values.check_new_name(name)
    permitted.name(call, name)
    _require_qemu(call.writer)
    with call.changing() as found, contextlib.ExitStack() as locks:
        uuid, connection = call.new_uuid(), call.writer
        for key in (name, uuid):
            locks.enter_context(call.host.locks.hold(key, call.verb.name, call.deadline))
        if (there := _there(connection, name, uuid)) is not None:
            # This very request has defined it before, and xmand ended.
            return _made(there, found, metadata.read(there).origin or Origin(found.uuid), [])
        _require_profile(call, found)
        wanted, notes = descriptions.describe(_cloneable(found), name, uuid)
        wanted = permitted.permitted(call, wanted)
        bases, pool = _bases(call, connection, found, uuid)
        origin = Origin(found.uuid, not call.parsed.flag("keep"), pool)
        what = overlays.begun(uuid, name, pool, [base.target for base in bases])
        if call.parsed.flag("dry-run"):
            return _dry(found, name, origin, bases, what)
        machines(call).notes.note(what)
        call.record.intends(name, uuid)
        try:
            begun.settle(connection, what)  # a former try's
            paths = {base.target: overlays.made(connection, pool, uuid, base) for base in bases}
            final, said = kept_private(call, descriptions.with_overlays(wanted, paths, Metadata(origin=origin)))
            made = define(connection, name, final.xml)
        except UnknownOutcomeError:  # it may be defined; `xmand.dispatch.keeper` finds out
            raise
        except XmanError as error:
            raise nothing_left(call, what, error) from error
        machines(call).notes.forget(uuid)
        return _made(made, found, origin, [*notes, *said])


def _there(connection: RawConnection, name: str, uuid: str) -> Domain | None:
    """Return the domain that this very request has made before. Raises RefusedError where another one is in the way."""
    for word in (name, uuid):
        with contextlib.suppress(NoSuchDomainError):
            domain = find(connection, word, allow_id=False)
            if (domain.uuid, domain.name) == (uuid, name):
                return domain
            raise RefusedError(f"Domain '{domain.name}' already exists.")
    return None


def _require_profile(call: Call, domain: Domain) -> None:
    found = metadata.read(domain)
    if not found.profile:
        raise RefusedError(f"Domain '{domain.name}' is not a profile; rxm profile {domain.name} on makes it one.")
    if not call.parsed.flag("force"):
        laboratories.require(domain.name, found.labs, call.host.settings.host.labs)
    if domain.active():
        raise RefusedError(f"The profile '{domain.name}' is running and may be changed; make clients when it is off.")


def _cloneable(domain: Domain) -> str:
    xml = kept(domain)
    if why := cloned.cannot(xml, container=False):
        raise UnsupportedError(f"'{domain.name}' cannot have clients: {why}.")
    return xml


def _bases(call: Call, connection: RawConnection, profile: Domain, uuid: str) -> tuple[list[Base], str]:
    """Return the disks that a client gets overlays of, and the pool for these. Raises RefusedError and others."""
    bases, pool = overlays.checked(connection, profile)
    pool = str(call.parsed.options.get("pool", pool))
    for base in bases:
        for use in disk_users.writers(connection, base.path):
            if use.uuid != profile.uuid and not use.above:
                raise RefusedError(f"Domain '{use.name}' writes to '{base.path}', so no client can start from it.")
        overlays.require_place(connection, pool, uuid, base)
    return bases, pool


def _dry(profile: Domain, name: str, origin: Origin, bases: list[Base], what: Begun) -> Result:
    disks = [
        {"target": base.target, "pool": what.pool, "volume": image_pools.own(what.uuid, end)}
        for base, end in zip(bases, what.whats, strict=True)
    ]
    note = f"'{name}' would be a client of '{profile.name}', {len(disks)} overlay{'s' * (len(disks) != 1)} made."
    return Result(
        {"name": name, "from": profile.name, "discard": origin.discard, "disks": disks, "dry_run": True},
        domain=name,
        notes=(note,),
    )


def _made(client: Domain, profile: Domain, origin: Origin, notes: list[str]) -> Result:
    xml = kept(client)
    disks = [
        {"target": target, "pool": origin.pool, "volume": image_pools.own(client.uuid, overlays.what(target))}
        for target in overlays.own(client.uuid, xml)
    ]
    data = {
        "name": client.name,
        "uuid": client.uuid,
        "from": profile.name,
        "discard": origin.discard,
        "disks": disks,
        "macs": descriptions.macs(xml),
        "dry_run": False,
    }
    return Result(data, changed=True, domain=client.name, notes=tuple(notes))


@contextlib.contextmanager
def forgetting(call: Call, domain: Domain) -> Iterator[list[str]]:
    """Around the forgetting of a domain: a profile has no clients then, and a client's own disks go with it.

    Gives what is to be said of it. Raises RefusedError, with nothing done.
    """
    found, notes = Metadata(), list[str]()
    with contextlib.suppress(MetadataError):  # what cannot be read keeps nobody from deleting it
        found = metadata.read(domain)
    clients.require_none(call.writer, domain)
    targets = overlays.own(domain.uuid, kept(domain)) if found.origin is not None else []
    if found.origin is None or not targets:
        yield notes
        return
    what = overlays.begun(domain.uuid, domain.name, found.origin.pool, targets)
    # Before it is forgotten: from then on its disks are nobody's.
    machines(call).notes.note(what)
    yield notes
    try:
        image_pools.refresh(call.writer, (what.pool,))
        begun.settle(call.writer, what)
        machines(call).notes.forget(what.uuid)
    except XmanError as error:
        notes.append(f"Its disks are removed later: {error}")


def profiles(call: Call) -> Result:
    """The profiles of this host, with their clients."""
    connection, rows = call.reader, []
    marked, of_each = clients.all_of(connection)
    for domain, found in marked:
        disks = [size for path in disk_users.written_by(domain) if (size := _size(connection, path))]
        has = of_each.get(domain.uuid, [])
        running = sum(each.condition != OFF for each in has)
        row: dict[str, object] = {
            "profile": domain.name,
            "uuid": domain.uuid,
            "labs": list(found.labs),
            "capacity": sum(disks),
            "running": running,
            "off": len(has) - running,
            "state": domain.state()[0],
            "clients": [_row(each) for each in has],
        }
        rows.append(row | ({"administrator": found.administrator} if found.administrator else {}))
    here = [name.removeprefix("@") for name in call.host.settings.host.labs]
    return Result({"profiles": rows, "labs": here})


def _row(client: Client) -> dict[str, object]:
    row: dict[str, object] = {"name": client.name, "uuid": client.uuid, "state": client.condition}
    more = {"suspended": client.suspended, "keep": not client.discard}
    return row | {key: True for key, value in more.items() if value}


def _size(connection: RawConnection, path: str) -> int:
    with contextlib.suppress(api.libvirtError):
        return int(connection.storageVolLookupByPath(path).info()[1])
    return 0


def _require_qemu(connection: RawConnection) -> None:
    with reading():
        if connection.getType() != QEMU:
            raise UnsupportedError("This host's hypervisor cannot do that: only QEMU runs clients of profiles.")


ROWS = {
    "profile": Row(profile, verdicts.profiled, told("defined")),
    "profile-client": Row(client, verdicts.client_made, told("defined")),
    "profiles": Row(profiles),
}
