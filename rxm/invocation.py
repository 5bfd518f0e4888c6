"""Asking hosts: one connection each (several where commands wait for guests), deadlines, hosts side by side."""

from rxm import targets
from rxm.options import Options
from rxm.output import Output
from rxm.remote.command import Reply, new_rid, wire_words, within
from rxm.remote.connection import Connection, initiator
from rxm.remote.deadline import Deadline
from rxm.settings import Settings
from rxm.targets import Target, Task
from xman import grammar, outcome
from xman.arguments import Parsed
from xman.errors import CredentialsError, UnreachableError, XmanError
from xman.gss import WRONG_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    from rxm.remote.dialogue import Dialogue
    from rxm.remote.portal import Known
    from rxm.remote.ticket_caches import Identities
    from xman.gss.backends import Initiator

    _Item = TypeVar("_Item")
    _Done = TypeVar("_Done")

# A verb without a deadline of its own (migrate) is given up when its host has said nothing for so long: more than the
# minute after which xmand itself gives up a migration that stands still, and than two signs of life to a follower.
SILENCE_SECONDS = 90.0
# Commands that wait for guests are sent to one host side by side, over as many connections: what one of them takes, the
# others need not wait for. Half of what a host grants one caller.
_LANES = 16
# Up to here the user's own ticket cache does, and the tickets that are fetched stay there for the next command.
_FEW_HOSTS = 8


class Invocation:
    """How one invocation reaches its hosts. Raises CredentialsError where the user has no identity."""

    def __init__(self, options: Options, settings: Settings, parsed: Parsed, hosts: list[str]) -> None:
        self.options = options
        self.parsed = parsed
        self.hosts = hosts
        self.deadline = Deadline(_seconds(options, parsed))
        self._settings = settings
        own = initiator(settings.client_keytab, settings.principal)
        self._identity: Callable[[str], Initiator] = lambda _host: own
        self._identities: Identities | None = None
        if len(hosts) > _FEW_HOSTS:
            from rxm.remote import ticket_caches

            self._identities = ticket_caches.Identities(own, settings.principal, hosts, settings.client_keytab)
            self._identity = self._identities.of
        # What a portal has told of hosts, which need not be asked then; by name.
        self.told_before: Mapping[str, Known] = {}
        # Adds to a host's answer that there is no such domain which one was probably meant.
        self.explain: Callable[[Target, Reply], None] | None = None
        # Set once; read by every host's thread before it begins another command.
        self.stopped = False
        # Called at the first Ctrl-C, instead of giving up.
        self.interrupted: Callable[[], None] | None = None
        # Of a verb that goes on without us: what is really to be sent, and what Ctrl-C does to what is under way.
        self.prepare: Callable[[Connection, Task], Parsed] | None = None
        self.abort: Callable[[list[Task]], None] | None = None
        self.under_way: set[Task] = set()
        self._words: dict[tuple[Parsed, bool, tuple[str, ...] | None], list[bytes]] = {}

    def output(self, several: bool) -> Output:
        """Return where to show what comes back; `several` hosts are told apart."""
        options = self.options
        made = Output(json=options.json, quiet=options.quiet, log=options.syslog, several=several)
        made.explain = self.explain
        return made

    def groups(self, text: str) -> dict[str, str]:
        """Return the groups of hosts that the configuration names, for a text. Raises UsageError, UnreachableError."""
        return targets.groups(text, self.options, self._settings)

    def connect(self, host: str, deadline: Deadline | None = None) -> Connection:
        """Connect within `deadline`, the command's own where none is given. Raises XmanError."""
        if host in self.told_before:
            return self.told_before[host]
        port = self.options.port or self._settings.port
        service = self.options.service or self._settings.service
        deadline = deadline or self.deadline
        # A host that is alone may take as long as the command does.
        connecting = deadline.within(self._settings.connect_seconds) if len(self.hosts) > 1 else deadline
        kind: type[Connection] = Connection
        if self.options.verbose:
            from rxm.verbose import Told

            kind = Told
        try:
            try:
                return kind(host, port, service, self._identity(host), connecting)
            except CredentialsError as error:
                anew = self._anew(host, error)
                if anew is None:
                    raise
                return kind(host, port, service, anew, connecting)
        except UnreachableError as error:
            raise self.told(error, host) from error.__cause__

    def told(self, error: UnreachableError, host: str) -> UnreachableError:
        """Return what to say of a host that cannot be reached."""
        if not isinstance(error.__cause__, OSError) or isinstance(error.__cause__, TimeoutError | ConnectionError):
            return error
        return targets.unreachable(error, host, self._settings)

    def dialogue(self, host: str, words: list[bytes]) -> "Dialogue":
        """Return the asking of one host, for a loop of many (`rxm.strategies.one_loop`)."""
        from rxm.remote.dialogue import Dialogue

        port = self.options.port or self._settings.port
        service = self.options.service or self._settings.service
        patience = self._settings.connect_seconds
        return Dialogue(host, port, service, self._identity, words, self.deadline, patience)

    def _anew(self, host: str, error: CredentialsError) -> "Initiator | None":
        """Return the identity to show a host that has another key than the ticket kept for it is for."""
        return self._identities.anew(host) if self._identities is not None and error.reason == WRONG_KEY else None

    def send(
        self,
        connection: Connection,
        task: Task,
        *,
        as_json: bool,
        progress: "Callable[[bytes], bool]",
        parts: "Callable[[bytes], None] | None" = None,
    ) -> Reply:
        """Send the user's command for one target; return the whole reply. Raises XmanError."""
        parsed, verb = self.parsed, self.parsed.verb
        if self.prepare is not None:
            parsed = self.prepare(connection, task)
        endless, abort = self.deadline.seconds is None, self.abort
        return connection.run(
            self.words_of(task, parsed, as_json=as_json),
            self.deadline,
            changes=verb.changes,
            patience=SILENCE_SECONDS if endless else None,
            progress=progress,
            interrupted=self.interrupted if abort is None else lambda: abort([task]),
            parts=parts,
        )

    def words_of(self, task: Task, parsed: Parsed | None = None, *, as_json: bool) -> list[bytes]:
        """Return the words of the user's command, or of what takes its place, for one target. Raises XmanError."""
        parsed = parsed or self.parsed
        rid = new_rid() if parsed.verb.changes and "rid" not in self.parsed.options else ""
        # What has no id of its own is the same for all hosts.
        place = (parsed, as_json, None if task.domains is None else tuple(task.domains))
        words = None if rid else self._words.get(place)
        if words is None:
            words = wire_words(parsed, json=as_json, domains=task.domains, rid=rid, reason=self.options.reason)
            if not rid:
                self._words[place] = words
        seconds = self._remaining() if self.options.timeout else None
        return within(seconds, words) if seconds else words

    def structured(
        self, connection: Connection, task: Task, progress: "Callable[[bytes], bool]" = lambda _data: False
    ) -> "dict[str, Any]":
        """Return the host's JSON object, or one that says what came instead. Raises XmanError."""
        from rxm.output import envelope

        reply = self.send(connection, task, as_json=True, progress=progress)
        return envelope.of_reply(reply, self.parsed.verb.name, task.target, connection.principal)

    def each_host(
        self,
        tasks: list[Task],
        output: Output,
        one: "Callable[[Connection, Task], int]",
        failed: "Callable[[Task, XmanError], None] | None" = None,
    ) -> list[int]:
        """Do each host's tasks over one connection, hosts side by side; return the codes.

        Where they wait for guests, a host's tasks are shared out among several connections. `failed` is told of a task
        that could not be asked for, or whose `one` raised, instead of the output.
        """
        lanes: dict[tuple[str, int], list[Task]] = {}
        begun: dict[str, int] = {}
        most = _LANES if self._waits() else 1
        for task in tasks:
            number = begun[task.target.host] = begun.get(task.target.host, -1) + 1
            lanes.setdefault((task.target.host, number % most), []).append(task)
        try:
            if len(lanes) == 1:
                (((host, _), own),) = lanes.items()
                return self.lane(host, own, output, one, failed)
            # What is followed never ends.
            if not self.parsed.follows:
                output.expect([host for host, _ in lanes])
            done = self.side_by_side(lanes.items(), lambda lane: self.lane(lane[0][0], lane[1], output, one, failed))
            return [code for codes in done for code in codes]
        finally:
            output.close()

    def side_by_side(self, items: "Iterable[_Item]", do: "Callable[[_Item], _Done]") -> "list[_Done]":
        """Return what `do` makes of each item, so many at a time as the user wants hosts to be."""
        from rxm import fanout

        abort = self.abort
        interrupted = self.interrupted if abort is None else lambda: abort(list(self.under_way))
        done = fanout.each(items, self.most_at_a_time(), do, interrupted)
        self.keep_tickets()
        return done

    def keep_tickets(self) -> None:
        """Keep the tickets that were fetched for the next call, where that may be."""
        if self._identities is not None:
            self._identities.keep(self.options.service or self._settings.service)

    def most_at_a_time(self) -> int:
        """Return how many hosts are asked at a time; one that is followed takes its turn for good."""
        return len(self.hosts) if self.parsed.follows else self.options.fanout or self._settings.fanout

    def _waits(self) -> bool:
        """Whether each command takes as long as a guest likes. One that shall stop at a failure has to wait for it."""
        waits = self.parsed.waiting_seconds(grammar.WAIT_SECONDS) is not None
        return waits and self.parsed.verb.takes_domain and not self.options.fail_fast

    def lane(
        self,
        host: str,
        tasks: list[Task],
        output: Output,
        one: "Callable[[Connection, Task], int]",
        failed: "Callable[[Task, XmanError], None] | None",
    ) -> list[int]:
        """Do one host's jobs, one after the other, over one connection; return the codes."""
        codes: list[int] = []
        connection: Connection | None = None
        try:
            for task in tasks:
                if self.stopped:
                    break
                self.under_way.add(task)
                try:
                    connection = connection or self.connect(host)
                    code = one(connection, task)
                except XmanError as error:
                    code = error.outcome
                    connection = None
                    if self.stopped and self.parsed.follows:
                        break
                    if failed is not None:
                        failed(task, error)
                    else:
                        output.failure(self.parsed.verb.name, task.target, code, str(error), error.reason)
                finally:
                    self.under_way.discard(task)
                codes.append(code)
                if code != outcome.OK and self.options.fail_fast:
                    self.stopped = True
        finally:
            if connection is not None:
                connection.close()
            output.ended(host)
        return codes

    def _remaining(self) -> float | None:
        try:
            return self.deadline.remaining()
        except TimeoutError:
            raise UnreachableError("no answer in time.") from None


def _seconds(options: Options, parsed: Parsed) -> float | None:
    if options.timeout is not None or parsed.follows:
        return options.timeout
    return parsed.waiting_seconds(grammar.WAIT_SECONDS) or parsed.verb.default_seconds
