"""Commands that look, to many hosts: by one loop (`rxm.remote.many`), where otherwise each host has a thread.

What happens seldom, and is not over with one question, is left to those threads: an xmand that is older than the
command, a host whose key has changed since its ticket was kept.
"""

from rxm.invocation import Invocation
from rxm.output import Output
from rxm.remote import older
from rxm.remote.command import Reply
from rxm.remote.dialogue import Dialogue
from rxm.remote.many import Loop
from rxm.targets import Task
from xman import outcome
from xman.errors import UnreachableError, XmanError
from xman.gss import WRONG_KEY
from xman.wire import constants as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

# Fewer are asked as fast by threads, and load less.
_FEW_HOSTS = 8


class Answered:
    """Stands for the connection over which one command was asked: what came is there already."""

    def __init__(self, principal: str, reply: Reply) -> None:
        self.principal = principal
        self._reply = reply

    def run(self, *_words: object, **_more: object) -> Reply:
        """Return the reply."""
        return self._reply


def suits(invocation: Invocation, tasks: list[Task]) -> bool:
    """Whether this is for the loop: each host gets one command, that changes nothing, waits for nothing, and ends."""
    parsed, options = invocation.parsed, invocation.options
    own_way = invocation.prepare or invocation.abort or invocation.interrupted
    if own_way or parsed.verb.changes or parsed.follows or options.fail_fast or options.verbose:
        return False
    hosts = {task.target.host for task in tasks}
    return len(hosts) == len(tasks) > _FEW_HOSTS and parsed.waiting_seconds(0.0) is None


def each_host(
    invocation: Invocation, tasks: list[Task], output: Output, one: "Callable[[Any, Task], int]", *, as_json: bool
) -> list[int]:
    """Do what `Invocation.each_host` does, for a `one` that asks just the user's command, once; `as_json` is how."""
    if not suits(invocation, tasks):
        return invocation.each_host(tasks, output, one)
    try:
        output.expect([task.target.host for task in tasks])
        return _carry_out(invocation, tasks, output, one, as_json=as_json)
    finally:
        output.close()


def _carry_out(
    invocation: Invocation, tasks: list[Task], output: Output, one: "Callable[[Any, Task], int]", *, as_json: bool
) -> list[int]:
    """Ask all of them, and hand what each answers to `one`; return the codes."""
    codes: dict[Task, int] = {}
    # Of those that a portal has told of nobody is asked.
    told = [task for task in tasks if task.target.host in invocation.told_before]
    rest = [task for task in tasks if task.target.host not in invocation.told_before]
    for task in told:
        codes |= dict.fromkeys([task], *invocation.lane(task.target.host, [task], output, one, None))
    asked: dict[Dialogue, tuple[Task, list[bytes]]] = {}
    again: list[Task] = []

    def dialogues() -> "Iterator[Dialogue]":
        for task in rest:
            words = invocation.words_of(task, as_json=as_json)
            new = invocation.dialogue(task.target.host, words)
            asked[new] = task, words
            yield new

    def over(dialogue: Dialogue) -> None:
        task, words = asked.pop(dialogue)
        if _needs_more(dialogue, words):
            again.append(task)
            return
        error = dialogue.error
        if isinstance(error, UnreachableError):
            error = invocation.told(error, task.target.host)
        try:
            if error is not None:
                raise error
            codes[task] = one(Answered(dialogue.principal, dialogue.reply), task)
        except XmanError as problem:
            codes[task] = problem.outcome
            output.failure(invocation.parsed.verb.name, task.target, problem.outcome, str(problem), problem.reason)
        output.ended(task.target.host)

    Loop(invocation.most_at_a_time(), over).run(dialogues())
    if again:
        found = invocation.side_by_side(
            again, lambda task: invocation.lane(task.target.host, [task], output, one, None)
        )
        codes |= {task: code for task, own in zip(again, found, strict=True) for code in own}
    else:  # threads are dear to import
        invocation.keep_tickets()
    return [codes[task] for task in tasks]


def _needs_more(dialogue: Dialogue, words: list[bytes]) -> bool:
    if dialogue.error is not None:
        return dialogue.error.reason == WRONG_KEY
    reply = dialogue.reply
    if reply.error == wire.ERROR_UNKNOWN_COMMAND:
        return True
    return reply.status == outcome.USAGE and older.refusal(words, reply.stdout + reply.stderr) is not None
