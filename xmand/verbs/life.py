"""Verbs of a domain's life: destroy, shutdown, reboot, pause, unpause, start, suspend, resume, delete.

What already holds is a success, and said; whether it does is decided by the condition that was wanted. Any other one in
which the verb can do nothing is a refusal that names the way out.
"""

import contextlib
import time
from dataclasses import replace

from xman.errors import DeniedError, MetadataError, NoSuchDomainError, RefusedError, UsageError, XmanError
from xman.result import Result
from xmand.audit.outside import TOLD
from xmand.consoles import kept
from xmand.events import waiting
from xmand.events.table import Waits, look
from xmand.journal import verdicts
from xmand.journal.promised import facts
from xmand.verbs.call import Call
from xmand.verbs.profiles import forgetting
from xmand.verbs.row import Row, told
from xmand.verbs.starting import remember_who, started
from xmand.virt import condition, lifecycle, metadata, snapshots
from xmand.virt.binding import api
from xmand.virt.condition import OFF, PAUSED, RUNNING, SHUTTING_DOWN
from xmand.virt.domain import Domain
from xmand.virt.driver import LONG
from xmand.virt.errors import code_of
from xmand.virt.qemu_log import LOGS

# libvirt's reason of a pause that somebody asked for, and did not come about by itself.
_BY_USER = int(api.VIR_DOMAIN_PAUSED_USER)


def destroy(call: Call) -> Result:
    """Stop at once, as if the plug were pulled."""
    with call.changing() as domain:
        if condition.condition(domain) == OFF:
            return already(domain, "off")
        try:
            domain.destroy()
        except RefusedError as error:
            if not _came_meanwhile(domain, error, OFF):
                raise
            return already(domain, "off")
        return Result(changed=True, domain=domain.name)


def shutdown(call: Call) -> Result | Waits:
    """Ask the guest; with `--wait`, until it is off. Nothing is ever destroyed that was only asked to shut down."""
    force_after = call.parsed.seconds("force-after")
    if force_after is not None and force_after > call.host.settings.limits.force_seconds:
        raise UsageError(f"--force-after takes at most {call.host.settings.limits.force_seconds:.0f} seconds here.")
    if not call.parsed.flag("wait") and force_after is None:
        return _asked_to_shut_down(call)
    # A place, and the events from now on, before it is asked: the answer may be quick.
    with call.host.events.table.enter(call.whose) as entry:
        with call.changing() as domain:
            found = condition.condition(domain)
            if found == OFF:
                return already(domain, "off")
            before = domain.identifier()
            asked = found != SHUTTING_DOWN
            if asked:
                _require_awake(domain, found)
            patience = call.deadline if force_after is None else time.monotonic() + force_after
            forces = patience < call.deadline
            if force_after is not None and forces:
                entry.promise(domain.uuid)
                call.record.promises(facts(domain.name, domain.uuid, before, force_after))
            if asked:
                domain.ask_shutdown()
        # Not under the lock: whoever loses patience with the guest may destroy it meanwhile.
        call.host.events.table.watch(entry, waiting.UntilOff(domain.name, domain.uuid, before, asked=asked))
    return Waits(entry, patience, lambda: _forced(call), promised=True) if forces else Waits(entry, call.deadline)


def _asked_to_shut_down(call: Call) -> Result:
    with call.changing() as domain:
        found = condition.condition(domain)
        if found == OFF:
            return already(domain, "off")
        before = domain.identifier()
        asked = found != SHUTTING_DOWN
        if asked:
            _require_awake(domain, found)
            domain.ask_shutdown()
    notes: tuple[str, ...] = () if asked else (f"Domain '{domain.name}' was already shutting down.",)
    with domain.lost_means_unknown():
        off = look(call.host.driver, domain.uuid).identifier != before
    return Result({"off": off, "forced": False}, changed=asked, domain=domain.name, notes=notes)


def _forced(call: Call) -> Result:
    """Destroy what has not shut down in the time its caller gave it."""
    with call.changing() as domain:
        if domain.active():
            domain.destroy()
        note = f"Domain '{domain.name}' did not shut down in time and was destroyed."
        return Result({"off": True, "forced": True}, changed=True, domain=domain.name, notes=(note,))


def reboot(call: Call) -> Result | Waits:
    """Ask the guest to restart; libvirt can only say that it was asked. With `--wait`, until it has."""
    if not call.parsed.flag("wait"):
        with call.changing() as domain:
            _require_awake(domain, condition.condition(domain))
            domain.ask_reboot()
            return Result(changed=True, domain=domain.name)
    with call.host.events.table.enter(call.whose) as entry:
        with call.changing() as domain:
            _require_awake(domain, condition.condition(domain))
            before = domain.identifier()
            domain.ask_reboot()
        # Not under the lock, as for shutdown.
        container, rebuilt = domain.container(), domain.on_xen()
        began = time.monotonic()
        goal = waiting.UntilRestarted(domain.name, domain.uuid, before, began, container=container, rebuilt=rebuilt)
        call.host.events.table.watch(entry, goal)
    return Waits(entry, call.deadline)


def pause(call: Call) -> Result:
    """Stop the CPUs."""
    with call.changing() as domain:
        found = condition.condition(domain)
        if found == PAUSED:
            _take_over(call, domain)
            return already(domain, "paused")
        if found != RUNNING:
            raise condition.refusal(domain, found)
        domain.pause()
        return Result(changed=True, domain=domain.name, notes=remember_who(call, domain))


def unpause(call: Call) -> Result:
    """Let the CPUs go on."""
    if call.parsed.flag("take-over") and call.access.restricted:
        raise DeniedError("Only an administrator may declare the host gone from which a domain arrived.")
    with call.changing() as domain:
        found = condition.condition(domain)
        if found == RUNNING:
            return already(domain, "running")
        if found == OFF and call.parsed.flag("take-over") and call.host.arrivals.get(domain.uuid) is not None:
            call.host.arrivals.forget(domain.uuid)
            return Result(changed=True, domain=domain.name, notes=(f"Domain '{domain.name}' is off; start it.",))
        if found == OFF and lifecycle.suspended(domain):
            raise RefusedError(f"Domain '{domain.name}' is suspended to disk, not paused; use resume.")
        if found != PAUSED:
            raise condition.refusal(domain, found)
        _require_own_pause(call, domain)
        domain.unpause()
        if call.parsed.flag("take-over"):
            call.host.arrivals.forget(domain.uuid)
        _remember_nobody(domain)
        return Result(changed=True, domain=domain.name)


def _require_own_pause(call: Call, domain: Domain) -> None:
    """Raise RefusedError where an owner would undo what somebody did who may more than he."""
    if not call.access.restricted:
        return
    who = metadata.read(domain).paused_by
    if who and not call.access.administers(who):
        return
    # Without a name it was done past us: by root's virsh, say, or by a disk that failed, which its owner may try again.
    if who or domain.state()[1] == _BY_USER:
        raise RefusedError(
            f"Domain '{domain.name}' was paused by {who or 'somebody with access to libvirt'}, not by you;"
            " an administrator unpauses it."
        )


def _take_over(call: Call, domain: Domain) -> None:
    """Let a pause that an owner made be an administrator's, who wants it too."""
    if call.access.restricted:
        return
    with contextlib.suppress(XmanError):
        who = metadata.read(domain).paused_by
        if who and not call.access.administers(who):
            metadata.update(domain, lambda found: replace(found, paused_by=call.principal))


def _remember_nobody(domain: Domain) -> None:
    # What is left standing is not shown of a domain that runs, and goes with its next pause.
    with contextlib.suppress(XmanError):
        if metadata.read(domain).paused_by:
            metadata.update(domain, lambda found: replace(found, paused_by=""))


def _came_meanwhile(domain: Domain, error: RefusedError, wanted: str) -> bool:
    """Whether libvirt refused since somebody else has just done what was wanted."""
    if code_of(error.__cause__) != api.VIR_ERR_OPERATION_INVALID:
        return False
    with contextlib.suppress(NoSuchDomainError):
        return condition.condition(domain) == wanted
    return wanted == OFF  # a transient one is forgotten


def already(domain: Domain, what: str) -> Result:
    """Return the success of a verb whose wish already holds."""
    return Result(domain=domain.name, notes=(f"Domain '{domain.name}' is already {what}.",))


def _require_awake(domain: Domain, found: str) -> None:
    """Raise RefusedError for a guest that would not hear what it is asked."""
    if found == PAUSED:
        raise RefusedError(f"Domain '{domain.name}' is paused, so its guest cannot react; unpause it first.")
    if found != RUNNING:
        raise condition.refusal(domain, found)


def start(call: Call) -> Result:
    """Start what is defined; a suspended domain goes on where it was, as with resume."""
    with call.changing() as domain:
        found = condition.condition(domain)
        if found == RUNNING:
            return already(domain, "running")
        if found != OFF:
            raise condition.refusal(domain, found)
        try:
            return started(call, domain)
        except RefusedError as error:
            # A start that was sent before, and whose xmand died, or another client's.
            if not _came_meanwhile(domain, error, RUNNING):
                raise
            return already(domain, "running")


def resume(call: Call) -> Result:
    """Go on with what was suspended. A paused domain is in memory, and has its own verb."""
    with call.changing() as domain:
        found = condition.condition(domain)
        if found == RUNNING:
            return already(domain, "running")
        if found == PAUSED:
            raise RefusedError(f"Domain '{domain.name}' is paused, not suspended; use unpause.")
        if found != OFF:
            raise condition.refusal(domain, found)
        lifecycle.require_suspended(domain)
        return started(call, domain, boots=False)


def suspend(call: Call) -> Result:
    """Save the memory to disk and stop."""
    with call.changing(LONG) as domain:
        found = condition.condition(domain)
        if found == OFF and lifecycle.suspended(domain):
            return already(domain, "suspended")
        if found not in (RUNNING, PAUSED):
            raise condition.refusal(domain, found)
        if not domain.persistent():
            raise RefusedError(f"Domain '{domain.name}' is transient: libvirt would forget it.")
        kept_back = snapshots.in_the_way(domain)
        lifecycle.suspend(domain, call.host.settings.limits.patience, call.progress)
        notes = (f"Domain '{domain.name}' has {kept_back}; it cannot go back to any before it is resumed.",)
        return Result(changed=True, domain=domain.name, notes=notes if kept_back else ())


def delete(call: Call) -> Result:
    """Forget one that is off: libvirt itself would turn a running one into a transient one."""
    with call.changing(forgets=True) as domain:
        found = condition.condition(domain)
        if found in (RUNNING, PAUSED):
            raise RefusedError(f"Domain '{domain.name}' is not halted; shut it down first.")
        if found != OFF:
            raise RefusedError(f"Domain '{domain.name}' is not halted; destroy it first.")
        _require_not_launched(domain)
        with forgetting(call, domain) as notes:
            notes += _snapshots(call, domain)
            lifecycle.delete(domain)
            kept.forget(domain.uuid, LOGS)
            call.host.kept_by_name.forget(domain.uuid)
        return Result(changed=True, domain=domain.name, notes=tuple(notes))


def _require_not_launched(domain: Domain) -> None:
    """Raise RefusedError for a machine whose disks would be nobody's then."""
    with contextlib.suppress(MetadataError):  # what cannot be read keeps nobody from deleting it
        instance = metadata.read(domain).instance
        if instance is not None:
            raise RefusedError(
                f"Domain '{domain.name}' was launched from an image ({instance.id}); terminate forgets it, with its"
                " disks."
            )


def _snapshots(call: Call, domain: Domain) -> tuple[str, ...]:
    """Delete its snapshots, which nobody would find again in its images; what is to be said of that.

    Raises RefusedError where that was not asked for.
    """
    found = snapshots.in_the_way(domain)
    if not found:
        return ()
    if not call.parsed.flag("snapshots"):
        raise RefusedError(
            f"Domain '{domain.name}' has {found}, which would become useless; --snapshots deletes them with it."
        )
    # Not under one change: what libvirt has deleted is gone, whatever becomes of the rest.
    snapshots.delete_all(domain, call.host.settings.limits.patience, call.progress)
    return (f"Deleted with '{domain.name}': {found}.",)


def autostart(call: Call) -> Result:
    """Whether it is started with its host."""
    word = call.parsed.text("on|off")
    if word not in ("on", "off"):
        raise UsageError(f"'{word}' is neither on nor off.")
    wanted = word == "on"
    with call.changing() as domain:
        if lifecycle.autostart(domain) == wanted:
            return already(domain, "started with its host" if wanted else "not started with its host")
        lifecycle.set_autostart(domain, wanted)
        return Result({"autostart": wanted}, changed=True, domain=domain.name)


ROWS = {
    "start": Row(start, verdicts.started, told("started", "suspended", "resumed")),
    "delete": Row(delete, verdicts.deleted, told("undefined")),
    "suspend": Row(suspend, verdicts.suspended),
    "resume": Row(resume, verdicts.started, told("started", "suspended", "resumed")),
    "autostart": Row(autostart, verdicts.autostart, told("defined")),
    "destroy": Row(destroy, verdicts.stopped, told("stopped")),
    "shutdown": Row(shutdown, verdicts.shut_down, asks=told("suspended", "stopped")),
    # A guest that was asked to restart looks like one that was not.
    "reboot": Row(reboot, verdicts.cannot_tell, asks=TOLD - {"defined", "undefined"}),
    "pause": Row(pause, verdicts.paused, told("suspended")),
    "unpause": Row(unpause, verdicts.unpaused, told("resumed")),
}
