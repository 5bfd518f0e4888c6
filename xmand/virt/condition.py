"""What condition a domain is in, and the way out of it: whether a verb's wish holds already is decided by this alone.

libvirt calls everything active that has a process: also a guest that crashed and was kept, one that shuts down, and one
that sleeps in its memory. None of these runs, and none is paused.
"""

from xman.errors import RefusedError
from xmand.virt.binding import api
from xmand.virt.domain import Domain

# Xen's guests that have nothing to do are blocked, those that wait for a CPU are in no state of libvirt's.
RUNNING = "running"
PAUSED = "paused"
SHUTTING_DOWN = "shutting down"
CRASHED = "crashed"
ASLEEP = "asleep"
OFF = "off"

_OF_STATE = {
    api.VIR_DOMAIN_PAUSED: PAUSED,
    api.VIR_DOMAIN_SHUTDOWN: SHUTTING_DOWN,
    api.VIR_DOMAIN_SHUTOFF: OFF,
    api.VIR_DOMAIN_CRASHED: CRASHED,
    api.VIR_DOMAIN_PMSUSPENDED: ASLEEP,
}
# A pause that is not one: its guest is over.
_OF_PAUSE = {api.VIR_DOMAIN_PAUSED_CRASHED: CRASHED, api.VIR_DOMAIN_PAUSED_SHUTTING_DOWN: SHUTTING_DOWN}


def of(state: int, reason: int, *, active: bool) -> str:
    """Return the condition for libvirt's numbers of state and reason."""
    if not active:
        return OFF
    if state == api.VIR_DOMAIN_PAUSED and reason in _OF_PAUSE:
        return _OF_PAUSE[reason]
    return _OF_STATE.get(state, RUNNING)


def condition(domain: Domain) -> str:
    """Return the condition of a domain. Raises NoSuchDomainError and HypervisorError."""
    state, reason = domain.numbers()
    return of(state, reason, active=domain.active())


def way_out(name: str, found: str) -> str:
    """Return what is the matter with a domain that does not run, and what its administrator can do about it."""
    return f"Domain '{name}' {_WAYS_OUT[found].format(name=name)}"


def refusal(domain: Domain, found: str) -> RefusedError:
    """Return the refusal of a verb that cannot do anything in the condition `found`."""
    state, reason = domain.numbers()
    if (state, reason) == (api.VIR_DOMAIN_PAUSED, api.VIR_DOMAIN_PAUSED_IOERROR):
        return RefusedError(f"Domain '{domain.name}' {_DISK_ERROR}")
    return RefusedError(way_out(domain.name, found))


_DISK_ERROR = "is paused by an I/O error of a disk (list --long names it); mend that, and unpause it."
_WAYS_OUT = {
    RUNNING: "is running.",
    PAUSED: "is paused; unpause lets it go on.",
    SHUTTING_DOWN: "is shutting down; wait until it is off (rxm wait {name} --for off), or destroy it.",
    CRASHED: "has crashed, and was kept to be looked at; destroy it, and start it again.",
    ASLEEP: "is asleep: its guest suspended itself to memory. What wakes it is its own (virsh dompmwakeup {name}), or"
    " destroy it, and start it again.",
    OFF: "is not started.",
}
