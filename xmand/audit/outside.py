"""What happens to domains and no verb of ours caused, for the audit: virsh, another tool, the guest itself.

An event belongs to a verb that is at work on its domain, or was a moment ago; a guest that was asked to shut down or to
restart does so in its own time.
"""

from collections.abc import Callable

from xmand.audit import Audit
from xmand.system.locks import DomainLocks
from xmand.virt.events import Event

# What is worth a line: a domain came, went, started, stopped, or was held.
TOLD = frozenset(("defined", "undefined", "started", "suspended", "resumed", "stopped", "crashed"))
# libvirt's events come by another way than its answers, and may be later.
_AFTER_SECONDS = 3.0
# What asks of a verb and an event whether the one may come of the other.
Causes = Callable[[str, str], bool]
_ASKED_SECONDS = 600.0


class Outside:
    """Writes the lines; `heard` is a listener of the host's events.

    `causes` is asked of verbs that are at work, or were a moment ago; `asks`, of those before
    them, after which a guest may still do what it was asked for.
    """

    def __init__(self, locks: DomainLocks, audit: Audit, causes: Causes, asks: Causes) -> None:
        self._locks = locks
        self._audit = audit
        self._causes = causes
        self._asks = asks

    def heard(self, event: Event) -> None:
        """Write a line for `event`, where it is not ours. Neither blocks nor raises."""
        if event.name in TOLD and not self._ours(event):
            detail = f"{event.name} ({event.detail})" if event.detail else event.name
            self._audit.record(ev="outside", dom=event.domain, uuid=event.uuid, detail=detail)

    def _ours(self, event: Event) -> bool:
        # By its name, where it was not there before. An event may come when the next verb is at work already.
        lately = [*self._locks.lately(event.uuid), *self._locks.lately(event.domain)]
        return any(self._may_cause(verb, seconds, event.name) for verb, seconds in lately)

    def _may_cause(self, verb: str, seconds: float, event: str) -> bool:
        """Whether a verb that ended so many seconds ago may be what caused an event."""
        if seconds <= _AFTER_SECONDS:
            return self._causes(verb, event)
        return seconds <= _ASKED_SECONDS and self._asks(verb, event)
