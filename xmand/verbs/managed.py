"""Verbs of the managed life cycle: start, delete, suspend, resume, autostart."""

from xman.errors import RefusedError, UsageError
from xman.result import Result
from xmand.batch.marks import restore
from xmand.call import Call
from xmand.verbs.life import already, remember_who
from xmand.virt import managed
from xmand.virt.domain import PAUSED, Domain
from xmand.virt.driver import LONG


def start(call: Call) -> Result:
    """Start what is defined; a suspended domain goes on where it was, as with resume."""
    with call.changing() as domain:
        if domain.active():
            return already(domain, domain.state()[0])
        return _started(call, domain)


def resume(call: Call) -> Result:
    """Go on with what was suspended. A paused domain is in memory, and has its own verb."""
    with call.changing() as domain:
        if domain.active():
            if domain.state()[0] == PAUSED:
                raise RefusedError(f"Domain '{domain.name}' is paused, not suspended; use unpause.")
            return already(domain, "running")
        managed.require_suspended(domain)
        return _started(call, domain)


def suspend(call: Call) -> Result:
    """Save the memory to disk and stop."""
    with call.changing(LONG) as domain:
        if not domain.active():
            if managed.suspended(domain):
                return already(domain, "suspended")
            raise RefusedError(f"Domain '{domain.name}' is not started.")
        if not domain.persistent():
            raise RefusedError(f"Domain '{domain.name}' is transient: nobody would know it when it is to go on.")
        managed.suspend(domain, call.host.settings.limits.patience, call.progress)
        return Result(changed=True, domain=domain.name)


def delete(call: Call) -> Result:
    """Forget one that is off: libvirt itself would turn a running one into a transient one."""
    with call.changing() as domain:
        if domain.active():
            raise RefusedError(f"Domain '{domain.name}' is not halted; shut it down first.")
        managed.delete(domain)
        return Result(changed=True, domain=domain.name)


def autostart(call: Call) -> Result:
    """Whether it is started with its host."""
    word = call.parsed.text("on|off")
    if word not in ("on", "off"):
        raise UsageError(f"'{word}' is neither on nor off.")
    wanted = word == "on"
    with call.changing() as domain:
        if managed.autostart(domain) == wanted:
            return already(domain, "started with its host" if wanted else "not started with its host")
        managed.set_autostart(domain, wanted)
        return Result({"autostart": wanted}, changed=True, domain=domain.name)


def _started(call: Call, domain: Domain) -> Result:
    call.host.batch.maintenance.refuse()
    was_suspended = managed.suspended(domain)
    start_it = restore if was_suspended else Domain.start
    paused = call.parsed.flag("paused")
    start_it(domain, paused=paused)
    data = {"id": domain.identifier(), "restored": was_suspended}
    notes: tuple[str, ...] = ()
    if paused:
        notes = remember_who(call, domain)
    elif was_suspended:
        notes = (f"Domain '{domain.name}' goes on where it was suspended.",)
    return Result(data, changed=True, domain=domain.name, notes=notes)
