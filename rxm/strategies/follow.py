"""Carrying out what is followed: replies that are shown as they come, until nobody reads them."""

from rxm.invocation import Invocation
from rxm.output import Output
from rxm.remote.connection import Connection
from rxm.remote.lines import Lines, ReaderGoneError
from rxm.targets import Task
from xman import outcome


def carry_out(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Follow every host; return the codes. Where nobody reads any more, all that is followed ends."""
    followed: set[Connection] = set()
    output.fold = False

    def one(connection: Connection, task: Task) -> int:
        verb = invocation.parsed.verb.name
        lines = Lines(lambda line: output.part(verb, line, task.target))
        followed.add(connection)
        try:
            reply = invocation.send(
                connection,
                task,
                as_json=invocation.options.json,
                progress=lambda data: output.progress(task.target, data),
                parts=lines.feed,
            )
            lines.end()
        except ReaderGoneError:
            invocation.stopped = True
            for other in list(followed):
                other.interrupt()
            return outcome.OK
        output.reply(verb, task.target, reply, connection.principal)
        return reply.outcome

    return invocation.each_host(tasks, output, one)
