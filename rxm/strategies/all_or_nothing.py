"""All or nothing: one command for several domains, undone where it succeeded if it failed elsewhere."""

from typing import Any

from rxm.invocation import Invocation
from rxm.output import Output, envelope
from rxm.remote.command import new_rid, wire_words
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from rxm.targets import Task
from xman import arguments, outcome, result, verbs
from xman.arguments import Parsed
from xman.errors import XmanError


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> int:
    """Do all of them; where one fails, or at Ctrl-C, begin no other and undo those that were done.

    Return the exit status. What is under way at Ctrl-C is waited for: only then it can be undone.
    """
    verb = invocation.parsed.verb.name
    done: dict[Task, dict[str, Any]] = {}
    why = "failed elsewhere"

    def one(connection: Connection, task: Task) -> int:
        done[task] = told = invocation.structured(connection, task)
        invocation.stopped |= not told["ok"]
        return int(told.get("code", outcome.OK))

    def failed(task: Task, error: XmanError) -> None:
        done[task] = envelope.of_error(error, verb, task.target)
        invocation.stopped = True

    def interrupted() -> None:
        nonlocal why
        why = "was interrupted"
        invocation.stopped = True
        output.warn("Interrupted: waiting for what is under way, to undo it. Another Ctrl-C gives that up.")

    invocation.interrupted = interrupted
    codes = invocation.each_host(tasks, output, one, failed)
    if not any(codes) and not invocation.stopped:
        for task in tasks:
            output.said(done[task], task.target)
        return outcome.OK
    if not any(codes):
        codes.append(outcome.REFUSED)
    problems = _undo_all(invocation, [task for task in tasks if task in done and must_undo(done[task])])
    for task in tasks:
        told = done.get(task)
        if told is None or told["ok"] or task in problems:
            told = not_done(told, task, verb, problems.get(task, ""), why)
        codes.append(int(told["code"]) if problems.get(task) else outcome.OK)
        output.said(told, task.target)
    return outcome.combine(codes)


def _undo_all(invocation: Invocation, tasks: list[Task]) -> dict[Task, str]:
    """Undo what was done, hosts side by side; return why each could not be, empty where it could."""
    hosts: dict[str, list[Task]] = {}
    for task in tasks:
        hosts.setdefault(task.target.host, []).append(task)
    done = invocation.side_by_side(hosts.values(), lambda own: [(task, _undo(invocation, task)) for task in own])
    return dict(pair for pairs in done for pair in pairs)


def _undo(invocation: Invocation, task: Task) -> str:
    """Undo what one target did; return why that failed, empty where it did not."""
    deadline = Deadline(UNDO_SECONDS)
    parsed = undoing(invocation.parsed, task.target.domain)
    words = wire_words(parsed, json=True, rid=new_rid(), reason=invocation.options.reason)
    try:
        with invocation.connect(task.target.host, deadline) as connection:
            reply = connection.run(words, deadline, changes=True)
            told = envelope.of_reply(reply, parsed.verb.name, task.target, connection.principal)
    except XmanError as error:
        return str(error)
    return "" if told["ok"] else str(told["message"])


# For what is undone; the command's own deadline may have passed by then.
UNDO_SECONDS = 60.0


def applies(parsed: Parsed, tasks: list[Task]) -> bool:
    """Whether these commands are to succeed together or not at all."""
    return bool(parsed.verb.undone_by) and len(tasks) > 1 and not parsed.flag("dry-run")


def must_undo(envelope: dict[str, Any]) -> bool:
    """Whether a command did something, or may have done: what held before is not ours to undo."""
    if envelope["ok"]:
        return bool(envelope["changed"])
    return bool(envelope["code"] == outcome.UNKNOWN)


def undoing(parsed: Parsed, domain: str) -> Parsed:
    """Return the command that undoes `parsed` for `domain`."""
    words = ["--id", str(parsed.options.get("id", "")), "--", domain]
    return arguments.parse(verbs.BY_NAME[parsed.verb.undone_by], words)


def not_done(envelope: dict[str, Any] | None, task: Task, verb: str, problem: str, why: str) -> dict[str, Any]:
    """Return the object of a target whose own command did not fail: what became of it, since the whole did.

    `problem` says why it could not be undone, empty where it was, or nothing had to be; `why` goes on "since it ...".
    """
    host, domain = task.target.host, task.target.domain
    if envelope is None:
        message = f"'{domain}' was left alone, since the {verb} {why}."
    elif problem:
        message = f"The {verb} of '{domain}' could not be undone after it {why}: {problem}"
        if not envelope["ok"]:
            message = f"{envelope['message']} It could not be undone: {problem}"
        return result.failed(host, verb, domain, outcome.UNKNOWN, message)
    elif must_undo(envelope):
        message = f"The {verb} of '{domain}' was undone, since it {why}."
    else:
        message = f"'{domain}' stays as it was before, although the {verb} {why}."
    return result.failed(host, verb, domain, outcome.REFUSED, message)
