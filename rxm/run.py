"""Carrying out a plan: connections, deadlines, many hosts at a time, and what comes back."""

import os

from rxm import plan
from rxm.client import Connection, Deadline, Reply, error_message, initiator, wire_words
from rxm.options import Options
from rxm.output import Output
from rxm.plan import Job
from rxm.settings import Settings
from rxm.targets import Target
from xman import arguments, outcome, verbs
from xman.arguments import Parsed
from xman.errors import UnreachableError, XmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from xman.gss.initiators import Initiator

    _Done = TypeVar("_Done")

# A verb without a deadline of its own (migrate) is given up when its host has said nothing for so long: more than the
# minute after which xmand itself gives up a migration that stands still.
_SILENCE_SECONDS = 90.0


class Runner:
    """One invocation of rxm."""

    def __init__(self, options: Options, settings: Settings, parsed: Parsed, identity: "Initiator") -> None:
        self._options = options
        self._settings = settings
        self._parsed = parsed
        self._identity = identity
        self._hosts = plan.hosts(options, settings)
        self._deadline = Deadline(_seconds(options, parsed))
        # Set once; read by every host's thread before it begins another command.
        self._stopped = False

    def run(self) -> int:
        """Do it all; return the exit status. Raises XmanError where nothing could be begun."""
        targets = plan.address(plan.domain_words(self._parsed), self._hosts, self._settings.domains)
        if any(not target.host for target in targets):
            targets = plan.located(targets, self._ask_all())
        jobs = plan.jobs(self._parsed, self._hosts, targets)
        several = len({job.target.host for job in jobs}) > 1
        output = Output(json=self._options.json, quiet=self._options.quiet, log=self._options.syslog, several=several)
        if several and self._parsed.verb.name == "list" and not self._options.json:
            return self._merged_list(jobs, output)
        return outcome.combine(self._each_host(jobs, output, lambda c, job: self._one(c, job, output)))

    def _merged_list(self, jobs: list[Job], output: Output) -> int:
        rows: list[dict[str, Any]] = []

        def one(connection: Connection, job: Job) -> int:
            envelope = self._structured(connection, job)
            if not envelope["ok"]:
                output.failure("list", job.target, envelope["code"], envelope["message"])
                return int(envelope["code"])
            rows.extend([domain | {"host": job.target.host} for domain in envelope["result"]["domains"]])
            return outcome.OK

        codes = self._each_host(jobs, output, one)
        output.merged_list(rows)
        return outcome.combine(codes)

    def _each_host(self, jobs: list[Job], output: Output, one: "Callable[[Connection, Job], int]") -> list[int]:
        """Do each host's jobs over one connection, hosts side by side; return the codes."""
        by_host: dict[str, list[Job]] = {}
        for job in jobs:
            by_host.setdefault(job.target.host, []).append(job)
        if len(by_host) == 1:
            (host,) = by_host
            return self._host(host, by_host[host], output, one)
        done = self._side_by_side(by_host, lambda host: self._host(host, by_host[host], output, one))
        return [code for codes in done for code in codes]

    def _side_by_side(self, hosts: "Iterable[str]", do: "Callable[[str], _Done]") -> "list[_Done]":
        from rxm import fanout

        return fanout.each(hosts, self._options.fanout or self._settings.fanout, do)

    def _host(self, host: str, jobs: list[Job], output: Output, one: "Callable[[Connection, Job], int]") -> list[int]:
        codes: list[int] = []
        connection: Connection | None = None
        try:
            for job in jobs:
                if self._stopped:
                    break
                try:
                    connection = connection or self._connect(host)
                    code = one(connection, job)
                except XmanError as error:
                    code = error.outcome
                    connection = None
                    output.failure(self._parsed.verb.name, job.target, code, str(error))
                codes.append(code)
                if code != outcome.OK and self._options.fail_fast:
                    self._stopped = True
        finally:
            if connection is not None:
                connection.close()
        return codes

    def _connect(self, host: str) -> Connection:
        port = self._options.port or self._settings.port
        service = self._options.service or self._settings.service
        return Connection(host, port, service, self._identity, self._deadline)

    def _one(self, connection: Connection, job: Job, output: Output) -> int:
        verb = self._parsed.verb.name
        if self._options.json:
            envelope = self._structured(connection, job)
            output.envelope(envelope, job.target)
            return int(envelope.get("code", outcome.OK))
        reply = self._send(connection, job, as_json=False, progress=output.progress)
        if reply.error:
            output.failure(verb, job.target, reply.outcome, error_message(reply, connection.principal, verb))
        else:
            output.text(verb, job.target, reply)
        return reply.outcome

    def _structured(self, connection: Connection, job: Job) -> "dict[str, Any]":
        """Return the host's JSON object, or one that says what came instead."""
        verb = self._parsed.verb.name
        reply = self._send(connection, job, as_json=True, progress=lambda _data: None)
        return _envelope(reply, verb, job.target, connection.principal)

    def _send(self, connection: Connection, job: Job, *, as_json: bool, progress: "Callable[[bytes], None]") -> Reply:
        verb = self._parsed.verb
        endless = self._deadline.seconds is None
        words = wire_words(
            self._parsed,
            json=as_json,
            domains=job.domains,
            rid=os.urandom(16).hex() if verb.changes and "rid" not in self._parsed.options else "",
            reason=self._options.reason,
            timeout=self._remaining() if self._options.timeout else None,
        )
        return connection.run(
            words, self._deadline, changes=verb.changes,
            patience=_SILENCE_SECONDS if endless else None, progress=progress if endless else None,
            interrupted=(lambda: self._abort(job)) if verb.name == "migrate" else None,
        )  # fmt: skip

    def _abort(self, job: Job) -> None:
        """Ask the host to abort a migration; its own answer still comes on the first connection.

        Where that cannot be asked the migration is waited for as before; another Ctrl-C ends the waiting.
        """
        asking = arguments.parse(verbs.BY_NAME["migrate"], ["--abort", "--", job.target.domain])
        try:
            with self._connect(job.target.host) as connection:
                connection.run(wire_words(asking, json=False), self._deadline, changes=True)
        except XmanError:
            pass

    def _remaining(self) -> float | None:
        try:
            return self._deadline.remaining()
        except TimeoutError:
            raise UnreachableError("no answer in time.") from None

    def _ask_all(self) -> "dict[str, list[dict[str, Any]]]":
        """Ask every host which domains it has, to locate those named without a host.

        Raises UnreachableError where one does not answer and the verb would change something: the domain meant might
        be there as well.
        """
        known: dict[str, list[dict[str, Any]]] = {}
        asking = arguments.parse(verbs.BY_NAME["list"], [])

        def ask(host: str) -> None:
            with self._connect(host) as connection:
                reply = connection.run(wire_words(asking, json=True), self._deadline, changes=False)
                envelope = _envelope(reply, "list", Target(host), connection.principal)
            if not envelope["ok"]:
                raise UnreachableError(envelope["message"])
            known[host] = envelope["result"]["domains"]

        def try_to_ask(host: str) -> str:
            try:
                ask(host)
            except XmanError as error:
                return f"{host}: {error}"
            return ""

        problems = [problem for problem in self._side_by_side(self._hosts, try_to_ask) if problem]
        if problems and self._parsed.verb.changes:
            raise UnreachableError(
                f"not every host could be asked where the domain is, so nothing was changed: {' '.join(problems)}"
            )
        return {host: known[host] for host in self._hosts if host in known}


def _envelope(reply: Reply, verb: str, target: Target, principal: str) -> "dict[str, Any]":
    import json

    from xman import result

    if reply.error:
        message = error_message(reply, principal, verb)
        return result.failed(target.host, verb, target.domain or None, reply.outcome, message)
    try:
        envelope: dict[str, Any] = json.loads(reply.stdout)
        envelope["ok"]  # another server's JSON has none
    except (ValueError, KeyError, TypeError):
        message = "the host's answer is not xman's JSON; is it xmand that listens there?"
        return result.failed(target.host, verb, target.domain or None, outcome.INTERNAL, message)
    return envelope


def _seconds(options: Options, parsed: Parsed) -> float | None:
    if options.timeout is not None:
        return options.timeout
    return parsed.waiting_seconds(verbs.WAIT_SECONDS) or parsed.verb.default_seconds


def run(options: Options, settings: Settings, parsed: Parsed) -> int:
    """Carry out one invocation; return its exit status. Raises XmanError."""
    identity = initiator(settings.client_keytab, settings.principal)
    return Runner(options, settings, parsed, identity).run()
