"""Verbs of batch work: what a job could go into, and the decisions that move a host from one domain to another."""

import socket
import time
from collections.abc import Callable
from typing import Any

from xman import times
from xman.errors import RefusedError, UsageError
from xman.metadata import Claim, Job
from xman.result import Result
from xmand.batch import facts, plan, terms
from xmand.batch.engine import View
from xmand.batch.maintenance import Maintenance
from xmand.batch.observe import keeps
from xmand.batch.plan import Guests, Plan, Step
from xmand.journal import verdicts
from xmand.verbs import changes, kept
from xmand.verbs.call import Call
from xmand.verbs.row import Row
from xmand.virt.domain import find
from xmand.virt.driver import CHANGE, LONG

_Planner = Callable[[Guests, str], Plan]
# A scheduler's ids are short, and may be made of a server's name; more is passed by mistake.
_MOST_ID = 256
_MOST_OWNER = 256
# In seconds. A lease is renewed while its job runs; a claim keeps everybody else away.
_MOST_LEASE = 30 * 86_400
_CLAIM, _MOST_CLAIM = 60, 86_400


def state(call: Call) -> Result:
    """The states of all domains that take part, or of those named; without names, also what the others are."""
    if call.parsed.follows:
        return changes.follow(call, kept.STATES, _no_part)
    if call.from_model:
        done = kept.states(call.host.model.guests.read(call.parsed.max_age, call.deadline), call.parsed)
        if done is not None:
            return done
    engine = call.host.batch
    view = engine.look()
    wanted = _named(call, view)
    if wanted is None:
        data = facts.whole(engine, view, call.shown)
    else:
        guests = [facts.of_guest(engine, view, guest) for guest in view.seen.guests if guest.name in wanted]
        data = facts.named(engine, guests)
    if not call.access.restricted:
        return Result(data, notes=facts.notes_of_all(view))
    return Result(data | ({"partial": True} if wanted is None else {}), notes=view.seen.problems)


def job_list(call: Call) -> Result:
    """The jobs in all domains, or in those named."""
    view = call.host.batch.look()
    wanted = _named(call, view)
    jobs = [
        {"domain": guest.name, **facts.of_job(job, guest), "state": view.states[guest.name]}
        for guest in view.seen.guests
        if wanted is None or guest.name in wanted
        for job in guest.jobs
    ]
    return Result({"host_id": socket.gethostname(), "jobs": jobs}, notes=view.seen.problems)


def job_start(call: Call) -> Result:
    """A job begins; its domain gets the host."""
    options = call.parsed.options
    cpus = options.get("cpus", 0)
    job = Job(
        id=_id(call),
        owner=_owner(call),
        cpus=cpus if isinstance(cpus, int) else 0,
        preemptible=call.parsed.flag("preemptible"),
        lease=_seconds(call, "lease", 0, _MOST_LEASE),
    )

    def planner(guests: Guests, name: str) -> Plan:
        if plan.find(guests, name).job(job.id) is None:
            call.host.batch.maintenance.refuse()
        return plan.job_start(guests, name, job)

    return _decide(call, planner)


def job_renew(call: Call) -> Result:
    """A job goes on: its lease begins anew."""
    number, lease = _id(call), _seconds(call, "lease", 0, _MOST_LEASE)
    return _decide(call, lambda guests, name: terms.job_renew(guests, name, number, lease))


def job_claim(call: Call) -> Result:
    """Keep the host for a job that is to start, or keep it no longer."""
    job = Job(_id(call), preemptible=call.parsed.flag("preemptible"))
    if call.parsed.flag("release"):
        return _decide(call, lambda guests, name: terms.release(guests, name, job.id))
    claim = Claim(job.id, call.principal, _seconds(call, "seconds", _CLAIM, _MOST_CLAIM))

    def planner(guests: Guests, name: str) -> Plan:
        decided = terms.job_claim(guests, name, claim, job)
        if decided.steps:
            call.host.batch.maintenance.refuse()
        return decided

    return _decide(call, planner)


def job_stop(call: Call) -> Result:
    """A job has ended; who waits for the host gets it."""
    number = _id(call)
    return _decide(call, lambda guests, name: plan.job_stop(guests, name, number))


def preempt(call: Call) -> Result:
    """Take the host from a domain by hand."""
    return _decide(call, plan.preempt)


def unpreempt(call: Call) -> Result:
    """Let a preempted domain go on by hand."""
    return _decide(call, plan.unpreempt)


def freeze(call: Call) -> Result:
    """Suspend a running domain with its jobs."""
    pause = call.parsed.flag("pause")
    return _decide(call, lambda guests, name: plan.freeze(guests, name, pause=pause), LONG)


def defrost(call: Call) -> Result:
    """Let a frozen domain go on."""

    def planner(guests: Guests, name: str) -> Plan:
        decided = plan.defrost(guests, name)
        if decided.steps:
            call.host.batch.maintenance.refuse()
        return decided

    return _decide(call, planner, LONG)


def maintenance(call: Call) -> Result:
    """Let the host take nothing new, or take it again."""
    notices, dry = call.host.batch.maintenance, call.parsed.flag("dry-run")
    word, reason = call.parsed.text("on|off"), " ".join(call.parsed.words("REASON"))
    if word == "off":
        if reason:
            raise UsageError("'maintenance off' takes no reason.")
        there = notices.notice() is not None
        notes = () if there else ("This host is not in maintenance.",)
        done = Result({"on": False, "dry_run": dry}, changed=not dry and there and notices.end(), notes=notes)
        call.host.model.touch()
        return done
    if word != "on":
        raise UsageError(f"'{word}' is neither on nor off.")
    reason = reason or str(call.parsed.options.get("reason", ""))
    if not reason or not reason.isprintable():
        raise UsageError("'maintenance on' needs a reason, in one line.")
    try:
        return _maintenance_on(notices, reason, call.principal, dry)
    finally:
        call.host.model.touch()


def _maintenance_on(notices: Maintenance, reason: str, by: str, dry: bool) -> Result:
    before = notices.notice()
    if before is not None and before.reason == reason:
        note = "This host is already in maintenance."
        return Result({"on": True, "dry_run": dry, "maintenance": vars(before)}, notes=(note,))
    if dry:
        made = {"reason": reason, "by": by, "since": times.utc(time.time())}
        return Result({"on": True, "dry_run": True, "maintenance": made})
    notice = notices.begin(reason, by)
    return Result({"on": True, "dry_run": False, "maintenance": vars(notice)}, changed=True)


def _decide(call: Call, planner: _Planner, purpose: str = CHANGE) -> Result:
    """Carry out a decision about the verb's DOMAIN, or only say what it would be."""
    dry = call.parsed.flag("dry-run")
    engine = call.host.batch
    domain = find(call.host.driver.connection(purpose), call.parsed.text("DOMAIN"))
    call.record.found(domain.uuid)
    name = domain.name

    def about(guests: Guests) -> Plan:
        if all(guest.name != name for guest in guests):
            raise _no_part(name)
        return planner(guests, name)

    done = engine.decide(call.verb.name, about, call.deadline, purpose=purpose, dry_run=dry, progress=call.progress)
    steps = [_step(call, step, done.before) for step in done.plan.steps]
    state = done.after.states.get(name, done.before.states[name])
    data = {"state": state, "dry_run": dry, "plan": steps}
    return Result(data, changed=bool(steps) and not dry, domain=name, notes=done.notes)


def _named(call: Call, view: View) -> set[str] | None:
    """Return the names of the DOMAINs given, None for all. Raises NoSuchDomainError and RefusedError."""
    words = call.parsed.words("DOMAIN")
    if not words:
        return None
    names = {find(call.reader, word).name for word in words}
    for name in sorted(names):
        if name not in view.states:
            raise _no_part(name)
    return names


def _no_part(name: str) -> RefusedError:
    return RefusedError(f"Domain '{name}' takes no part in batch work ([batch] domains in xmand.toml).")


def _id(call: Call) -> str:
    word = call.parsed.options.get("id")
    if not isinstance(word, str) or not word:
        raise UsageError(f"--id is missing. Usage: {call.verb.usage()}")
    if len(word) > _MOST_ID or not word.isprintable() or any(character.isspace() for character in word):
        raise UsageError("--id takes a job's id: one printable word.")
    return word


def _seconds(call: Call, key: str, absent: int, most: int) -> int:
    """Return an option's whole seconds."""
    value = call.parsed.seconds(key)
    if value is None:
        return absent
    if not (1 <= value <= most and value == int(value)):
        raise UsageError(f"--{key} takes whole seconds, from 1 to {most}.")
    return int(value)


def _owner(call: Call) -> str:
    """Return the owner as a full principal.

    A bare name is one of the configured realm or else of the caller's. So is `alice@node1.example.org`, as schedulers
    call who submitted a job there: names of hosts have small letters, and realms have none, but for these two.
    """
    word = call.parsed.options.get("owner")
    if not isinstance(word, str) or not word:
        raise UsageError(f"--owner is missing. Usage: {call.verb.usage()}")
    if len(word) > _MOST_OWNER or not word.isprintable() or any(character.isspace() for character in word):
        raise UsageError("--owner takes a principal, such as alice@EXAMPLE.ORG.")
    realms = [realm for realm in (call.host.settings.authorize.owner_realm, call.principal.rpartition("@")[2]) if realm]
    name, at, place = word.rpartition("@")
    if not at:
        return f"{word}@{realms[0]}"
    if not name or not place:
        raise UsageError("--owner takes a principal, such as alice@EXAMPLE.ORG.")
    return word if place in realms or place == place.upper() else f"{name}@{realms[0]}"


def _step(call: Call, step: Step, before: View) -> dict[str, Any]:
    """Return a step as results have it, with what its domain is to have afterwards."""
    guest, parked = plan.find(before.seen.guests, step.domain), keeps(call.host.batch.settings)
    found: dict[str, Any] = {"step": step.action, "domain": step.domain}
    if step.job is not None:
        found["jobs"] = [step.job.id]
    elif step.claim is not None:
        found["jobs"] = [step.claim.id]
    elif step.action in (plan.PREEMPT, plan.RETURN):
        found["jobs"] = [job.id for job in guest.jobs]
    elif step.action == plan.DROP:
        found["jobs"] = [job.id for job in guest.stale]
    if step.action in (plan.PARK, plan.PREEMPT):
        found["memory"] = min(guest.memory, parked.memory)
        found["vcpus"] = min(guest.vcpus, parked.vcpus or guest.vcpus)
    elif step.action in (plan.GRANT, plan.RETURN):
        found |= {"memory": guest.max_memory, "vcpus": guest.max_vcpus}
    return found


ROWS = {
    "state": Row(state, kept=kept.STATES),
    "job-list": Row(job_list),
    "job-start": Row(job_start, verdicts.job_started),
    "job-renew": Row(job_renew, verdicts.harmless_again),
    "job-claim": Row(job_claim, verdicts.harmless_again),
    "job-stop": Row(job_stop, verdicts.job_stopped),
    "preempt": Row(preempt, verdicts.harmless_again),
    "unpreempt": Row(unpreempt, verdicts.harmless_again),
    "freeze": Row(freeze, verdicts.harmless_again),
    "defrost": Row(defrost, verdicts.harmless_again),
    "maintenance": Row(maintenance, verdicts.harmless_again),
}
