"""What several hosts say as one table, once all have said it."""

import time

from rxm.invocation import Invocation
from rxm.output import Output
from rxm.remote.connection import Connection
from rxm.strategies import one_loop, unanswered
from rxm.targets import Task
from xman import outcome, times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Ask and print; return the codes."""
    verb = invocation.parsed.verb.name
    answers: dict[str, dict[str, Any]] = {}
    as_of: list[str] = []
    milliseconds: dict[str, int] = {}

    def one(connection: Connection, task: Task) -> int:
        envelope = invocation.structured(connection, task)
        if not envelope["ok"]:
            output.failure(verb, task.target, envelope["code"], envelope["message"])
            return int(envelope["code"])
        answers[task.target.host] = envelope["result"]
        if "as_of" in envelope:
            as_of.append(envelope["as_of"])
        milliseconds[task.target.host] = envelope["ms"]
        return outcome.OK

    unanswered.collect(invocation.parsed.verb, output)
    codes = one_loop.each_host(invocation, tasks, output, one, as_json=True)
    answers |= unanswered.rows(output)
    output.merged(verb, answers, milliseconds)
    seconds = int(time.time() - times.seconds(min(as_of))) if as_of else 0
    if seconds > 0 and not invocation.options.quiet:
        output.warn(f"The oldest answer is as of {times.local(min(as_of))}, {seconds} s ago.")
    return codes
