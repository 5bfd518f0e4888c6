"""What became of a change that xmand was torn out of: judged by what libvirt says now, verb by verb.

Three verdicts: it is done; nothing came of it (a retry may act); nobody can tell. Most verbs name a state to be
reached, so that the state itself is the proof.
"""

from collections.abc import Callable
from dataclasses import dataclass

from xman import labels, outcome, values
from xman.errors import NoSuchDomainError, UsageError
from xman.result import Result
from xmand.answer import Answer
from xmand.journal.entries import Change
from xmand.virt import attaching, definition, lifecycle, metadata, size, snapshots
from xmand.virt.binding import api
from xmand.virt.domain import PAUSED, Domain

# What a balloon or libvirt's rounding makes of a size.
_SETTLED_OCTETS = values.MIB
_UNSEEN = "the pool of the volume cannot be looked at; try again when it can"


@dataclass(frozen=True)
class Verdict:
    """`answer` is what a retry gets, unless `again`: then it acts."""

    answer: Answer
    again: bool = False


# By the change, the UUID of its domain where that is known, and the domain, None where there is none.
Judge = Callable[[Change, str, Domain | None], Verdict]


def judge(judged: Judge, change: Change, uuid: str, domain: Domain | None) -> Verdict:
    """Judge `change` by its domain, None where there is none of that name (or `uuid`, where that is known).

    `judged` is what its verb has for that. Raises HypervisorError where libvirt does not answer.
    """
    if "dry-run" in change.asked["options"]:
        return _not_done(change, "nothing was to be done")
    try:
        return judged(change, uuid, domain)
    except NoSuchDomainError:  # between two questions to libvirt, as one that a migration takes away
        return judged(change, uuid, None)


def _done(change: Change, domain: Domain | None) -> Verdict:
    name = _name(change, domain)
    what = f"{change.verb} of '{name}'" if name else change.verb
    note = f"xmand ended while doing this, and has found it done: {what}."
    return Verdict(Answer(outcome.OK, done=Result(changed=True, domain=name or None, notes=(note,), recovered=True)))


def _not_done(change: Change, why: str) -> Verdict:
    message = f"xmand ended before the {change.verb} was done: {why}."
    return Verdict(Answer(outcome.UNREACHABLE, message=message), again=True)


def _unknown(change: Change, why: str, *, again: bool = False) -> Verdict:
    return Verdict(Answer(outcome.UNKNOWN, message=f"xmand ended during the {change.verb}: {why}."), again)


def cannot_tell(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    """Whatever it is, nobody can tell."""
    return _unknown(change, "it may have happened")


def _gone(change: Change) -> str:
    return f"there is no domain '{change.domain}'"


def created(change: Change, uuid: str, domain: Domain | None) -> Verdict:
    """create: the journal knows the UUID from just before the domain was defined."""
    if uuid and domain is not None and domain.active():
        return _done(change, domain)
    if (found := _not_defined(change, uuid, domain)) is not None:
        return found
    # It may have run, and ended with the host: what is left is not ours to remove.
    return _unknown(
        change, f"'{_name(change, domain)}' is defined and does not run; start it, or try again", again=True
    )


def defined(change: Change, uuid: str, domain: Domain | None) -> Verdict:
    """new: the same, but that it need not run."""
    return _not_defined(change, uuid, domain) or _done(change, domain)


def _not_defined(change: Change, uuid: str, domain: Domain | None) -> Verdict | None:
    """Return the verdict where nothing was defined, or nobody can tell what is."""
    if not uuid:
        return _not_done(change, "nothing was defined")
    if domain is None:
        return _not_done(change, _gone(change))
    if change.asked.get("replaces"):
        return _unknown(change, f"the description of '{domain.name}' may have been replaced; try again", again=True)
    return None


def _name(change: Change, domain: Domain | None) -> str:
    return domain.name if domain is not None else change.domain


def started(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """start and resume: it runs."""
    if domain is None:
        return _not_done(change, _gone(change))
    return _done(change, domain) if domain.active() else _not_done(change, f"'{domain.name}' does not run")


def stopped(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """destroy: it runs no more."""
    if domain is None or not domain.active():  # a transient one is forgotten when it stops
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' still runs")


def shut_down(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """shutdown: the same; but a guest that runs may have been asked."""
    if domain is None or not domain.active():
        return _done(change, domain)
    return _unknown(change, f"'{domain.name}' runs, and may have been asked", again=True)


def paused(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """pause: its CPUs stand still."""
    return _cpus(change, domain, standing=True)


def unpaused(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """unpause: its CPUs go on."""
    return _cpus(change, domain, standing=False)


def _cpus(change: Change, domain: Domain | None, *, standing: bool) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    state, _reason = domain.state()
    reached = domain.active() and (state == PAUSED) == standing
    return _done(change, domain) if reached else _not_done(change, f"'{domain.name}' is {state}")


def suspended(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """suspend: it is off, and its memory is saved."""
    if domain is None:
        return _not_done(change, _gone(change))
    if not domain.active() and lifecycle.suspended(domain):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' is {domain.state()[0]}")


def saved(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """That it runs no more it may also have done by itself: the file tells."""
    if domain is not None and domain.active():
        return _not_done(change, f"'{domain.name}' still runs")
    return _unknown(change, f"'{change.domain}' does not run; look for the file")


def deleted(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """delete: there is no such domain any more."""
    return _done(change, domain) if domain is None else _not_done(change, f"'{domain.name}' is still defined")


def autostart(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """autostart: it is as it was asked for."""
    if domain is None:
        return _not_done(change, _gone(change))
    wanted = change.asked["on|off"] == ["on"]
    return _done(change, domain) if lifecycle.autostart(domain) == wanted else _not_done(change, "it is as it was")


def labelled(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """label: it has those that were to be set, and none that was to go."""
    if domain is None:
        return _not_done(change, _gone(change))
    try:
        wanted = labels.changes(change.asked["KEY=VALUE|KEY-"])
    except UsageError:
        return cannot_tell(change, "", domain)
    has = dict(metadata.read(domain).labels)
    if all(has.get(key) == value for key, value in wanted.items()):
        return _done(change, domain)
    return _not_done(change, f"the labels of '{domain.name}' are others")


def assigned(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """assign: it is that terminal's, or nobody's."""
    if domain is None:
        return _not_done(change, _gone(change))
    found, wanted = metadata.read(domain), change.asked["TERMINAL|off"][0]
    has = found.given if change.asked.get("this-run") else found.terminal
    if has == ("" if wanted == "off" else wanted):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' is {f'the machine of {has}' if has else 'no machine of a terminal'}")


def cloned(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """clone: the definition comes last, so that it is done where it is there; else its copies may be left."""
    if "replaces" not in change.asked:
        return _not_done(change, "nothing was copied")
    if domain is not None:
        return _done(change, domain)
    left = [*change.asked.get("makes", ()), *change.asked.get("unseen", ())]
    if not (places := [f"'{each['name']}' in the pool '{each['pool']}'" for each in left]):
        return _not_done(change, _gone(change))
    message = (
        f"xmand ended during the clone, and nothing was defined: '{change.domain}' does not exist. Copies were made for"
        f" it, or begun, which no domain has: {', '.join(places)}; libvirt may still be writing to them. Look what"
        " they are (rxm volumes), and delete them before you clone again (rxm volume-delete)."
    )
    return Verdict(Answer(outcome.UNREACHABLE, message=message), again=True)


def profiled(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """profile: it is one, or is not, as it was asked for; asked again it finds out what is left to do."""
    if domain is None:
        return _not_done(change, _gone(change))
    found = metadata.read(domain)
    if found.profile == (change.asked["on|off"] == ["on"]) and "labs" not in change.asked["options"]:
        return _done(change, domain)
    return _unknown(change, "it may have happened; try again", again=True)


def client_made(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """profile-client: the definition comes last; what was made before it xmand removes (`xmand.dispatch.keeper`)."""
    if "replaces" not in change.asked:
        return _not_done(change, "nothing was made")
    return _done(change, domain) if domain is not None else _not_done(change, _gone(change))


def renamed(change: Change, uuid: str, domain: Domain | None) -> Verdict:
    """rename: its name tells, once its UUID is written down."""
    if not uuid:
        return _not_done(change, "libvirt was not told")
    if domain is None:
        return _not_done(change, _gone(change))
    wanted = change.asked["NEWNAME"][0]
    return _done(change, domain) if domain.name == wanted else _not_done(change, f"it is called '{domain.name}'")


def edited(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """edit: where what is kept is still what it was made of, nothing came of it."""
    if domain is None:
        return _not_done(change, _gone(change))
    if definition.digest(domain) == change.asked["options"].get("was"):
        return _not_done(change, f"the description of '{domain.name}' is as it was")
    return _unknown(change, f"the description of '{domain.name}' is another one; look (rxm describe --inactive)")


def snapshotted(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """snapshot: it has one of that name; one that it had before was refused, and not written down as meant."""
    if domain is None:
        return _not_done(change, _gone(change))
    name = change.asked["NAME"][0]
    if "replaces" in change.asked and snapshots.has(domain, name) is not None:
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' has no such snapshot")


def snapshot_deleted(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """snapshot-delete: it has none of that name."""
    if domain is None:
        return _not_done(change, _gone(change))
    if snapshots.has(domain, change.asked["NAME"][0]) is None:
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' still has it")


def reverted(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """snapshot-revert: that it is as it was, nobody can see who does not know what it was meanwhile."""
    if "replaces" not in change.asked:
        return _not_done(change, "libvirt was not told")
    return cannot_tell(change, "", domain)


def volume_made(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    """volume-create: there was none of that name before it was written down, and now there is."""
    if change.asked.get("unseen"):
        return _unknown(change, _UNSEEN, again=True)
    if not change.asked.get("makes"):
        return _not_done(change, "there is no such volume")
    return _done(change, None)


def volume_deleted(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    """volume-delete: there is none of that name any more."""
    if "makes" not in change.asked:
        return _not_done(change, "libvirt was not told")
    if change.asked.get("unseen"):
        return _unknown(change, _UNSEEN, again=True)
    if change.asked["makes"]:
        return _not_done(change, "the volume is still there")
    return _done(change, None)


def disk_detached(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """block-detach: it has no such disk, now and from its next start on."""
    return _detached(change, domain, attaching.disk(change.asked["DEV"][0]))


def interface_detached(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """network-detach: likewise; a number may be another one's by now."""
    word = change.asked["DEV"][0]
    return cannot_tell(change, "", domain) if ":" not in word else _detached(change, domain, attaching.interface(word))


def _detached(change: Change, domain: Domain | None, pick: attaching.Pick) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    found = attaching.find(domain, pick)
    if found.any is None:
        return _done(change, domain)
    both = found.live is not None or not domain.active()
    if both and (found.kept is not None or not domain.persistent()):
        return _not_done(change, f"'{domain.name}' still has it")
    return _unknown(change, f"'{domain.name}' may have been asked to release it; try again", again=True)


def interface_attached(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """network-attach: asked again it does no harm where it names the address; without one, it would be a second one."""
    # Of such words only the keys are written down.
    if any(word.partition("=")[0] == "mac" for word in change.asked["KEY=VALUE"]):
        return harmless_again(change, "", domain)
    return cannot_tell(change, "", domain)


def memory(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """mem-set: it has that memory, and will have it at its next start."""
    if domain is None:
        return _not_done(change, _gone(change))
    try:
        wanted = values.memory(change.asked["MIB"][0])
    except UsageError:
        return cannot_tell(change, "", domain)
    if abs(domain.memory()[0] - wanted) <= _SETTLED_OCTETS and size.keeps(domain, memory=wanted):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' has {domain.memory()[0] // values.MIB} MiB")


def vcpus(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """vcpu-set: it has so many CPUs, and will have them at its next start."""
    if domain is None:
        return _not_done(change, _gone(change))
    wanted, (now, _most) = int(change.asked["N"][0]), domain.vcpus()
    if now == wanted and size.keeps(domain, vcpus=wanted):
        return _done(change, domain)
    return _not_done(change, f"'{domain.name}' has {now} CPUs")


def migrated(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """Done means that it left; where it is now only the other host can tell."""
    if change.asked["options"].get("abort"):
        return cannot_tell(change, "", domain)
    if domain is not None and domain.active():
        if domain.state() == (PAUSED, api.VIR_DOMAIN_PAUSED_MIGRATION):
            return _unknown(change, f"'{domain.name}' stands still here by its migration; look at the other host")
        return _not_done(change, f"'{domain.name}' runs here")
    return _unknown(change, f"'{change.domain}' does not run here any more; look at the other host")


def job_started(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """job-start: the metadata tells. What is left of the switch, xmand does when it starts."""
    return _job(change, domain, there=True)


def job_stopped(change: Change, _uuid: str, domain: Domain | None) -> Verdict:
    """job-stop: the same."""
    return _job(change, domain, there=False)


def _job(change: Change, domain: Domain | None, *, there: bool) -> Verdict:
    if domain is None:
        return _not_done(change, _gone(change))
    number = str(change.asked["options"].get("id", ""))
    found = any(job.id == number for job in metadata.read(domain).jobs)
    if found == there:
        return _done(change, domain)
    return _not_done(change, f"job {number} is {'still' if found else 'not'} in '{domain.name}'")


def ended_with_us(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    """What lasts no longer than xmand does, and leaves nothing behind."""
    return Verdict(Answer(outcome.UNREACHABLE, message=f"xmand ended, and with it the {change.verb}."))


def harmless_again(change: Change, _uuid: str, _domain: Domain | None) -> Verdict:
    """Verbs that name the state to be reached, and find out by themselves what is left to do."""
    return _unknown(change, "it may have happened; try again", again=True)
