"""migrate: to another host that this one's configuration allows."""

import contextlib
import re
from typing import Any

from xman.errors import RefusedError, UnsupportedError, UsageError
from xman.result import Result
from xmand.authorize.peers import within
from xmand.batch.observe import current
from xmand.broker import sending
from xmand.journal import verdicts
from xmand.profiles import clients
from xmand.settings import XMAN, Migration
from xmand.system import xl
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt import condition, lifecycle, metadata, migration, migration_trial, snapshots
from xmand.virt.copying import Copy, images
from xmand.virt.domain import Domain, find
from xmand.virt.domain_jobs import abort_job
from xmand.virt.driver import LONG
from xmand.virt.errors import reading

# A plain name or address. HOST becomes a part of libvirt's URI, which can name programs to run (`?command=`): nothing
# that could end the host's part may pass.
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,253}[A-Za-z0-9])?")
# xc_domain_save's policy: after five rounds the guest stands still for the rest.
_XEN_ENDS = "Xen ends a live migration by itself; --suspend-after changed nothing."


def migrate(call: Call) -> Result:
    """Move a domain; it runs in exactly one place afterwards, whatever happens."""
    if call.parsed.flag("abort"):
        if call.parsed.flag("dry-run"):
            raise UsageError("--dry-run and --abort do not go together.")
        return _abort(call)
    destination, suspend_after = _asked(call)
    settings = call.host.settings.migrate
    with call.changing(LONG) as domain:
        template = settings.uri or migration.default_uri(call.writer)
        uri = template.replace("{host}", f"[{destination}]" if ":" in destination else destination)
        found = condition.condition(domain)
        clients.require_lasting(domain, "its disks are made by this host; make one of that name on the other host")
        clients.require_none(call.writer, domain)
        if snapshotted := snapshots.in_the_way(domain):
            raise RefusedError(
                f"Domain '{domain.name}' has {snapshotted}, and libvirt moves no domain that has any; delete them first"
                f" (rxm snapshot-delete {domain.name} NAME)."
            )
        if found == condition.OFF:
            return _definition(call, domain, destination, uri)
        if found not in (condition.RUNNING, condition.PAUSED):
            raise condition.refusal(domain, found)
        if call.parsed.flag("live"):
            _require_dirty_pages(domain)
        if not call.parsed.flag("force"):
            _require_no_second_owner(domain)
        if settings.transport == XMAN:
            return _brokered(call, domain, destination, suspend_after)
        return _by_libvirt(call, domain, destination, uri, suspend_after)


def _asked(call: Call) -> tuple[str, float | None]:
    """Return where to, and after how many seconds it is to be paused. Raises UsageError and RefusedError."""
    # A trailing dot says the same, and libvirt's URIs know none.
    destination = call.parsed.text("HOST").removesuffix(".")
    suspend_after = call.parsed.seconds("suspend-after")
    if suspend_after is not None and not call.parsed.flag("live"):
        raise UsageError("--suspend-after goes with --live; without it the domain is paused from the start.")
    if not _HOST.fullmatch(destination):
        raise UsageError(f"'{destination}' is not a plain host name or address.")
    if not within(destination, call.host.settings.migrate.allow):
        raise RefusedError(
            f"This host's configuration does not allow migration to '{destination}' ([migrate] allow in xmand.toml)."
        )
    return destination, suspend_after


def _by_libvirt(call: Call, domain: Domain, destination: str, uri: str, suspend_after: float | None) -> Result:
    """Move a guest, or with --dry-run ask whether it could, from this host's libvirt to the other's."""
    notes: tuple[str, ...] = ()
    if suspend_after is not None and domain.on_xen():
        # Nor could it be paused: libvirt lets nothing at a domain that it migrates, and keeps who asks waiting.
        suspend_after, notes = None, (_XEN_ENDS,)
    copy, others = _copy(call, domain, destination, uri) if call.parsed.flag("copy-storage") else (None, [])
    if call.parsed.flag("dry-run"):
        return _trial(call, domain, destination, uri, copy)
    with call.host.copies.there(copy) if copy is not None else contextlib.nullcontext():
        data = migration.migrate(
            domain,
            destination,
            uri,
            live=call.parsed.flag("live"),
            way=_way(call.host.settings.migrate),
            suspend_after=suspend_after,
            patience=call.host.settings.limits.patience,
            progress=call.progress,
            disks=() if copy is None else tuple(image.target for image in copy.images),
        )
    notes += _paused(data)
    if copy is not None:
        data["copied"] = _copied(copy)
        notes += (*_stay(copy), *(f"{place} was not copied: both hosts have to have it." for place in others))
    return Result({"to": destination} | data, changed=True, domain=domain.name, notes=notes)


def _paused(data: dict[str, Any]) -> tuple[str, ...]:
    paused = data.get("suspended_after")
    return () if paused is None else (f"It was paused after {paused} s, so that the migration ended.",)


def _brokered(call: Call, domain: Domain, destination: str, suspend_after: float | None) -> Result:
    """Move a guest, or with --dry-run ask whether it could, through the two hosts' xmands."""
    departures = call.host.departures
    if departures is None or not domain.on_qemu():
        raise UnsupportedError(
            "This host's hypervisor cannot do that: xmand carries the migrations of QEMU's guests alone ([migrate]"
            " transport)."
        )
    if call.parsed.flag("copy-storage"):
        raise RefusedError("Disks are not copied through xmand ([migrate] transport): both hosts have to have them.")
    if call.parsed.flag("dry-run"):
        said = sending.ask(call.host.settings, domain, destination)
        return Result({"to": destination, "dry_run": True}, domain=domain.name, notes=said)

    def move(uri: str) -> dict[str, Any]:
        return migration.migrate(
            domain,
            destination,
            uri,
            live=call.parsed.flag("live"),
            way=migration.TUNNELLED,
            suspend_after=suspend_after,
            patience=call.host.settings.limits.patience,
            progress=call.progress,
            stays_paused=True,
        )

    with reading():
        own = str(call.writer.getURI())
    data, said = sending.brokered(departures, domain, destination, own, move)
    return Result({"to": destination} | data, changed=True, domain=domain.name, notes=(*_paused(data), *said))


def _trial(call: Call, domain: Domain, destination: str, uri: str, copy: Copy | None) -> Result:
    """Say whether a domain that runs could move now: by what its next host's libvirt tells; nothing is changed."""
    copied = () if copy is None else tuple(image.path for image in copy.images)
    needed = migration_trial.needs(domain, copied)
    notes = migration_trial.ask(domain, destination, uri, call.host.settings.keytab, needed)
    data: dict[str, Any] = {"to": destination, "dry_run": True}
    if copy is not None:
        call.host.copies.require_none_there(copy)
        data["copied"] = _copied(copy)
    return Result(data, domain=domain.name, notes=notes)


def _copied(copy: Copy) -> list[dict[str, str]]:
    return [{"target": image.target, "source": image.path} for image in copy.images]


def _way(settings: Migration) -> int:
    """Return how memory travels."""
    if settings.tls:
        return migration.TLS
    return migration.CLEAR if settings.clear else migration.TUNNELLED


def _copy(call: Call, domain: Domain, destination: str, uri: str) -> tuple[Copy, list[str]]:
    """Return which images go along, and where its other disks are. Raises RefusedError and UnsupportedError."""
    if not domain.on_qemu():
        raise UnsupportedError("This host's hypervisor cannot do that: only QEMU copies disks while a guest moves.")
    if _way(call.host.settings.migrate) == migration.TUNNELLED:
        raise RefusedError(
            "Disks cannot be copied through libvirt's own connection: --copy-storage needs clear = true, or tls = true"
            " with libvirt's certificates for QEMU, under [migrate] in xmand.toml."
        )
    found, others = images(domain)
    if not found:
        raise RefusedError(f"'{domain.name}' has no disk that is a file of this host; leave out --copy-storage.")
    return Copy(domain.uuid, domain.name, destination, uri, tuple(found)), others


def _stay(copy: Copy) -> tuple[str, ...]:
    paths = ", ".join(image.path for image in copy.images)
    return (f"What was copied stays here as well: {paths}. Once '{copy.name}' is well there, remove it here.",)


def _definition(call: Call, domain: Domain, destination: str, uri: str) -> Result:
    """Move a domain that is off; what belongs to it beyond its definition must not be left behind."""
    if call.parsed.flag("copy-storage"):
        raise RefusedError(
            f"Domain '{domain.name}' is off: --copy-storage copies disks while a guest moves. Start it"
            f" (rxm start --paused {domain.name}), or copy its images and leave out --copy-storage."
        )
    if call.host.settings.migrate.transport == XMAN:
        raise RefusedError(
            f"Domain '{domain.name}' is off, and only guests move through xmand ([migrate] transport); start it"
            f" (rxm start --paused {domain.name}), or define it there (rxm describe {domain.name} | rxm new -)."
        )
    if lifecycle.suspended(domain):
        raise RefusedError(
            f"The memory of '{domain.name}' is saved on this host and would stay here; resume it, and move it while it"
            f" runs, or drop that memory (rxm start --discard-saved {domain.name})."
        )
    if call.parsed.flag("dry-run"):
        said = migration_trial.ask(domain, destination, uri, call.host.settings.keytab, None)
        return Result({"to": destination, "dry_run": True, "offline": True}, domain=domain.name, notes=said)
    starts = lifecycle.autostart(domain)
    data = migration.move_definition(domain, destination, uri, call.host.settings.limits.patience)
    notes = (f"'{domain.name}' was started with this host; there it is not (autostart).",) if starts else ()
    return Result({"to": destination} | data, changed=True, domain=domain.name, notes=notes)


def _require_no_second_owner(domain: Domain) -> None:
    """Raise RefusedError for a domain with jobs: there it might become a second owner (DESIGN, "Batch states").

    What that host's domains own, only its own xmand knows, and this one does not ask it.
    """
    jobs, _over = current(metadata.read(domain), active=True, saved=False)
    if jobs:
        raise RefusedError(
            f"Domain '{domain.name}' has jobs ({', '.join(job.id for job in jobs)});"
            " it might become a second owner on the other host. --force moves it anyway."
        )


def _require_dirty_pages(domain: Domain) -> None:
    """Raise UnsupportedError for a guest whose writes this host's Xen cannot follow, before anything is begun.

    Xen would say so in the middle; then libvirt's ends of the migration (9.0) wait for each other for ever.
    """
    if domain.paravirtual() and xl.without_shadow_paging():
        raise UnsupportedError(
            f"'{domain.name}' is a PV guest; to move it while it runs this host's Xen lacks shadow paging."
            " Without --live it moves, paused meanwhile."
        )


def _abort(call: Call) -> Result:
    """Stop a migration, whoever began it: not under the domain's lock, which the migration holds."""
    domain = find(call.writer, call.parsed.text("DOMAIN"))
    if not abort_job(domain):
        raise RefusedError(f"No migration of '{domain.name}' is under way.")
    return Result(changed=True, domain=domain.name)


ROWS = {
    "migrate": Row(migrate, verdicts.migrated),
}
