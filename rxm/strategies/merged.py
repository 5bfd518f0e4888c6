"""What several hosts say as one table, once all have said it."""

from typing import Any

from rxm.invocation import Invocation
from rxm.output import Output
from rxm.remote.connection import Connection
from rxm.targets import Task
from xman import outcome


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Ask and print; return the codes."""
    verb = invocation.parsed.verb.name
    answers: dict[str, dict[str, Any]] = {}
    milliseconds: dict[str, int] = {}

    def one(connection: Connection, task: Task) -> int:
        envelope = invocation.structured(connection, task)
        if not envelope["ok"]:
            output.failure(verb, task.target, envelope["code"], envelope["message"])
            return int(envelope["code"])
        answers[task.target.host] = envelope["result"]
        milliseconds[task.target.host] = envelope["ms"]
        return outcome.OK

    codes = invocation.each_host(tasks, output, one)
    output.merged(verb, answers, milliseconds)
    return codes
