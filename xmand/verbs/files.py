"""Verbs that keep a domain in a file of the host's, below one configured directory: save, restore, dump-core."""

import contextlib
from collections.abc import Iterator

from xman.errors import NoSuchDomainError, RefusedError, UsageError
from xman.result import Result
from xmand.journal import verdicts
from xmand.profiles import clients
from xmand.system import saved
from xmand.verbs import permitted
from xmand.verbs.call import Call
from xmand.verbs.life import already
from xmand.verbs.row import Row
from xmand.verbs.starting import guarded
from xmand.virt import condition, lifecycle
from xmand.virt import images_of_memory as images
from xmand.virt.binding import RawConnection
from xmand.virt.domain import find
from xmand.virt.driver import LONG


def save(call: Call) -> Result:
    """Save the memory to a file, and stop it. One that libvirt knows only while it runs is in the file alone then."""
    with call.changing(LONG) as domain:
        found = condition.condition(domain)
        if found not in (condition.RUNNING, condition.PAUSED):
            raise condition.refusal(domain, found)
        clients.require_lasting(domain, "its saved memory would not fit its disks any more; suspend keeps both")
        path = saved.new_file(call.host.settings.saved, call.parsed.text("FILE"))
        images.save(domain, path, call.host.settings.limits.patience, call.progress)
        return Result({"file": path}, changed=True, domain=domain.name)


def restore(call: Call) -> Result:
    """Go on with what was saved in a file, which stays."""
    images.require_images(call.writer)
    path = saved.old_file(call.host.settings.saved, call.parsed.text("FILE"))
    call.host.batch.maintenance.refuse()
    connection = call.host.driver.connection(LONG)
    name, uuid = images.whose(connection, path)
    with call.host.locks.hold(uuid or name, call.verb.name, call.deadline):
        running = images.running(connection, name)
        if running is not None:
            raise RefusedError(f"Domain '{name}' already runs; what is saved in {path} is older.")
        with _guarded(call, connection, uuid):
            domain = images.restore(connection, name, path, paused=call.parsed.flag("paused"))
        call.record.found(domain.uuid)
        data = {"file": path, "name": domain.name, "uuid": domain.uuid, "id": domain.identifier()}
        return Result(data, changed=True, domain=domain.name)


@contextlib.contextmanager
def _guarded(call: Call, connection: RawConnection, uuid: str) -> Iterator[None]:
    """Around the start of what may be kept as a profile, or as a client of one."""
    domain = None
    with contextlib.suppress(NoSuchDomainError):
        domain = find(connection, uuid) if uuid else None
    if domain is None:
        yield
        return
    call.require_settled(domain)
    clients.require_lasting(domain, "its disks are not those that were saved with")
    with guarded(call).around(domain, restores=True):
        yield


def dump_core(call: Call) -> Result:
    """Write the guest's memory to a file, for a debugger; it is paused meanwhile, but with `--live`."""
    word = call.parsed.text("FILE")
    if call.parsed.flag("live") and call.parsed.flag("crash"):
        raise UsageError("--live leaves it running and --crash stops it; give one of them.")
    with call.changing(LONG) as domain:
        if not domain.active():
            raise condition.refusal(domain, condition.OFF)
        path = saved.new_file(call.host.settings.saved, word or f"{domain.name}.core")
        images.dump(
            domain,
            path,
            call.host.settings.limits.patience,
            call.progress,
            live=call.parsed.flag("live"),
            crash=call.parsed.flag("crash"),
        )
        return Result({"file": path}, changed=True, domain=domain.name)


def rename(call: Call) -> Result:
    """Give a domain that is off another name."""
    wanted = call.parsed.text("NEWNAME")
    images.check_name(wanted)
    permitted.name(call, wanted)
    with call.changing() as domain:
        if domain.name == wanted:
            return already(domain, f"called {wanted}")
        if domain.active():
            raise RefusedError(f"Domain '{domain.name}' is not halted; libvirt renames what is off.")
        if lifecycle.suspended(domain):
            raise RefusedError(f"Domain '{domain.name}' is suspended, and its saved memory is kept under its name.")
        images.require_unused(domain, wanted)
        before, notes = domain.name, images.left_behind(domain)
        if call.parsed.flag("dry-run"):
            data = {"name": wanted, "before": before, "dry_run": True}
            return Result(data, domain=before, notes=(f"'{before}' would be called '{wanted}'.", *notes))
        # Durably: after a crash the name of this one, by its UUID, tells what became of it.
        call.record.intends(before, domain.uuid)
        images.rename(domain, wanted)
        return Result({"name": wanted, "before": before}, changed=True, domain=wanted, notes=notes)


ROWS = {
    "save": Row(save, verdicts.saved),
    "restore": Row(restore, verdicts.cannot_tell),
    "dump-core": Row(dump_core, verdicts.cannot_tell),
    "rename": Row(rename, verdicts.renamed),
}
