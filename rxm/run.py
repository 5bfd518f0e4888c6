"""One invocation: from what was asked for to the exit status, in order."""

from rxm import options as own_options
from rxm import targets
from rxm.invocation import Invocation
from rxm.options import Options
from rxm.output import Output
from rxm.remote.connection import Connection
from rxm.settings import Settings
from rxm.targets import Target, Task
from xman import outcome
from xman.arguments import Parsed
from xman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rxm.remote.command import Reply
    from rxm.remote.portal import Known

    Strategy = Callable[[Invocation, list[Task], Output], list[int]]

# Of a DOMAIN that may stand for several.
_SEVERAL = frozenset("[*?")
# So many are asked by a thread each, which is no slower and loads less.
_FEW = 8


def run(options: Options, settings: Settings, parsed: Parsed) -> int:
    """Carry out one invocation; return its exit status. Raises XmanError where nothing could be begun."""
    if parsed.flag("watch"):
        from rxm.live import watch

        return watch.run(options, settings, parsed)
    invocation = _invocation(options, settings, parsed)
    # The plain case, one command for one host, loads nothing of what follows.
    if parsed.flag("all"):
        from rxm.strategies import all_domains

        return all_domains.carry_out(invocation, invocation.output(len(invocation.hosts) > 1))
    tasks = _tasks(invocation, settings)
    if len(tasks) > 1 and "rid" in parsed.options:
        raise UsageError("--rid is the id of one request; give one target with it.")
    several = len({task.target.host for task in tasks}) > 1
    output = invocation.output(several)
    strategy = _strategy(invocation, tasks, several=several)
    if strategy is _each and len(tasks) > 1 and parsed.verb.undone_by:
        from rxm.strategies import all_or_nothing

        if all_or_nothing.applies(parsed, tasks):
            return all_or_nothing.carry_out(invocation, tasks, output)
    codes = strategy(invocation, tasks, output)
    if parsed.verb.makes:
        from rxm.strategies import launching

        launching.say_together(invocation, output)
    if len(tasks) == 1:
        return outcome.combine(codes)
    from rxm.output import summary

    return summary.status(codes, len(tasks), output.warn)


def _invocation(options: Options, settings: Settings, parsed: Parsed) -> Invocation:
    """Return what reaches the hosts that are meant, the user asked where a change would touch hosts not named."""
    told: dict[str, Known] = {}
    if parsed.verb.of_hosts and settings.portal:
        from rxm.strategies import from_portal

        hosts, told = from_portal.hosts(options, settings, parsed)
    else:
        hosts = targets.hosts(options, settings, targets.host_words(parsed))
    if len(hosts) > 1 and targets.alters_unnamed(parsed):
        from rxm.strategies import confirm

        confirm.hosts(options, parsed, hosts)
    invocation = Invocation(options, settings, parsed, hosts)
    invocation.told_before = told
    invocation.explain = lambda target, reply: _explain(invocation, target, reply)
    if parsed.verb.outlives_us:
        from rxm.strategies import migrate

        migrate.hook(invocation)
    return invocation


def _strategy(invocation: Invocation, tasks: list[Task], *, several: bool) -> "Strategy":
    """Return how they are carried out; nothing is loaded of the other ways. `several`: they are of several hosts."""
    options, parsed, verb = invocation.options, invocation.parsed, invocation.parsed.verb
    if not options.json and own_options.shaped(options):
        from rxm.strategies import shaped

        return shaped.carry_out
    if verb.transfers:
        from rxm.strategies import transfer

        return transfer.carry_out
    if verb.streams:
        from rxm.strategies import viewer

        return viewer.carry_out
    if verb.edited and not parsed.given[verb.edited]:
        from rxm.strategies import editor

        return editor.carry_out
    if verb.octets and not options.json:
        from rxm.strategies import picture

        return picture.carry_out
    if parsed.follows and verb.follows_unless:
        from rxm.strategies import terminal

        return terminal.carry_out
    if parsed.follows or (verb.paged and len(tasks) == 1 and not options.json):
        from rxm.strategies import follow

        return follow.carry_out
    if several and not options.json and verb.merges:
        from rxm.strategies import merged

        return merged.carry_out
    return _each


def _explain(invocation: Invocation, target: Target, reply: "Reply") -> None:
    from rxm.strategies import locate

    locate.explain(invocation, target, reply)


def _tasks(invocation: Invocation, settings: Settings) -> list[Task]:
    """Return the commands to send, every domain with its host."""
    words = targets.domain_words(invocation.parsed)
    if invocation.parsed.verb.makes:
        from rxm.strategies import launching

        return launching.tasks(invocation, settings)
    if any(not _SEVERAL.isdisjoint(word) for word in words):
        from rxm.strategies import patterns

        addressed = patterns.addressed(invocation, words, settings.domains)
    else:
        addressed = targets.address(words, invocation.hosts, settings.domains)
    if any(not target.host for target in addressed):
        from rxm.strategies import locate

        addressed = targets.located(addressed, locate.known(invocation))
    return targets.tasks(invocation.parsed, invocation.hosts, addressed)


def _each(invocation: Invocation, tasks: list[Task], output: Output) -> list[int]:
    """Do all targets' commands; return their codes."""

    def one(connection: Connection, task: Task) -> int:
        return _one(invocation, connection, task, output)

    if len(tasks) <= _FEW:
        return invocation.each_host(tasks, output, one)
    from rxm.strategies import one_loop

    return one_loop.each_host(invocation, tasks, output, one, as_json=invocation.options.json)


def _one(invocation: Invocation, connection: Connection, task: Task, output: Output) -> int:
    """Do one target's command and show what came back; return its code."""
    if invocation.options.json:
        envelope = invocation.structured(connection, task, lambda data: output.progress(task.target, data))
        output.envelope(envelope, task.target)
        return int(envelope.get("code", outcome.OK))
    reply = invocation.send(connection, task, as_json=False, progress=lambda data: output.progress(task.target, data))
    output.reply(invocation.parsed.verb.name, task.target, reply, connection.principal)
    return reply.outcome
