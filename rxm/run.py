"""Carrying out a plan: connections, deadlines, many hosts at a time, and what comes back."""

from rxm import plan
from rxm.client import Connection, Deadline, Reply, initiator, new_rid, wire_words
from rxm.options import Options
from rxm.output import Output
from rxm.plan import Job
from rxm.settings import Settings
from rxm.targets import Target
from xman import arguments, errors, outcome, verbs
from xman.arguments import Parsed
from xman.errors import UnreachableError, UsageError, XmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from xman.gss.initiators import Initiator

    _Item = TypeVar("_Item")
    _Done = TypeVar("_Done")

# A verb without a deadline of its own (migrate) is given up when its host has said nothing for so long: more than the
# minute after which xmand itself gives up a migration that stands still, and than two signs of life to a follower.
_SILENCE_SECONDS = 90.0
# Commands that wait for guests are sent to one host side by side, over as many connections: what one of them takes, the
# others need not wait for. Half of what a host grants one caller.
_LANES = 16
# Up to here the user's own ticket cache does, and the tickets that are fetched stay there for the next command.
_FEW_HOSTS = 8
# What `xman.render.merged` makes one text of.
_MERGED = ("list", "stats", "state", "job-list", "ping")


class Runner:
    """One invocation of rxm."""

    def __init__(self, options: Options, settings: Settings, parsed: Parsed) -> None:
        self._options = options
        self._settings = settings
        self._parsed = parsed
        self._hosts = plan.hosts(options, settings)
        self._deadline = Deadline(_seconds(options, parsed))
        own = initiator(settings.client_keytab, settings.principal)
        self._identity: Callable[[str], Initiator] = lambda _host: own
        if len(self._hosts) > _FEW_HOSTS:
            from rxm.identities import Identities

            self._identity = Identities(own, settings.principal, self._hosts).of
        # Set once; read by every host's thread before it begins another command.
        self._stopped = False
        self._under_way: set[Job] = set()
        self._followed: set[Connection] = set()

    def run(self) -> int:
        """Do it all; return the exit status. Raises XmanError where nothing could be begun."""
        if self._parsed.flag("all"):
            return self._every_domain()
        targets = plan.address(plan.domain_words(self._parsed), self._hosts, self._settings.domains)
        if any(not target.host for target in targets):
            targets = plan.located(targets, self._known())
        jobs = plan.jobs(self._parsed, self._hosts, targets)
        if len(jobs) > 1 and "rid" in self._parsed.options:
            raise UsageError("--rid is the id of one request; give one target with it.")
        several = len({job.target.host for job in jobs}) > 1
        output = self._output(several)
        if several and not self._options.json and self._parsed.verb.name in _MERGED:
            return self._merged(jobs, output)
        # The plain case first: `together` is not even loaded for it.
        if len(jobs) > 1 and self._parsed.verb.family == "batch":
            from rxm import together

            if together.applies(self._parsed, jobs):
                return self._together(jobs, output)
        one = self._follow if self._parsed.follows else self._one
        codes = self._each_host(jobs, output, lambda c, job: one(c, job, output))
        return self._summed_up(codes, len(jobs), output)

    def _together(self, jobs: list[Job], output: Output) -> int:
        """Do all of them; where one fails, begin no other and undo those that were done."""
        from rxm import together

        verb = self._parsed.verb.name
        done: dict[Job, dict[str, Any]] = {}

        def one(connection: Connection, job: Job) -> int:
            try:
                done[job] = envelope = self._structured(connection, job)
            except XmanError as error:
                done[job] = envelope = _failed(verb, job.target, error)
            self._stopped |= not envelope["ok"]
            return int(envelope.get("code", outcome.OK))

        codes = self._each_host(jobs, output, one)
        if not any(codes) and len(done) == len(jobs):
            for job in jobs:
                output.said(done[job], job.target)
            return outcome.OK
        for job in jobs:
            envelope = done.get(job)
            unknown = envelope is not None and not envelope["ok"] and together.must_undo(envelope)
            problem = self._undo(job) if envelope is not None and together.must_undo(envelope) else ""
            if envelope is not None and not envelope["ok"] and not (unknown and not problem):
                output.said(envelope, job.target)
                continue
            told = together.not_done(envelope, job, verb, problem)
            if problem:
                codes.append(int(told["code"]))
            output.said(told, job.target)
        return outcome.combine(codes)

    def _undo(self, job: Job) -> str:
        """Undo what one target did; return why that failed, empty where it did not."""
        from rxm import together

        deadline = Deadline(together.UNDO_SECONDS)
        asking = together.undoing(self._parsed, job.target.domain)
        words = wire_words(asking, json=True, rid=new_rid(), reason=self._options.reason)
        try:
            with self._connect(job.target.host, deadline) as connection:
                reply = connection.run(words, deadline, changes=True)
                envelope = _envelope(reply, asking.verb.name, job.target, connection.principal)
        except XmanError as error:
            return str(error)
        return "" if envelope["ok"] else str(envelope["message"])

    def _output(self, several: bool) -> Output:
        options = self._options
        return Output(json=options.json, quiet=options.quiet, log=options.syslog, several=several)

    def _every_domain(self) -> int:
        """Do it to every running domain of each host. A host that does not answer costs its own line only."""
        from rxm import all_domains

        verb = self._parsed.verb.name
        all_domains.check(self._parsed)
        output = self._output(len(self._hosts) > 1)
        known, problems = self._ask_all()
        for host, error in problems.items():
            output.failure(verb, Target(host), error.outcome, str(error))
        codes = [error.outcome for error in problems.values()]
        if codes and self._options.fail_fast:
            return outcome.combine(codes)
        found = {host: all_domains.running(domains) for host, domains in known.items()}
        all_domains.confirm(self._parsed, found)
        for host in [host for host, names in found.items() if not names]:
            output.done(all_domains.nothing(host, verb), Target(host), all_domains.NOTHING)
        jobs = [Job(Target(host, name), [name]) for host, names in found.items() for name in names]

        def one(connection: Connection, job: Job) -> int:
            envelope = self._structured(connection, job, lambda data: output.progress(job.target, data))
            name = job.target.domain
            if envelope["ok"]:
                output.done(envelope, job.target, all_domains.line(verb, name, envelope))
                return outcome.OK
            message = envelope["message"]
            output.failure(verb, job.target, envelope["code"], message if name in message else f"'{name}': {message}")
            return int(envelope["code"])

        codes += self._each_host(jobs, output, one)
        return self._summed_up(codes, len(jobs) + len(problems), output)

    def _merged(self, jobs: list[Job], output: Output) -> int:
        """Print what several hosts say as one table, once all have said it."""
        verb = self._parsed.verb.name
        answers: dict[str, dict[str, Any]] = {}
        milliseconds: dict[str, int] = {}

        def one(connection: Connection, job: Job) -> int:
            envelope = self._structured(connection, job)
            if not envelope["ok"]:
                output.failure(verb, job.target, envelope["code"], envelope["message"])
                return int(envelope["code"])
            answers[job.target.host] = envelope["result"]
            milliseconds[job.target.host] = envelope["ms"]
            return outcome.OK

        codes = self._each_host(jobs, output, one)
        output.merged(verb, answers, milliseconds)
        return self._summed_up(codes, len(jobs), output)

    def _summed_up(self, codes: list[int], targets: int, output: Output) -> int:
        """Return the exit status; of many targets, not all of them well, say how many are how."""
        status = outcome.combine(codes)
        if targets > 1 and status != outcome.OK:
            from rxm import summary

            output.warn(summary.text(codes, targets))
        return status

    def _each_host(self, jobs: list[Job], output: Output, one: "Callable[[Connection, Job], int]") -> list[int]:
        """Do each host's jobs over one connection, hosts side by side; return the codes.

        Where they wait for guests, a host's jobs are shared out among several connections.
        """
        lanes: dict[tuple[str, int], list[Job]] = {}
        begun: dict[str, int] = {}
        most = _LANES if self._waits() else 1
        for job in jobs:
            number = begun[job.target.host] = begun.get(job.target.host, -1) + 1
            lanes.setdefault((job.target.host, number % most), []).append(job)
        try:
            if len(lanes) == 1:
                (((host, _), own),) = lanes.items()
                return self._host(host, own, output, one)
            done = self._side_by_side(lanes.items(), lambda lane: self._host(lane[0][0], lane[1], output, one))
            return [code for codes in done for code in codes]
        finally:
            output.close()

    def _waits(self) -> bool:
        """Whether each command takes as long as a guest likes. One that shall stop at a failure has to wait for it."""
        waits = self._parsed.waiting_seconds(verbs.WAIT_SECONDS) is not None
        return waits and self._parsed.verb.takes_domain and not self._options.fail_fast

    def _side_by_side(self, items: "Iterable[_Item]", do: "Callable[[_Item], _Done]") -> "list[_Done]":
        from rxm import fanout

        interrupted = self._abort_all if self._parsed.verb.name == "migrate" else None
        # A host that is followed takes its turn for good.
        most = len(self._hosts) if self._parsed.follows else self._options.fanout or self._settings.fanout
        return fanout.each(items, most, do, interrupted)

    def _host(self, host: str, jobs: list[Job], output: Output, one: "Callable[[Connection, Job], int]") -> list[int]:
        codes: list[int] = []
        connection: Connection | None = None
        try:
            for job in jobs:
                if self._stopped:
                    break
                self._under_way.add(job)
                try:
                    connection = connection or self._connect(host)
                    code = one(connection, job)
                except XmanError as error:
                    code = error.outcome
                    connection = None
                    if self._stopped and self._parsed.follows:
                        break
                    output.failure(self._parsed.verb.name, job.target, code, str(error))
                finally:
                    self._under_way.discard(job)
                codes.append(code)
                if code != outcome.OK and self._options.fail_fast:
                    self._stopped = True
        finally:
            if connection is not None:
                connection.close()
        return codes

    def _connect(self, host: str, deadline: Deadline | None = None) -> Connection:
        port = self._options.port or self._settings.port
        service = self._options.service or self._settings.service
        deadline = deadline or self._deadline
        # A host that is alone may take as long as the command does.
        connecting = deadline.within(self._settings.connect_seconds) if len(self._hosts) > 1 else deadline
        return Connection(host, port, service, self._identity(host), connecting)

    def _one(self, connection: Connection, job: Job, output: Output) -> int:
        verb = self._parsed.verb.name
        if self._options.json:
            envelope = self._structured(connection, job, lambda data: output.progress(job.target, data))
            output.envelope(envelope, job.target)
            return int(envelope.get("code", outcome.OK))
        reply = self._send(connection, job, as_json=False, progress=lambda data: output.progress(job.target, data))
        if reply.error:
            output.failure(verb, job.target, reply.outcome, reply.message(connection.principal, verb))
        else:
            output.text(verb, job.target, reply)
        return reply.outcome

    def _follow(self, connection: Connection, job: Job, output: Output) -> int:
        """Show the parts of a reply as they come; where nobody reads them any more, end all that is followed."""
        from rxm.follow import Lines, ReaderGoneError

        verb = self._parsed.verb.name
        lines = Lines(lambda line: output.part(line, job.target))
        self._followed.add(connection)
        try:
            reply = self._send(
                connection, job, as_json=self._options.json, progress=lambda data: output.progress(job.target, data),
                parts=lines.feed,
            )  # fmt: skip
            lines.end()
        except ReaderGoneError:
            self._stopped = True
            for other in list(self._followed):
                other.interrupt()
            return outcome.OK
        if reply.error:
            output.failure(verb, job.target, reply.outcome, reply.message(connection.principal, verb))
        else:
            output.text(verb, job.target, reply)
        return reply.outcome

    def _structured(
        self, connection: Connection, job: Job, progress: "Callable[[bytes], bool]" = lambda _data: False
    ) -> "dict[str, Any]":
        """Return the host's JSON object, or one that says what came instead."""
        verb = self._parsed.verb.name
        reply = self._send(connection, job, as_json=True, progress=progress)
        return _envelope(reply, verb, job.target, connection.principal)

    def _send(
        self, connection: Connection, job: Job, *, as_json: bool, progress: "Callable[[bytes], bool]",
        parts: "Callable[[bytes], None] | None" = None,
    ) -> Reply:  # fmt: skip
        verb = self._parsed.verb
        endless = self._deadline.seconds is None
        words = wire_words(
            self._parsed,
            json=as_json,
            domains=job.domains,
            rid=new_rid() if verb.changes and "rid" not in self._parsed.options else "",
            reason=self._options.reason,
            timeout=self._remaining() if self._options.timeout else None,
        )
        return connection.run(
            words, self._deadline, changes=verb.changes,
            patience=_SILENCE_SECONDS if endless else None, progress=progress,
            interrupted=(lambda: self._abort(job)) if verb.name == "migrate" else None, parts=parts,
        )  # fmt: skip

    def _abort(self, job: Job) -> None:
        """Begin no other migration, and ask the host to abort this one; its answer still comes on its own connection.

        Where that cannot be asked the migration is waited for as before; another Ctrl-C ends the waiting.
        """
        self._stopped = True
        asking = arguments.parse(verbs.BY_NAME["migrate"], ["--abort", "--", job.target.domain])
        deadline = Deadline(verbs.DEADLINES[verbs.CHANGE])
        try:
            with self._connect(job.target.host, deadline) as connection:
                connection.run(wire_words(asking, json=False), deadline, changes=True)
        except XmanError:
            pass

    def _abort_all(self) -> None:
        self._stopped = True
        for job in list(self._under_way):
            self._abort(job)

    def _remaining(self) -> float | None:
        try:
            return self._deadline.remaining()
        except TimeoutError:
            raise UnreachableError("no answer in time.") from None

    def _known(self) -> "dict[str, list[dict[str, Any]]]":
        """Return which domains each host has, to locate those named without a host.

        Raises UnreachableError where one does not answer and the verb would change something: the domain meant might
        be there as well.
        """
        known, problems = self._ask_all()
        if problems and self._parsed.verb.changes:
            words = " ".join([f"{host}: {error}" for host, error in problems.items()])
            raise UnreachableError(
                f"not every host could be asked where the domain is, so nothing was changed: {words}"
            )
        return known

    def _ask_all(self) -> "tuple[dict[str, list[dict[str, Any]]], dict[str, XmanError]]":
        """Ask every host which domains it has; return what they said, and why the others did not."""
        asking = arguments.parse(verbs.BY_NAME["list"], [])
        # Reading has a deadline of its own, even for a verb that has none.
        deadline = Deadline(self._deadline.remaining(asking.verb.default_seconds))
        known: dict[str, list[dict[str, Any]]] = {}
        problems: dict[str, XmanError] = {}

        def ask(host: str) -> None:
            try:
                with self._connect(host, deadline) as connection:
                    reply = connection.run(wire_words(asking, json=True), deadline, changes=False)
                    envelope = _envelope(reply, "list", Target(host), connection.principal)
                if not envelope["ok"]:
                    raise errors.of_outcome(envelope["code"], envelope["message"])
                known[host] = envelope["result"]["domains"]
            except XmanError as error:
                problems[host] = error

        self._side_by_side(self._hosts, ask)
        in_order = {host: known[host] for host in self._hosts if host in known}
        return in_order, {host: problems[host] for host in self._hosts if host in problems}


def _failed(verb: str, target: Target, error: XmanError) -> "dict[str, Any]":
    from xman import result

    return result.failed(target.host, verb, target.domain or None, error.outcome, str(error))


def _envelope(reply: Reply, verb: str, target: Target, principal: str) -> "dict[str, Any]":
    import json

    from xman import result

    if reply.error:
        message = reply.message(principal, verb)
        return result.failed(target.host, verb, target.domain or None, reply.outcome, message)
    try:
        envelope: dict[str, Any] = json.loads(reply.stdout)
        envelope["ok"]  # another server's JSON has none
    except (ValueError, KeyError, TypeError):
        message = "the host's answer is not xman's JSON; is it xmand that listens there?"
        return result.failed(target.host, verb, target.domain or None, outcome.INTERNAL, message)
    return envelope


def _seconds(options: Options, parsed: Parsed) -> float | None:
    if options.timeout is not None or parsed.follows:
        return options.timeout
    return parsed.waiting_seconds(verbs.WAIT_SECONDS) or parsed.verb.default_seconds


def run(options: Options, settings: Settings, parsed: Parsed) -> int:
    """Carry out one invocation; return its exit status. Raises XmanError."""
    return Runner(options, settings, parsed).run()
