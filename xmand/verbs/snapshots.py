"""snapshot, snapshot-list, snapshot-revert, snapshot-delete: a domain as it is now, to go back to."""

from dataclasses import replace

from xman import times, values
from xman.errors import RefusedError, UsageError, XmanError, of_outcome
from xman.metadata import Metadata
from xman.result import Result
from xmand.batch.observe import current
from xmand.journal import verdicts
from xmand.profiles import clients
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.verbs.starting import guarded
from xmand.virt import condition, metadata, snapshots
from xmand.virt.condition import OFF, PAUSED, RUNNING
from xmand.virt.domain import Domain
from xmand.virt.driver import LONG
from xmand.virt.snapshots import Snapshot

_MOST_DESCRIPTION = 1024


def snapshot(call: Call) -> Result:
    """Make one, of the disks, and of the memory where it runs."""
    name, described = call.parsed.text("NAME"), str(call.parsed.options.get("description", ""))
    # QEMU takes a number for the place that a snapshot has in its image.
    values.check_new_name(name)
    if len(described) > _MOST_DESCRIPTION or not described.isprintable():
        raise UsageError(f"--description takes at most {_MOST_DESCRIPTION} printable characters.")
    with call.changing(LONG) as domain:
        found = _ready(domain)
        before = snapshots.each(domain)
        if not domain.persistent():
            raise RefusedError(f"Domain '{domain.name}' is transient: libvirt forgets its snapshots with it.")
        snapshots.require_not_saved(domain)
        snapshots.require_internal(domain, before)
        snapshots.require_disks(domain)
        clients.require_lasting(domain, "a snapshot of what it writes would be lost with that")
        if name in {each.name for each in before}:
            raise RefusedError(f"Domain '{domain.name}' already has a snapshot '{name}'.")
        if call.parsed.flag("dry-run"):
            what = "its disks" if found == OFF else "its disks and its memory; it stands still meanwhile"
            return _dry(domain, name, f"A snapshot '{name}' of '{domain.name}' would be made of {what}.")
        # Durably: after a crash it tells ours from one that had the name before.
        call.record.intends(domain.name, domain.uuid)
        made = snapshots.create(domain, name, described, call.host.settings.limits.patience, call.progress)
        notes = (
            ()
            if before
            else (f"As long as '{domain.name}' has snapshots it cannot migrate, and delete asks for --snapshots.",)
        )
        return Result(_data(made), changed=True, domain=domain.name, notes=notes)


def snapshot_list(call: Call) -> Result:
    """Those that a domain has, the oldest first."""
    domain = call.domain()
    rows = [_row(found) for found in snapshots.each(domain)]
    about = {"name": domain.name, "uuid": domain.uuid}
    return Result({**about, "snapshots": rows}, domain=domain.name)


def revert(call: Call) -> Result:
    """Go back to one; what has happened since is lost."""
    name = call.parsed.text("NAME")
    with call.changing(LONG) as domain:
        _ready(domain)
        wanted = snapshots.named(domain, name)
        snapshots.require_not_saved(domain)
        clients.require_lasting(domain, "what it went back to would be lost with that")
        before = _without_jobs(domain)
        _require_its_disks(domain, wanted)
        if wanted.stands != OFF and not domain.active():
            call.host.batch.maintenance.refuse()
        since = times.local(times.utc(wanted.created))
        # A profile's disks are changed by that as by its start.
        with guarded(call).around(domain, restores=True):
            if call.parsed.flag("dry-run"):
                note = (
                    f"'{domain.name}' would be {wanted.stands}, as it was at {since}; everything since would be lost."
                )
                return _dry(domain, name, note)
            # Durably: after a crash, whether libvirt was told of it at all.
            call.record.intends(domain.name, domain.uuid)
            snapshots.revert(domain, wanted, call.host.settings.limits.patience, call.progress)
        # The description is that of then, and with it what xman kept there: whose it is now, is not a matter of then.
        try:
            metadata.update(domain, lambda then: replace(before, started=then.started))
        except XmanError as error:
            raise of_outcome(error.outcome, f"'{domain.name}' is back at '{name}', but: {error}") from error
        notes: tuple[str, ...] = (f"'{domain.name}' is {wanted.stands}, as it was at {since}.",)
        if wanted.stands != OFF:
            notes += call.host.batch.park_at_once(domain)
        data = {"snapshot": name, "dry_run": False, "state": domain.state()[0], "id": domain.identifier()}
        return Result(data, changed=True, domain=domain.name, notes=notes)


def delete(call: Call) -> Result:
    """Take one away; those made later stay."""
    name = call.parsed.text("NAME")
    with call.changing(LONG) as domain:
        snapshots.named(domain, name)
        if call.parsed.flag("dry-run"):
            return _dry(domain, name, f"The snapshot '{name}' of '{domain.name}' would be deleted.")
        snapshots.delete(domain, name, call.host.settings.limits.patience, call.progress)
        return Result({"snapshot": name, "dry_run": False}, changed=True, domain=domain.name)


def _ready(domain: Domain) -> str:
    found = condition.condition(domain)
    if found not in (RUNNING, PAUSED, OFF):
        raise condition.refusal(domain, found)
    return found


def _without_jobs(domain: Domain) -> Metadata:
    """Return what xman keeps in it. Raises RefusedError where batch work counts on what it is now."""
    found = metadata.read(domain)
    jobs, _over = current(found, active=domain.active(), saved=False)
    if jobs:
        raise RefusedError(
            f"Domain '{domain.name}' has jobs ({', '.join(job.id for job in jobs)}), and what they have done would be"
            " lost; end them first (job-stop)."
        )
    if found.preempted_since is not None:
        raise RefusedError(f"Domain '{domain.name}' is preempted, and would take its memory again; unpreempt it first.")
    return replace(found.for_next_run(), jobs=())


def _require_its_disks(domain: Domain, wanted: Snapshot) -> None:
    """Raise RefusedError where it has other disks now: libvirt would find that out with the guest stopped already."""
    if not domain.on_qemu():
        return
    others = sorted({target for target, _place in wanted.disks ^ snapshots.disks(domain)})
    if others:
        raise RefusedError(
            f"Domain '{domain.name}' has other disks than when '{wanted.name}' was made ({', '.join(others)});"
            " restore them first (block-detach, block-attach)."
        )


def _dry(domain: Domain, name: str, note: str) -> Result:
    return Result({"snapshot": name, "dry_run": True}, domain=domain.name, notes=(note,))


def _data(made: Snapshot) -> dict[str, object]:
    return {"snapshot": made.name, "dry_run": False, "created": times.utc(made.created), "memory": made.stands != OFF}


def _row(found: Snapshot) -> dict[str, object]:
    row: dict[str, object] = {
        "snapshot": found.name,
        "created": times.utc(found.created),
        "state": found.stands,
        "kind": found.kind,
        "current": found.current,
    }
    optional = {"parent": found.parent, "description": found.description}
    return row | {key: value for key, value in optional.items() if value}


ROWS = {
    "snapshot": Row(snapshot, verdicts.snapshotted),
    "snapshot-list": Row(snapshot_list),
    "snapshot-revert": Row(revert, verdicts.reverted),
    "snapshot-delete": Row(delete, verdicts.snapshot_deleted),
}
