"""All or none: one command for several domains, undone where it succeeded if it failed elsewhere. Pure."""

from typing import Any

from rxm.plan import Job
from xman import arguments, outcome, result, verbs
from xman.arguments import Parsed

# Which verb undoes which, with the same of its options.
_UNDO = {"job-start": ("job-stop", ("id",))}
# For what is undone; the command's own deadline may have passed by then.
UNDO_SECONDS = 60.0


def applies(parsed: Parsed, jobs: list[Job]) -> bool:
    """Whether these commands are to succeed together or not at all."""
    return parsed.verb.name in _UNDO and len(jobs) > 1 and not parsed.flag("dry-run")


def must_undo(envelope: dict[str, Any]) -> bool:
    """Whether a command did something, or may have done: what held before is not ours to undo."""
    if envelope["ok"]:
        return bool(envelope["changed"])
    return bool(envelope["code"] == outcome.UNKNOWN)


def undoing(parsed: Parsed, domain: str) -> Parsed:
    """Return the command that undoes `parsed` for `domain`."""
    name, keys = _UNDO[parsed.verb.name]
    words = [word for key in keys for word in (f"--{key}", str(parsed.options.get(key, "")))]
    return arguments.parse(verbs.BY_NAME[name], [*words, "--", domain])


def not_done(envelope: dict[str, Any] | None, job: Job, verb: str, problem: str, why: str) -> dict[str, Any]:
    """Return the object of a target whose own command did not fail: what became of it, since the whole did.

    `problem` says why it could not be undone, empty where it was, or nothing had to be; `why` goes on "since it ...".
    """
    host, domain = job.target.host, job.target.domain
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
