"""What several hosts say as one table, once all have said it."""

from typing import Any

from rxm.asking import Asking
from rxm.link import Link
from rxm.output import Output
from rxm.plan import Job
from xman import outcome


def carry_out(asking: Asking, jobs: list[Job], output: Output) -> list[int]:
    """Ask and print; return the codes."""
    verb = asking.parsed.verb.name
    answers: dict[str, dict[str, Any]] = {}
    milliseconds: dict[str, int] = {}

    def one(link: Link, job: Job) -> int:
        envelope = asking.structured(link, job)
        if not envelope["ok"]:
            output.failure(verb, job.target, envelope["code"], envelope["message"])
            return int(envelope["code"])
        answers[job.target.host] = envelope["result"]
        milliseconds[job.target.host] = envelope["ms"]
        return outcome.OK

    codes = asking.each_host(jobs, output, one)
    output.merged(verb, answers, milliseconds)
    return codes
