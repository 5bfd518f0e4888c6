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
    """Do all of them; where one fails, begin no other and undo those that were done. Return the exit status."""
    verb = asking.parsed.verb.name
    done: dict[Job, dict[str, Any]] = {}

    def one(link: Link, job: Job) -> int:
        try:
            done[job] = told = asking.structured(link, job)
        except XmanError as error:
            done[job] = told = envelope.of_error(error, verb, job.target)
        asking.stopped |= not told["ok"]
        return int(told.get("code", outcome.OK))

    codes = asking.each_host(jobs, output, one)
    if not any(codes) and len(done) == len(jobs):
        for job in jobs:
            output.said(done[job], job.target)
        return outcome.OK
    for job in jobs:
        first = done.get(job)
        unknown = first is not None and not first["ok"] and together.must_undo(first)
        problem = _undo(asking, job) if first is not None and together.must_undo(first) else ""
        if first is not None and not first["ok"] and not (unknown and not problem):
            output.said(first, job.target)
            continue
        told = together.not_done(first, job, verb, problem)
        if problem:
            codes.append(int(told["code"]))
        output.said(told, job.target)
    return outcome.combine(codes)


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
