"""`--all`: which domains that is, whether it is really meant, and what is said of each."""

from typing import Any

from rxm.invocation import Invocation
from rxm.options import Options
from rxm.output import Output, summary
from rxm.remote.connection import Connection
from rxm.strategies import confirm, evacuation, locate
from rxm.targets import Target, Task
from xman import escape, outcome, result
from xman.arguments import Parsed
from xman.errors import RefusedError, UsageError
from xman.grammar import Verb
from xman.result import Result

# Xen gives this id to Domain-0, the host itself, and to no other.
_HOST_ITSELF = 0
NOTHING = "No domain runs there."


def running(domains: list[dict[str, Any]]) -> list[str]:
    """Return the names of all that run or are paused, from the `result.domains[]` of a host's `list`."""
    return [domain["name"] for domain in domains if domain["id"] not in (None, _HOST_ITSELF)]


def meant(verb: Verb, domains: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those that a verb is about: what runs; a migration takes along what is off, as its definition, at last."""
    active = [domain for domain in domains if domain["id"] not in (None, _HOST_ITSELF)]
    off = [domain for domain in domains if domain["id"] is None]
    return active + off if verb.moves else active


def check(options: Options, parsed: Parsed) -> None:
    """Raise UsageError where `--all` cannot be meant, or nobody is there to be asked."""
    if parsed.flag("abort"):
        raise UsageError("--abort stops the migration of one DOMAIN; it cannot be combined with --all.")
    if "rid" in parsed.options:
        raise UsageError("--rid is the id of one request; it cannot be combined with --all.")
    confirm.require(options, parsed, "--all")


def question(parsed: Parsed, found: dict[str, list[str]]) -> str:
    """Return what is asked: how many domains on how many hosts, and which."""
    hosts = {host: names for host, names in found.items() if names}
    count = sum(len(names) for names in hosts.values())
    which = f"{count} domain{'s' * (count != 1)} on {len(hosts)} host{'s' * (len(hosts) != 1)}"
    asked = parsed.verb.question.format(which, HOST=parsed.text("HOST"))
    lines = [f"  {host}: {escape.line(confirm.names(names))}\n" for host, names in hosts.items()]
    return f"{''.join(lines)}{asked}? [y/N] "


def line(domain: str, envelope: dict[str, Any]) -> str:
    """Return what a person is told of one domain with which it went well: in xm's words where it had them."""
    found = envelope["result"]
    if found.get("dry_run"):
        return " ".join([f"Domain {domain} can move to {found['to']}", *envelope.get("notes", ())])
    if not envelope["changed"]:
        said = " ".join(envelope.get("notes", ()))
        return said or f"Domain {domain}: nothing had to be done"
    if "to" in found:
        moved = "is defined on" if found.get("offline") else "migrated to"
        return f"Domain {domain} {moved} {found['to']} in {found['seconds']:.1f} s"
    if found.get("forced"):
        return f"Domain {domain} destroyed: it did not shut down in time"
    if "off" in found:
        return f"Domain {domain} {'terminated' if found['off'] else 'was asked to shut down'}"
    return f"Domain {domain} {'rebooted' if found.get('rebooted') else 'was asked to restart'}"


def nothing(host: str, verb: str) -> dict[str, Any]:
    """Return the object of a host on which no domain runs, so that it reports all the same."""
    return result.succeeded(host, verb, Result(notes=(NOTHING,)), 0)


def carry_out(invocation: Invocation, output: Output) -> int:
    """Do it; return the exit status. A host that does not answer costs its own line only.

    Raises UsageError and RefusedError where it is not meant.
    """
    verb = invocation.parsed.verb.name
    check(invocation.options, invocation.parsed)
    known, problems = locate.ask_all(invocation)
    for host, error in problems.items():
        output.failure(verb, Target(host), error.outcome, str(error))
    output.tell()
    codes = [error.outcome for error in problems.values()]
    if codes and invocation.options.fail_fast:
        return outcome.combine(codes)
    moves = invocation.parsed.verb.moves
    to = evacuation.hosts(invocation) if moves else []
    about = {host: meant(invocation.parsed.verb, domains) for host, domains in known.items()}
    found = {host: [str(domain["name"]) for domain in domains] for host, domains in about.items()}
    planned = evacuation.plan(invocation, about, to) if moves else None
    if planned is not None:
        # Before anybody says that it is meant: what stays is a part of what he decides.
        for target, why in planned.left:
            output.failure(verb, target, outcome.REFUSED, evacuation.no_place(target.domain, why))
        output.tell()
    moved = found if planned is None else planned.names()
    if any(moved.values()):
        confirm.ask(invocation.options, invocation.parsed, question(invocation.parsed, moved))
    for host in [host for host, names in found.items() if not names]:
        output.done(nothing(host, verb), Target(host), NOTHING)
    tasks = [Task(Target(host, name), [name]) for host, names in found.items() for name in names]
    total = len(tasks) + len(problems)
    if planned is not None:
        return _evacuate(invocation, output, planned, codes, total)

    def one(connection: Connection, task: Task) -> int:
        return _told(output, task, _asked(invocation, output, connection, task))

    codes += invocation.each_host(tasks, output, one)
    return summary.status(codes, total, output.warn)


def _asked(invocation: Invocation, output: Output, connection: Connection, task: Task) -> dict[str, Any]:
    return invocation.structured(connection, task, lambda data: output.progress(task.target, data))


def _told(output: Output, task: Task, envelope: dict[str, Any]) -> int:
    """Say what has become of one domain; return the code."""
    name = task.target.domain
    if envelope["ok"]:
        output.done(envelope, task.target, line(name, envelope))
        return outcome.OK
    message = envelope["message"]
    said = message if name in message else f"'{name}': {message}"
    output.failure(envelope["verb"], task.target, envelope["code"], said)
    return int(envelope["code"])


def _evacuate(
    invocation: Invocation, output: Output, planned: evacuation.Evacuation, codes: list[int], total: int
) -> int:
    """Move what has a place, to the next host where one refuses it; return the exit status."""
    verb = invocation.parsed.verb.name
    codes += [outcome.REFUSED] * len(planned.left)
    if planned.left and invocation.options.fail_fast:
        return outcome.combine(codes)

    def once(connection: Connection, task: Task) -> dict[str, Any]:
        try:
            return _asked(invocation, output, connection, task)
        except RefusedError as error:  # by what both hosts said beforehand
            return result.failed(task.target.host, verb, task.target.domain, error.outcome, str(error))

    def one(connection: Connection, task: Task) -> int:
        envelope = once(connection, task)
        while not envelope["ok"] and evacuation.goes_on(envelope["code"], envelope["message"]):
            following = None if invocation.stopped else planned.instead(task, envelope["message"])
            if following is None:
                envelope["message"] = planned.refusals(task) or envelope["message"]
                break
            task = following
            envelope = once(connection, task)
        return _told(output, task, envelope)

    codes += invocation.each_host(planned.tasks, output, one)
    return summary.status(codes, total, output.warn)
