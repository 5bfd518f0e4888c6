"""Verbs of a domain's life: destroy, shutdown, reboot, pause, unpause. What already holds is a success, and said."""

from xman.errors import RefusedError, WaitTimeoutError
from xman.result import Result
from xmand.call import Call
from xmand.virt.domain import PAUSED, Domain


def destroy(call: Call) -> Result:
    """Stop at once, as if the plug were pulled."""
    with call.changing() as domain:
        if not domain.active():
            return _already(domain, "off")
        domain.destroy()
        return Result(changed=True, domain=domain.name)


def shutdown(call: Call) -> Result:
    """Ask the guest; with `--wait`, until it is off. Nothing is ever destroyed that was only asked to shut down."""
    with call.changing() as domain:
        if not domain.active():
            return _already(domain, "off")
        _require_not_paused(domain)
        domain.ask_shutdown()
    # Not under the lock: whoever loses patience with the guest may destroy it meanwhile.
    waits = call.parsed.flag("wait")
    with domain.lost_means_unknown():
        off = domain.wait_until_off(call.deadline if waits else 0.0)
    if waits and not off:
        raise WaitTimeoutError(f"Domain '{domain.name}' was asked to shut down and is still running.")
    return Result({"off": off}, changed=True, domain=domain.name)


def reboot(call: Call) -> Result:
    """Ask the guest to restart; libvirt can only say that it was asked."""
    with call.changing() as domain:
        domain.require_active()
        _require_not_paused(domain)
        domain.ask_reboot()
        return Result(changed=True, domain=domain.name)


def pause(call: Call) -> Result:
    """Stop the CPUs."""
    with call.changing() as domain:
        if domain.require_active() == PAUSED:
            return _already(domain, "paused")
        domain.pause()
        return Result(changed=True, domain=domain.name)


def unpause(call: Call) -> Result:
    """Let the CPUs go on."""
    with call.changing() as domain:
        if domain.require_active() != PAUSED:
            return _already(domain, "running")
        domain.unpause()
        return Result(changed=True, domain=domain.name)


def _already(domain: Domain, what: str) -> Result:
    return Result(domain=domain.name, notes=(f"Domain '{domain.name}' is already {what}.",))


def _require_not_paused(domain: Domain) -> None:
    if domain.state()[0] == PAUSED:
        raise RefusedError(f"Domain '{domain.name}' is paused, so its guest would not hear; unpause it first.")
