"""Before a domain with jobs moves: whether it would become a second owner there (rxm(1), "BATCH STATES").

Each xmand knows the domains of its own host only; rxm's ticket is good for both hosts.
"""

import functools
from collections.abc import Callable
from typing import Any

from rxm.invocation import Invocation
from rxm.output import envelope
from rxm.remote.command import wire_words
from rxm.remote.connection import Connection
from rxm.remote.deadline import Deadline
from rxm.targets import Target, Task
from xman import arguments, grammar, verbs
from xman.arguments import Parsed
from xman.errors import RefusedError, XmanError

_Envelope = dict[str, Any]
# Who owns the host, or would have to: who waits for it, comes back from a freeze, or may have jobs once it is up. The
# second line is in the way only of who may not preempt it.
_IN_THE_WAY = ("running", "frozen", "booting")
_IN_THE_WAY_OF_NORMAL = ("running-preemptible", "preempted")
_FORCE = "--force moves it anyway."


def to_send(invocation: Invocation, connection: Connection, task: Task) -> Parsed:
    """Ask both hosts, the connection's and the new one, and return the migration to send. Raises XmanError."""
    parsed = _to(invocation.parsed, task.to)

    def ask_there() -> _Envelope:
        with invocation.connect(parsed.text("HOST"), _deadline(invocation)) as there:
            return _state(invocation, there)

    return cleared(parsed, lambda: _state(invocation, connection, task.target.domain), ask_there)


def _to(parsed: Parsed, host: str) -> Parsed:
    """Return the migration with a HOST of its own, where it has one."""
    if not host:
        return parsed
    return Parsed(parsed.verb, parsed.values | {"HOST": host}, parsed.given | {"HOST": [host]}, parsed.options)


def cleared(parsed: Parsed, ask_here: Callable[[], _Envelope], ask_there: Callable[[], _Envelope]) -> Parsed:
    """Return the migration to send: one with jobs, for which its new host is free, is sent with `--force`.

    `ask_here` and `ask_there` return the answers to `state` of the domain, and of all domains of its new host. Raises
    RefusedError where it would become a second owner, or that could not be found out; and what `ask_here` raises.
    """
    if parsed.flag("force") or parsed.flag("abort"):
        return parsed
    domain = _with_jobs(ask_here())
    # A host that does not tell what is in it refuses where there are jobs.
    if domain is None:
        return parsed
    host = parsed.text("HOST")
    had = f"Domain '{domain['name']}' has jobs ({', '.join(job['id'] for job in domain['jobs'])})"
    try:
        there = ask_there()
        problem = "" if there["ok"] else there["message"]
    except XmanError as error:
        problem = str(error)
    if problem:
        raise RefusedError(
            f"{had}, and {host} could not be asked whether the domain would be the only owner there:"
            f" {problem.rstrip('.')}. {_FORCE}"
        )
    if why := in_the_way(domain, there):
        raise RefusedError(f"{had} and would not be the only owner on {host}: {why}. {_FORCE}")
    return Parsed(parsed.verb, parsed.values, parsed.given, parsed.options | {"force": True})


def in_the_way(domain: dict[str, Any], there: _Envelope) -> str:
    """Return what on its new host lets `domain` not be the only owner; empty where nothing does.

    `domain` is of the `result.domains[]` of its host's `state`, `there` the whole object of the new host's.
    """
    found = there["result"]
    if "maintenance" in found:
        return f"it is in maintenance ({found['maintenance']['reason']})"
    if domain["state"] == "preempted":  # it arrives as small as it is, and waits
        return ""
    if found.get("partial"):
        return "it shows you some of its domains only"
    for note in there.get("notes", ()):  # a domain that cannot be read may have jobs
        return str(note).rstrip(".")
    for other in found["domains"]:
        state = other["state"]
        stands = state in _IN_THE_WAY or (domain["priority"] == "normal" and state in _IN_THE_WAY_OF_NORMAL)
        if stands and (other["jobs"] or state == "booting"):
            return f"'{other['name']}' is {state} there{_with(other['jobs'])}"
        if "claim" in other:
            return f"it is kept for job {other['claim']['id']}, which is to start in '{other['name']}'"
    return ""


def _state(invocation: Invocation, connection: Connection, *domains: str) -> _Envelope:
    parsed = arguments.parse(verbs.BY_NAME["state"], ["--", *domains])
    reply = connection.run(wire_words(parsed, json=True), _deadline(invocation), changes=False)
    return envelope.of_reply(reply, parsed.verb.name, Target(connection.host), connection.principal)


def _deadline(invocation: Invocation) -> Deadline:
    """Reading has a deadline of its own, even for a verb that has none."""
    return Deadline(invocation.deadline.remaining(verbs.BY_NAME["state"].default_seconds))


def _with_jobs(here: _Envelope) -> dict[str, Any] | None:
    if not here["ok"]:
        return None
    found: list[dict[str, Any]] = here["result"]["domains"]
    return next((domain for domain in found if domain["jobs"]), None)


def _with(jobs: list[dict[str, Any]]) -> str:
    said = [f"{job['id']} of {job['owner']}" if job["owner"] else job["id"] for job in jobs]
    return f", with job{'s' * (len(said) != 1)} {', '.join(said)}" if said else ""


def hook(invocation: Invocation) -> None:
    """Let an invocation ask before each migration, and abort those under way at Ctrl-C."""
    invocation.prepare = functools.partial(to_send, invocation)
    invocation.abort = functools.partial(_abort, invocation)


def _abort(invocation: Invocation, tasks: list[Task]) -> None:
    """Begin no other migration, and ask the hosts to abort these; their answers still come on their own connections.

    Where that cannot be asked the migration is waited for as before; another Ctrl-C ends the waiting.
    """
    invocation.stopped = True
    for task in tasks:
        parsed = arguments.parse(invocation.parsed.verb, ["--abort", "--", task.target.domain])
        deadline = Deadline(grammar.DEADLINES[grammar.CHANGE])
        try:
            with invocation.connect(task.target.host, deadline) as connection:
                connection.run(wire_words(parsed, json=False), deadline, changes=True)
        except XmanError:
            pass
