"""What became of a change that xmand was torn out of: judged by what libvirt says now, verb by verb.

Three verdicts: it is done; nothing came of it (a retry may act); nobody can tell. Most verbs name a state to be
reached, so that the state itself is the proof.
"""

from collections.abc import Callable
from dataclasses import dataclass

from xman import outcome, values
from xman.errors import NoSuchDomainError, UsageError
from xman.result import Result
from xmand.answer import Answer
from xmand.journal import Change
from xmand.virt import lifecycle, metadata, size
from xmand.virt.domain import PAUSED, Domain

# What a balloon or libvirt's rounding makes of a size.
_SETTLED_OCTETS = values.MIB


@dataclass(frozen=True)
class Verdict:
    """`answer` is what a retry gets, unless `again`: then it acts."""

    answer: Answer
    again: bool = False


def judge(change: Change, uuid: str, domain: Domain | None) -> Verdict:
    """Judge `change` by its domain, None where there is none of that name (or `uuid`, where that is known).

    Raises HypervisorError where libvirt does not answer.
    """
    if "dry-run" in change.asked["options"]:
        return _not_done(change, "nothing was to be done")
    judged = _JUDGES.get(change.verb, _cannot_tell)
    try:
        return judged(change, uuid, domain)
    except NoSuchDomainError:  # between two questions to libvirt, as one that a migration takes away
        return judged(change, uuid, None)


def _done(change: Change, domain: Domain | None) -> Verdict:
    name = domain.name if domain is not None else change.domain
    note = f"xmand ended while doing this, and has found it done: {change.verb} of '{name}'."
    return Verdict(Answer(outcome.OK, done=Result(changed=True, domain=name, notes=(note,))))


def _not_done(change: Change, why: str) -> Verdict:
    message = f"xmand ended before the {change.verb} was done: {why}."
    return Verdict(Answer(outcome.UNREACHABLE, message=message), again=True)


def _unknown(change: Change, why: str, *, again: bool = False) -> Verdict:
    return Verdict(Answer(outcome.UNKNOWN, message=f"xmand ended during the {change.verb}: {why}."), again)


def _cannot_tell(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    return _unknown(change, "it may have happened")


def _gone(change: Change) -> str:
    return f"there is no domain '{change.domain}'"


def _created(change: Change, uuid: str, domain: Domain | None) -> Verdict:
    """create and new: the journal knows the UUID from just before the domain was defined."""
    if not uuid:
        return _not_done(change, "nothing was defined")
    if domain is None:
        return _not_done(change, _gone(change))
    if change.verb == "create" and domain.active():
        return _done(change, domain)
    if change.asked.get("replaces"):
        return _unknown(change, f"the description of '{domain.name}' may have been replaced; try again", again=True)
    if change.verb == "new":
        return _done(change, domain)
    # It may have run, and ended with the host: what is left is not ours to remove.
    return _unknown(change, f"'{domain.name}' is defined and does not run; start it, or try again", again=True)


def _started(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    return _done(change, domain) if domain.active() else _not_done(change, f"'{domain.name}' does not run")


def _stopped(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None or not domain.active():  # a transient one is forgotten when it stops
        return _done(change, domain)
    if change.verb == "shutdown":
        return _unknown(change, f"'{domain.name}' runs, and may have been asked", again=True)
    return _not_done(change, f"'{domain.name}' still runs")


def _paused(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    state, _reason = domain.state()
    reached = domain.active() and (state == PAUSED) == (change.verb == "pause")
    return _done(change, domain) if reached else _not_done(change, f"'{domain.name}' is {state}")


def _suspended(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    if not domain.active() and lifecycle.suspended(domain):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' is {domain.state()[0]}")


def _saved(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """That it runs no more it may also have done by itself: the file tells."""
    if domain is not None and domain.active():
        return _not_done(change, f"'{domain.name}' still runs")
    return _unknown(change, f"'{change.domain}' does not run; look for the file")


def _deleted(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    return _done(change, domain) if domain is None else _not_done(change, f"'{domain.name}' is still defined")


def _autostart(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    wanted = change.asked["on|off"] == ["on"]
    return _done(change, domain) if lifecycle.autostart(domain) == wanted else _not_done(change, "it is as it was")


def _memory(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    try:
        wanted = values.memory(change.asked["MIB"][0])
    except UsageError:
        return _cannot_tell(change, "", domain)
    if abs(domain.memory()[0] - wanted) <= _SETTLED_OCTETS and size.keeps(domain, memory=wanted):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' has {domain.memory()[0] // values.MIB} MiB")


def _vcpus(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    wanted, (now, _most) = int(change.asked["N"][0]), domain.vcpus()
    if now == wanted and size.keeps(domain, vcpus=wanted):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' has {now} CPUs")


def _migrated(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """Done means that it left; where it is now only the other host can tell."""
    if change.asked["options"].get("abort"):
        return _cannot_tell(change, "", domain)
    if domain is not None and domain.active():
        return _not_done(change, f"'{domain.name}' runs here")
    return _unknown(change, f"'{change.domain}' does not run here any more; look at the other host")


def _job(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """job-start and job-stop: the metadata tells. What is left of the switch, xmand does when it starts."""
    if domain is None:
        return _not_done(change, _gone(change))
    number = str(change.asked["options"].get("id", ""))
    there = any(job.id == number for job in metadata.read(domain).jobs)
    if there == (change.verb == "job-start"):
        return _done(change, domain)
    return _not_done(change, f"job {number} is {'still' if there else 'not'} in '{domain.name}'")


def _harmless_again(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    """Verbs that name the state to be reached, and find out by themselves what is left to do."""
    return _unknown(change, "it may have happened; try again", again=True)


_JUDGES: dict[str, Callable[[Change, str, Domain | None], Verdict]] = {
    "create": _created,
    "new": _created,
    "start": _started,
    "resume": _started,
    "destroy": _stopped,
    "shutdown": _stopped,
    "pause": _paused,
    "unpause": _paused,
    "suspend": _suspended,
    "delete": _deleted,
    "autostart": _autostart,
    "mem-set": _memory,
    "vcpu-set": _vcpus,
    "migrate": _migrated,
    "save": _saved,
    "restore": _cannot_tell,
    "dump-core": _cannot_tell,
    "rename": _cannot_tell,
    "mem-max": _harmless_again,
    "vcpu-pin": _harmless_again,
    "job-start": _job,
    "job-stop": _job,
    "preempt": _harmless_again,
    "unpreempt": _harmless_again,
    "freeze": _harmless_again,
    "defrost": _harmless_again,
    "maintenance": _harmless_again,
    # A guest that was asked to restart looks like one that was not.
    "reboot": _cannot_tell,
}
