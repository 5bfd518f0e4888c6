"""Starting what is off: booted, or restored from its saved memory; and what is said where that could not be used."""

import contextlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

from xman.errors import ColdBootError, DeniedError, MetadataError, RefusedError, XmanError
from xman.result import Result
from xmand.batch import marks
from xmand.events import Subscription
from xmand.profiles.starting import Guard
from xmand.verbs.booting import from_cd
from xmand.verbs.call import Call
from xmand.virt import condition, disk_users, image_pools, lifecycle, metadata
from xmand.virt import once as begin
from xmand.virt.condition import PAUSED
from xmand.virt.domain import Domain
from xmand.virt.events import STARTED

# How late libvirt's word on a start may be.
_EVENT_SECONDS = 2.0
_BOOTED = "booted"
_ONCE = "It boots from the CD this time only."


@dataclass(frozen=True)
class _Boot:
    """How a domain boots: by what is kept of it, or by `once`; as if it never had (`anew`); its CPUs stopped or not."""

    once: str
    anew: bool
    paused: bool

    def begin(self, domain: Domain) -> None:
        """Boot it. Raises what a start does."""
        if self.once:
            begin.start(domain, self.once, paused=self.paused, anew=self.anew)
        else:
            domain.start(paused=self.paused, anew=self.anew)


def started(call: Call, domain: Domain, *, boots: bool = True) -> Result:
    """Start `domain`, which is off, and say what came of it. Raises RefusedError (maintenance).

    Unless it `boots`, it is an error where it began anew, without its saved memory.
    """
    call.host.batch.maintenance.refuse()
    written = _require_in_place(call, domain)
    saved, discard = lifecycle.suspended(domain), call.parsed.flag("discard-saved")
    if discard and not saved:
        raise RefusedError(f"Domain '{domain.name}' has no saved memory to discard.")
    once = from_cd(call, domain, goes_on=saved and not discard)
    guard = guarded(call)
    if guard.evict:
        _require_evicting(call, domain)
    with guard.around(domain, restores=saved and not discard) as found:
        anew = found.origin is not None and found.origin.discard
        result = _started(call, domain, _Boot(once, anew, call.parsed.flag("paused")), saved=saved, boots=boots)
        result.notes = (*guard.said, *written, *result.notes)
        if found.profile:
            result.notes += _remember_administrator(call, domain)
    return result


def _require_in_place(call: Call, domain: Domain) -> tuple[str, ...]:
    """Raise RefusedError for a machine from an image where others have put something in its disk's or image's place.

    Also for any other domain that would write to such an image. Return what is to be said of an image that was written.
    """
    instance = None
    with contextlib.suppress(MetadataError):
        instance = metadata.read(domain).instance
    if instance is None:
        if call.host.settings.launch.pools and call.host.machines is not None:
            launched = call.host.machines.found(call.writer)
            disk_users.require_no_image(call.writer, disk_users.written_by(domain) if launched else (), launched)
        return ()
    image_pools.require_in_place(call.writer, instance.pool, domain.uuid)
    for below in image_pools.disk_of(call.writer, instance.pool, domain.uuid)[1:]:
        with contextlib.suppress(OSError):
            # A second of the clock's, which it was launched in.
            if Path(below).stat().st_mtime > (instance.launched or math.inf) + 1:
                said = f"The image '{instance.image}' was written since '{domain.name}' was launched from it"
                return (f"{said}: what its disk shows may be damaged.",)
    return ()


def guarded(call: Call) -> Guard:
    """Return what sees to the disks that several domains have, one of which is to start."""
    host = call.host
    return Guard(
        host.locks,
        call.writer,
        call.verb.name,
        call.deadline,
        host.settings.host.labs,
        force=call.parsed.flag("force"),
        evict=call.parsed.flag("evict"),
    )


def _require_evicting(call: Call, domain: Domain) -> None:
    if call.access.restricted:
        raise DeniedError("Only an administrator may shut down machines of others.")
    if not metadata.read(domain).profile:
        raise RefusedError(f"Domain '{domain.name}' is not a profile; --evict is for profiles.")


def _remember_administrator(call: Call, domain: Domain) -> tuple[str, ...]:
    """Write down who changes a profile, under its lock; return what is to be said of that."""
    said = f"The profile '{domain.name}' is running: its clients will start from what is written now."
    try:
        metadata.update(domain, lambda found: replace(found, administrator=call.principal))
    except XmanError as error:
        return (said, f"It could not be recorded who started it: {error}")
    return (said,)


def _started(call: Call, domain: Domain, boot: _Boot, *, saved: bool, boots: bool) -> Result:
    paused = call.parsed.flag("paused")
    if not saved:
        boot.begin(domain)
        return _result(call, domain, restored=False, notes=(_ONCE,) if boot.once else ())
    if call.parsed.flag("discard-saved"):
        return _without_saved(call, domain, boot)
    notes: tuple[str, ...] = ()
    kept = metadata.read(domain)
    with call.host.events.subscribe() as subscription:
        try:
            marks.restore(domain, paused=paused)
            if paused and _booted(domain, subscription):
                raise marks.cold_boot(domain, kept)
        except ColdBootError as error:
            if not boots:
                raise
            return _result(call, domain, restored=False, notes=(str(error),))
    if not paused:
        goes_on = condition.condition(domain) != PAUSED
        notes = (
            f"Domain '{domain.name}' goes on where it was suspended."
            if goes_on
            else f"Domain '{domain.name}' is back, paused as it was when it was suspended; unpause lets it go on.",
        )
    return _result(call, domain, restored=True, notes=notes)


def _without_saved(call: Call, domain: Domain, boot: _Boot) -> Result:
    kept = metadata.read(domain)
    if lifecycle.suspended(domain):
        lifecycle.discard_saved(domain)
    boot.begin(domain)
    lost = f", and with it {marks.lost_jobs(kept)}" if kept.jobs else ""
    return _result(call, domain, restored=False, notes=(f"The saved memory of '{domain.name}' was dropped{lost}.",))


def _booted(domain: Domain, subscription: Subscription) -> bool:
    """Whether libvirt says that a domain whose CPUs stand still was booted: its state does not tell that."""
    if not lifecycle.drops_broken_images(domain):
        return False
    event = subscription.until(lambda event: event.uuid == domain.uuid and event.name == STARTED, _EVENT_SECONDS)
    return event is not None and event.detail == _BOOTED


def remember_who(call: Call, domain: Domain) -> tuple[str, ...]:
    """Write down, under its lock, who paused it, for `list --long`; return what is to be said where that cannot be."""
    try:
        metadata.update(domain, lambda found: replace(found, paused_by=call.principal))
    except XmanError as error:
        return (f"It is paused; it could not be recorded by whom: {error}",)
    return ()


def _result(call: Call, domain: Domain, *, restored: bool, notes: tuple[str, ...]) -> Result:
    if call.parsed.flag("paused"):
        notes += remember_who(call, domain)
    notes += call.host.batch.park_at_once(domain)
    data = {"id": domain.identifier(), "restored": restored}
    return Result(data, changed=True, domain=domain.name, notes=notes)
