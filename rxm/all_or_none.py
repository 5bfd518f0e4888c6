"""Carrying out what `rxm.together` says: all targets, or none of them."""

from typing import Any

from rxm import envelope, together
from rxm.asking import Asking
from rxm.command import new_rid, wire_words
from rxm.deadline import Deadline
from rxm.link import Link
from rxm.output import Output
from rxm.plan import Job
from xman import outcome
from xman.errors import XmanError


def carry_out(asking: Asking, jobs: list[Job], output: Output) -> int:
    """Do all of them; where one fails, or at Ctrl-C, begin no other and undo those that were done.

    Return the exit status. What is under way at Ctrl-C is waited for: only then it can be undone.
    """
    verb = asking.parsed.verb.name
    done: dict[Job, dict[str, Any]] = {}
    why = "failed elsewhere"

    def one(link: Link, job: Job) -> int:
        done[job] = told = asking.structured(link, job)
        asking.stopped |= not told["ok"]
        return int(told.get("code", outcome.OK))

    def failed(job: Job, error: XmanError) -> None:
        done[job] = envelope.of_error(error, verb, job.target)
        asking.stopped = True

    def interrupted() -> None:
        nonlocal why
        why = "was interrupted"
        asking.stopped = True
        output.warn("Interrupted: waiting for what is under way, to undo it. Another Ctrl-C gives that up.")

    asking.interrupted = interrupted
    codes = asking.each_host(jobs, output, one, failed)
    if not any(codes) and not asking.stopped:
        for job in jobs:
            output.said(done[job], job.target)
        return outcome.OK
    if not any(codes):
        codes.append(outcome.REFUSED)
    problems = _undo_all(asking, [job for job in jobs if job in done and together.must_undo(done[job])])
    for job in jobs:
        told = done.get(job)
        if told is None or told["ok"] or job in problems:
            told = together.not_done(told, job, verb, problems.get(job, ""), why)
        codes.append(int(told["code"]) if problems.get(job) else outcome.OK)
        output.said(told, job.target)
    return outcome.combine(codes)


def _undo_all(asking: Asking, jobs: list[Job]) -> dict[Job, str]:
    """Undo what was done, hosts side by side; return why each could not be, empty where it could."""
    hosts: dict[str, list[Job]] = {}
    for job in jobs:
        hosts.setdefault(job.target.host, []).append(job)
    done = asking.side_by_side(hosts.values(), lambda own: [(job, _undo(asking, job)) for job in own])
    return dict(pair for pairs in done for pair in pairs)


def _undo(asking: Asking, job: Job) -> str:
    """Undo what one target did; return why that failed, empty where it did not."""
    deadline = Deadline(together.UNDO_SECONDS)
    parsed = together.undoing(asking.parsed, job.target.domain)
    words = wire_words(parsed, json=True, rid=new_rid(), reason=asking.options.reason)
    try:
        with asking.connect(job.target.host, deadline) as link:
            reply = link.run(words, deadline, changes=True)
            told = envelope.of_reply(reply, parsed.verb.name, job.target, link.principal)
    except XmanError as error:
        return str(error)
    return "" if told["ok"] else str(told["message"])
