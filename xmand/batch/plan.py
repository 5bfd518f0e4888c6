"""What is to be done for a decision: pure functions from what is observed to a list of steps, or a refusal.

One owner per host (`xman.states`). Losers shrink before winners grow: whatever step is the last one that was done, no
memory was given twice. The rules are Magrathea's (exclusive mode); a refusal names the rule in brackets.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from xman import states
from xman.errors import NoSuchDomainError, RefusedError
from xman.metadata import Claim, Job
from xmand.batch import words
from xmand.batch.guests import Guest

# Steps, in the words that results and hooks have.
PARK = "park"  # take memory and CPUs from a domain
PREEMPT = "preempt"  # the same where jobs run: their hooks, and the clock of the preemption
GRANT = "grant"  # give a domain all it may have
RETURN = "return"  # the same to a preempted domain
ADD = "add-job"
REMOVE = "remove-job"
DROP = "drop-jobs"  # jobs of an earlier start
RENEW = "renew"  # a job's lease begins anew
CLAIM = "claim"  # the host is kept for a job that is to start
RELEASE = "release"  # and is so no more
HOLD = "hold"  # preempted until `unpreempt`
SAVE = "save"
PAUSE = "pause"
RESTORE = "restore"


@dataclass(frozen=True)
class Step:
    """One step. One that is `optional` may fail: what follows is left out, and nothing is undone."""

    action: str
    domain: str
    job: Job | None = None
    optional: bool = False
    claim: Claim | None = None


@dataclass(frozen=True)
class Plan:
    """The steps, none where what was asked for holds already; `notes` are for the asker."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()


Guests = tuple[Guest, ...]


def find(guests: Guests, name: str) -> Guest:
    """Return the guest called `name`. Raises NoSuchDomainError."""
    for guest in guests:
        if guest.name == name:
            return guest
    raise NoSuchDomainError(name)


def job_start(guests: Guests, name: str, job: Job) -> Plan:
    """A job begins in `name`. One that is there already is the same job. Raises RefusedError."""
    guest = find(guests, name)
    known = guest.job(job.id)
    if known is not None:
        return _again(guests, guest, known)
    what = f"Job {job.id} cannot start"
    _require_up(guests, guest, what)
    _require_unclaimed(guests, f"{what} in '{name}'", job.id)
    if 0 < guest.max_vcpus < job.cpus:
        asked = f"it asks for {job.cpus} CPUs, and the domain may have {guest.max_vcpus}"
        raise RefusedError(f"{what} in '{name}': {asked} (cpus).")
    room = _room(guests, guest, job)
    for step in room:
        if step.action == PREEMPT and find(guests, step.domain).job(job.id) is not None:
            raise RefusedError(
                f"{what} in '{name}': it has the host in '{step.domain}' already, and would preempt itself (occupied)."
            )
    return Plan((*room, *released(guests), Step(ADD, name, job), *_grown(guest)))


def job_stop(guests: Guests, name: str, number: str) -> Plan:
    """A job has ended; its domain, once it has no other, gives back what it has."""
    guest = find(guests, name)
    job = guest.job(number)
    if job is None:
        if guest.claim is not None and guest.claim.id == number:
            return Plan(then_optimise(guests, list(released((guest,)))))
        return Plan(notes=(f"No job {number} is in '{name}'.",))
    steps = [Step(REMOVE, name, job)]
    after = find(apply(guests, steps), name)
    if not after.jobs and _may_shrink(after):
        steps.append(Step(PARK, name, optional=True))
    return Plan(then_optimise(guests, steps))


def preempt(guests: Guests, name: str) -> Plan:
    """Take the resources from `name` by hand, until `unpreempt`. Raises RefusedError."""
    guest = find(guests, name)
    _require_alive(guest, f"'{name}' cannot be preempted")
    if guest.jobs and not guest.granted and not guest.suspended:
        note = f"Domain '{name}' is already preempted."
        return Plan((), (note,)) if guest.held else Plan((Step(HOLD, name),), (f"{note} It stays so until unpreempt.",))
    _require_no_boot(guests, f"'{name}' cannot be preempted")
    if not guest.holds:
        raise RefusedError(f"Domain '{name}' runs no job, so there is nothing to preempt ({_state(guests, guest)}).")
    if not guest.soft:
        raise RefusedError(f"'{name}' cannot be preempted: {words.reason_hard(guest)} (running).")
    return Plan(then_optimise(guests, [Step(PREEMPT, name), Step(HOLD, name)]))


def unpreempt(guests: Guests, name: str) -> Plan:
    """Give a preempted domain its resources back by hand. Raises RefusedError."""
    guest = find(guests, name)
    _require_alive(guest, f"'{name}' cannot go on")
    if guest.holds:
        return Plan(notes=(f"Domain '{name}' has its resources.",))
    if guest.active and not guest.suspended and not guest.jobs:
        return Plan(notes=(f"Domain '{name}' has no jobs, so it is not preempted.",))
    if not guest.jobs or not (guest.put_away or (guest.active and not guest.suspended)):
        raise RefusedError(f"Domain '{name}' is not preempted ({_state(guests, guest)}).")
    what = f"'{name}' cannot go on"
    _require_no_boot(guests, what)
    _require_unclaimed(guests, what)
    for holder in _holders(guests, name):
        raise _occupied(what, holder)
    return Plan(tuple(_return(guests, guest, what)))


def freeze(guests: Guests, name: str, *, pause: bool) -> Plan:
    """Suspend a running domain with its jobs: to disk or, with `pause`, parked in memory. Raises RefusedError."""
    guest = find(guests, name)
    _require_alive(guest, f"'{name}' cannot be frozen")
    if guest.suspended:
        return Plan(notes=(f"Domain '{name}' is already frozen.",))
    what = f"'{name}' cannot be frozen"
    _require_no_boot(guests, what)
    if not guest.holds:
        raise RefusedError(f"{what}: it runs no job ({_state(guests, guest)}); use suspend or pause.")
    if not pause and not guest.persistent:
        raise RefusedError(
            f"{what}: it is transient, and libvirt would forget it; --pause does not save it (transient)."
        )
    steps = [Step(PARK, name), Step(PAUSE, name)] if pause else [Step(SAVE, name)]
    return Plan(then_optimise(guests, steps))


def defrost(guests: Guests, name: str) -> Plan:
    """Let a frozen domain go on; it preempts what it needs. Raises RefusedError."""
    guest = find(guests, name)
    _require_alive(guest, f"'{name}' cannot go on")
    if not guest.suspended:
        if guest.active:
            return Plan(notes=(f"Domain '{name}' is not frozen.",))
        raise RefusedError(f"Domain '{name}' is off, not frozen; use start (down).")
    what = f"'{name}' cannot go on"
    _require_no_boot(guests, what)
    _require_unclaimed(guests, what)
    holders = _holders(guests, name)
    for holder in holders:
        if not guest.jobs or not holder.soft:
            raise _occupied(what, holder)
    steps = [*_shrink(guests, name, what), Step(RESTORE, name)]
    after = find(apply(guests, steps), name)
    # It runs by now, and what is missing of its size is no reason to stop it again.
    if after.jobs:
        steps.append(Step(RETURN if after.preempted_since is not None else GRANT, name, optional=True))
    else:
        steps.append(Step(PARK, name, optional=True))
    return Plan(tuple(steps))


def owner_beside(guests: Guests, name: str) -> Guest | None:
    """Return who has the host for good, or is to have it, while `name` runs, or starts, without anything of it."""
    owners = [holder for holder in _holders(guests, name) if not holder.soft]
    return next(iter([*owners, *(guest for guest in guests if guest.claimed and guest.name != name)]), None)


def settle(guests: Guests) -> Plan:
    """What has to be done without anybody's asking: after a crash of ours, when a domain stopped, when one is up.

    Drops jobs of earlier starts; ends those whose leases have ended, and claims; leaves one owner, where somebody
    else's doing made several and the rules let it; gives the host to a domain that waits for it where nobody has it;
    takes from the idle ones what they hold beside an owner.
    """
    steps = [Step(DROP, guest.name, optional=True) for guest in guests if guest.stale]
    steps += [Step(REMOVE, guest.name, job, optional=True) for guest in guests for job in guest.ended]
    steps += [Step(RELEASE, guest.name, optional=True) for guest in guests if guest.lapsed]
    steps += [
        Step(PARK, guest.name, optional=True)
        for guest in guests
        if guest.ended and not guest.jobs and _may_shrink(guest)
    ]
    holders = sorted((guest for guest in guests if guest.holds), key=lambda g: (g.soft, not g.priority, _began(g)))
    steps += [Step(PREEMPT, guest.name, optional=True) for guest in holders[1:] if guest.soft]
    steps = list(then_optimise(guests, steps))
    after = apply(guests, steps)
    if any(guest.holds for guest in after) and not _booting(after):
        idle = [g for g in after if not g.jobs and _may_shrink(g)]
        steps += [Step(PARK, guest.name, optional=True) for guest in idle]
    return Plan(tuple(steps))


def apply(guests: Guests, steps: Iterable[Step]) -> Guests:
    """Return the host as it is when the steps were done, each with full success."""
    for step in steps:
        guests = tuple(_done(guest, step) if guest.name == step.domain else guest for guest in guests)
    return guests


def _done(guest: Guest, step: Step) -> Guest:
    if step.action in (PARK, PREEMPT):
        since = 0 if step.action == PREEMPT else guest.preempted_since
        return replace(guest, granted=False, parked=True, in_the_way=False, preempted_since=since)
    if step.action in (GRANT, RETURN):
        return replace(guest, granted=True, parked=False, preempted_since=None, held=False, put_away=False)
    if step.action == ADD and step.job is not None:
        return replace(guest, jobs=(*guest.jobs, step.job))
    if step.action == REMOVE:
        jobs = tuple(job for job in guest.jobs if job != step.job)
        ended = tuple(job for job in guest.ended if job != step.job)
        cleared = {} if jobs else {"preempted_since": None, "held": False}
        return replace(guest, jobs=jobs, ended=ended, **cleared)  # type: ignore[arg-type]
    if step.action == RENEW and step.job is not None:
        return replace(guest, jobs=tuple(step.job if job.id == step.job.id else job for job in guest.jobs))
    if step.action == CLAIM:
        return replace(guest, claim=step.claim, claimed=True, lapsed=False)
    if step.action == RELEASE:
        return replace(guest, claim=None, claimed=False, lapsed=False)
    if step.action == DROP:
        return replace(guest, stale=(), held=guest.held and bool(guest.jobs))
    if step.action == HOLD:
        return replace(guest, held=True)
    if step.action == SAVE:
        return replace(guest, active=False, suspended=True, saved=True, in_the_way=False)
    if step.action == PAUSE:
        return replace(guest, suspended=True, in_the_way=not guest.parked)
    # Restored from disk it has again what it had.
    granted = guest.granted or guest.saved
    return replace(guest, active=True, suspended=False, saved=False, granted=granted, parked=False, in_the_way=False)


# --- the rules --------------------------------------------------------------------------------------------------------


def _room(guests: Guests, guest: Guest, job: Job) -> list[Step]:
    """Return the steps that make room for `job` in `guest`. Raises RefusedError, naming who is in the way."""
    what = f"Job {job.id} cannot start in '{guest.name}'"
    if guest.jobs and not guest.granted:
        owner = next((f"; '{holder.name}' has the host" for holder in _holders(guests, guest.name)), "")
        raise RefusedError(f"{what}: it is preempted{owner} (preempted).")
    if guest.priority or not job.preemptible:
        for frozen in guests:
            if frozen.suspended and frozen.jobs and not frozen.put_away:
                raise RefusedError(
                    f"{what}: '{frozen.name}' is frozen with {words.jobs(frozen)}, so only preemptible jobs may"
                    " start in domains without priority (frozen)."
                )
    if guest.jobs:  # it has the host
        return []
    for holder in _holders(guests, guest.name):
        if not guest.priority or not holder.soft:
            raise _occupied(what, holder)
    return _shrink(guests, guest.name, what)


def _again(guests: Guests, guest: Guest, job: Job) -> Plan:
    """A retry: finish what the first try began where the rules still let it."""
    note = f"Job {job.id} is already in '{guest.name}'."
    already = Plan(notes=(note,))
    claimed = any(other.claimed for other in guests)
    if guest.granted or guest.suspended or guest.held or claimed or _booting(guests):
        return already
    if any(not guest.priority or not holder.soft for holder in _holders(guests, guest.name)):
        return Plan(notes=(f"{note} It is preempted.",))
    what = f"Job {job.id} cannot go on in '{guest.name}'"
    return Plan((*_shrink(guests, guest.name, what), Step(RETURN, guest.name)), (note,))


def _shrink(guests: Guests, winner: str, what: str) -> list[Step]:
    """Return the steps that take the host's resources from all but `winner`. Raises RefusedError."""
    steps = []
    for other in guests:
        if other.name == winner or not other.active or other.parked:
            continue
        if other.plight:
            rule = "asleep" if other.suspended else "down"
            raise RefusedError(f"{what}, since another domain holds its memory: {other.plight.rstrip('.')} ({rule}).")
        if other.suspended:
            raise RefusedError(
                f"{what}: '{other.name}' is paused and holds its memory; unpause or freeze it first (paused)."
            )
        # Jobs of a domain that is preempted already, but kept more than it should, were told so before. One whose jobs
        # may not be preempted has never had the host: a crash came between its job and its share.
        fresh = other.soft and other.preempted_since is None
        steps.append(Step(PREEMPT if fresh else PARK, other.name))
    return steps


def then_optimise(guests: Guests, steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps, and those that give the host to who has waited longest where nobody has it then."""
    after = apply(guests, steps)
    if any(guest.holds or guest.claimed for guest in after) or _booting(after):
        return tuple(steps)
    waiting = [guest for guest in after if not guest.held and _waits(guest)]
    if not waiting:
        return tuple(steps)
    # One with priority waits only where a crash came between: it had made room already.
    winner = min(waiting, key=lambda g: (not g.jobs, not g.priority, g.preempted_since or 0, g.name))
    try:
        more = _return(after, winner, "")
    except RefusedError:  # a paused domain holds memory
        more = []
    return (*steps, *(replace(step, optional=True) for step in more))


def _waits(guest: Guest) -> bool:
    if guest.suspended:
        return guest.put_away
    return guest.active and not guest.dead and bool(guest.jobs) and not guest.granted


def _return(guests: Guests, guest: Guest, what: str) -> list[Step]:
    steps = _shrink(guests, guest.name, what)
    if guest.suspended:
        steps.append(Step(RESTORE, guest.name))
    steps.append(Step(RETURN, guest.name))
    if not guest.jobs:  # its jobs were ended while it was away
        steps.append(Step(PARK, guest.name, optional=True))
    return steps


def _began(guest: Guest) -> int:
    return min((job.began or 0 for job in guest.jobs), default=0)


def _grown(guest: Guest) -> tuple[Step, ...]:
    """Return the step that gives a domain all it may have, where it has not."""
    full = guest.granted and guest.memory >= guest.max_memory and guest.vcpus >= guest.max_vcpus
    return () if full else (Step(GRANT, guest.name),)


def _may_shrink(guest: Guest) -> bool:
    return guest.active and not guest.suspended and not guest.dead and not guest.booting and not guest.parked


def _require_alive(guest: Guest, what: str) -> None:
    """Raise RefusedError for a domain that neither runs nor is paused."""
    if guest.plight:
        raise RefusedError(f"{what}: {guest.plight.rstrip('.')} ({'asleep' if guest.suspended else 'down'}).")


def _require_up(guests: Guests, guest: Guest, what: str) -> None:
    _require_alive(guest, f"{what} in '{guest.name}'")
    if guest.suspended:
        raise RefusedError(f"{what} in '{guest.name}': it is frozen (frozen).")
    if not guest.active:
        raise RefusedError(f"{what} in '{guest.name}': it is not started (down).")
    _require_no_boot(guests, f"{what} in '{guest.name}'")


def _require_unclaimed(guests: Guests, what: str, number: str = "") -> None:
    """Raise RefusedError where a claim keeps the host for another job than `number`."""
    for guest in guests:
        if guest.claim is not None and guest.claim.id != number:
            raise RefusedError(
                f"{what}: the host is kept for job {guest.claim.id}, which is to start in '{guest.name}' (claimed)."
            )


def released(guests: Guests) -> tuple[Step, ...]:
    """Return the steps that end all claims of these domains."""
    return tuple(Step(RELEASE, guest.name, claim=guest.claim) for guest in guests if guest.claim is not None)


def _require_no_boot(guests: Guests, what: str) -> None:
    for booting in _booting(guests):
        raise RefusedError(f"{what}: '{booting.name}' is booting; try again in a moment (booting).")


def _booting(guests: Guests) -> list[Guest]:
    return [guest for guest in guests if guest.boots]


def _holders(guests: Guests, name: str) -> list[Guest]:
    return [guest for guest in guests if guest.holds and guest.name != name]


def _occupied(what: str, holder: Guest) -> RefusedError:
    if holder.soft:
        return RefusedError(f"{what}: '{holder.name}' has the host with {words.jobs(holder)} (occupied).")
    return RefusedError(f"{what}: '{holder.name}' has the host; {words.reason_hard(holder)} (occupied).")


def _state(guests: Guests, guest: Guest) -> str:
    return states.state(guest, guests)
