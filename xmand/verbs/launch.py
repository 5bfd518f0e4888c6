"""images, launch, terminate: machines of one's own, from the images that this host has for that."""

import contextlib

from xman import escape, times, values, verbs
from xman.errors import NoSuchDomainError, RefusedError, UnknownOutcomeError, UnsupportedError, XmanError
from xman.metadata import Instance
from xman.result import Result
from xmand.journal import verdicts
from xmand.launch import shares
from xmand.launch.begun import Begun
from xmand.launch.ending import end, require_idle
from xmand.verbs.call import Call
from xmand.verbs.machine import Beside, Wanted, beside, machines, nothing_left, offered
from xmand.verbs.row import Row, told
from xmand.virt import definition, host, image_pools, metadata
from xmand.virt.binding import RawConnection
from xmand.virt.domain import Domain, find
from xmand.virt.driver import QEMU
from xmand.virt.errors import reading

# Who may do all that loses data to any domain may end any machine.
_ADMINISTERS = frozenset(verb.name for verb in verbs.VERBS if verb.loses_data)


def images(call: Call) -> Result:
    """What there is to launch, and how much the caller has of what he may have."""
    settings = call.host.settings.launch
    machines(call).looks.refresh(call.writer, settings.pools)
    found, connection = offered(call, call.reader), call.reader
    rows = []
    for image in found:
        row: dict[str, object] = {
            "image": image.name,
            "pool": image.pool,
            "format": image.volume.format,
            "capacity": image.volume.capacity,
            "allocation": image.volume.allocation,
        }
        # libvirt lets nobody read a volume who may not write.
        more = beside(call.writer, image) if image.sidecar else Beside()
        optional = {"title": more.title, "least_memory": more.memory, "firmware": more.firmware}
        rows.append(row | {key: value for key, value in optional.items() if value})
    share = machines(call).share(connection, call.principal)
    names = machines(call).names(connection, call.principal)
    data: dict[str, object] = {"images": rows, "mine": share.facts(), "names": names}
    if not call.access.listed_caller:
        data["most"] = shares.most(settings).facts()
    memory = host.memory(connection)
    if "free_memory" in memory:
        data["free_memory"] = memory["free_memory"]
    notes = [
        f"The storage pool '{pool}' is not active here." for pool in image_pools.unusable(connection, settings.pools)
    ]
    if not settings.pools:
        notes.append("This host has no images: [launch] of xmand.toml names no pools.")
    return Result(data, notes=tuple(notes))


def launch(call: Call) -> Result:
    """Make a machine of an image, and start it. Where that fails nothing is left (`xmand.dispatch.keeper`)."""
    _require_qemu(call)
    wanted = Wanted(call)
    if call.parsed.flag("dry-run"):
        instance = wanted.instance
        note = (
            f"'{wanted.name}' would be launched from '{instance.image}', with {instance.memory // values.MIB} MiB,"
            f" {instance.vcpus} CPUs and a disk of {instance.disk // values.MIB} MiB."
        )
        with wanted.reserved():
            return Result(_data(wanted.name, instance, dry_run=True), domain=wanted.name, notes=(note, *wanted.said()))
    call.host.batch.maintenance.refuse()
    with contextlib.ExitStack() as locks:
        for key in (wanted.name, wanted.uuid):
            locks.enter_context(call.host.locks.hold(key, call.verb.name, call.deadline))
        domain = _find(call.writer, wanted.name) or _find(call.writer, wanted.uuid)
        if domain is not None and (domain.uuid, domain.name) != (wanted.uuid, wanted.name):
            raise RefusedError(f"Domain '{domain.name}' already exists.")
        if domain is None:
            locks.enter_context(wanted.reserved())
            domain = wanted.made()
        # Otherwise this very request has defined it before, and xmand ended.
        if not domain.active():
            _started(call, domain, wanted.begun)
        parked = call.host.batch.park_at_once(domain)
        found = metadata.read(domain).instance or wanted.instance
        if found.until is not None:
            machines(call).changed.set()
        notes = [f"Launched '{domain.name}' ({found.id}) from '{found.image}'"]
        if found.until is not None:
            notes.append(f"It ends by itself at {times.local(times.utc(found.until))}.")
        data = _data(domain.name, found, dry_run=False) | {"uuid": domain.uuid, "number": domain.identifier()}
        return Result(data, changed=True, domain=domain.name, notes=(*notes, *wanted.said(), *parked))


def _started(call: Call, domain: Domain, what: Begun) -> None:
    """Start it; where that fails it is forgotten again, with its disks."""
    try:
        image_pools.require_in_place(call.writer, what.pool, what.uuid)
        domain.start()
    except UnknownOutcomeError:  # it may run
        raise
    except XmanError as error:
        machines(call).notes.note(what)
        raise nothing_left(call, what, definition.undone(domain, None, error)) from error


def terminate(call: Call) -> Result:
    """Stop a machine and forget it, with its disks: never anything that `launch` did not make."""
    _require_qemu(call)
    word = call.parsed.text("DOMAIN")
    administers = call.access.listed_caller or (not call.access.restricted and call.access.verbs >= _ADMINISTERS)
    # Before it is locked, and whatever it is: of others' machines one learns nothing.
    if not administers and _owner(_find(call.reader, word)) != call.principal:
        raise NoSuchDomainError(message=f"You have no machine '{escape.line(word)}' on this host.")
    with call.changing() as domain:
        found = metadata.read(domain)
        instance = found.instance
        if instance is None:
            raise RefusedError(
                f"Domain '{domain.name}' was not launched from an image, and its disks are not xmand's to delete;"
                " destroy stops it, and delete forgets it."
            )
        if not administers and instance.owner != call.principal:  # another one of that name
            raise NoSuchDomainError(message=f"You have no machine '{domain.name}' on this host.")
        require_idle(domain, found)
        data = _data(domain.name, instance, dry_run=call.parsed.flag("dry-run"))
        if call.parsed.flag("dry-run"):
            note = f"'{domain.name}' ({instance.id}) would be stopped and forgotten, with its disks."
            return Result(data, domain=domain.name, notes=(note,))
        end(machines(call), call.writer, domain, instance)
        return Result(data, changed=True, domain=domain.name)


def _owner(domain: Domain | None) -> str:
    with contextlib.suppress(XmanError):
        instance = None if domain is None else metadata.read(domain).instance
        return "" if instance is None else instance.owner
    return ""


def _require_qemu(call: Call) -> None:
    with reading():
        if call.writer.getType() != QEMU:
            raise UnsupportedError("This host's hypervisor cannot do that: only QEMU runs machines from images.")


def _find(connection: RawConnection, word: str) -> Domain | None:
    with contextlib.suppress(NoSuchDomainError):
        return find(connection, word, allow_id=False)
    return None


def _data(name: str, instance: Instance, *, dry_run: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "name": name,
        "instance": instance.id,
        "image": instance.image,
        "owner": instance.owner,
        "memory": instance.memory,
        "vcpus": instance.vcpus,
        "disk": instance.disk,
        "dry_run": dry_run,
    }
    return found if instance.until is None else found | {"until": times.utc(instance.until)}


ROWS = {
    "images": Row(images),
    "launch": Row(launch, verdicts.created, told("defined", "started", "stopped", "undefined")),
    "terminate": Row(terminate, verdicts.deleted, told("stopped", "undefined")),
}
