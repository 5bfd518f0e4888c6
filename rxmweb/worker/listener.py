"""Where hosts report by themselves: the wire that all commands take, with one command (`xman.reporting`).

A host speaks for itself alone: for the name in its principal. All connections are callbacks of one event loop, in a
thread of its own; who is not known yet has a few seconds and a few octets.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rxmweb.db import complain, fleet
from rxmweb.db.report import NotAReportError
from rxmweb.settings import Settings
from rxmweb.worker import listening
from rxmweb.worker.budget import Budgets
from rxmweb.worker.reports import Reports
from xman import escape, keytab, outcome, reporting
from xman.errors import ConfigurationError
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Acceptor
from xman.server_session import Authenticated, Closed, CommandBegun, CommandReceived, ServerSession
from xman.throttle import Throttle
from xman.wire.constants import ERROR_ACCESS, ERROR_BAD_COMMAND, ERROR_UNKNOWN_COMMAND, STDOUT

logger = logging.getLogger(__name__)

# Reports are written together for so long: a change is on an open page within a second.
_BATCH_SECONDS = 0.2
# Kerberos takes two messages, and a host has its ticket before it connects.
_HANDSHAKE_SECONDS = 10.0
_MOST_STRANGERS = 1024
# A host that says nothing for so many intervals has no use for its connection.
_IDLE_INTERVALS = 10
# Descriptors, and about 10 KiB each.
_MOST_HOSTS = 50_000
# What is kept for a host that does not read.
_MOST_UNSENT = 65_536
_LOOK_SECONDS = 1.0
_WORDS = 3
# Lines about those who do something wrong, of each and of all, in so many seconds; what is more is counted.
_MOST_COMPLAINTS = 10
_MOST_COMPLAINTS_IN_ALL = 100
_COMPLAINTS_SECONDS = 60.0
# Of a host in the DNS.
_MOST_NAME = 253
# A host that was cut off comes anew before its last connection is known to be dead; one that has just spoken was not.
_TWICE_SECONDS = 10.0


class Listener:
    """Takes reports from `run` until `stop`. Raises ConfigurationError where there is no key to be reported to."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        _keep_replays(settings.run_dir)
        service = settings.service.partition("@")[0]
        try:
            self._acceptor = Acceptor(service, settings.keytab)
            keys = keytab.read(settings.keytab)
        except (GssError, keytab.KeytabError) as error:
            raise ConfigurationError(f"{settings.keytab}: {error}; hosts report to a key of {service}/FQDN") from error
        realms = {key.principal.rpartition("@")[2] for key in keys if key.principal.startswith(f"{service}/")}
        self.realms = frozenset(settings.collector.realms or realms)
        self.services = frozenset(settings.collector.host_services)
        names = {name.removesuffix(".").lower(): name for name in settings.shown_names()}
        self.reports = Reports(engine, settings.interval_seconds, names.get)
        self.budgets = Budgets()
        self._complaints = Throttle(_MOST_COMPLAINTS, _MOST_COMPLAINTS_IN_ALL, _COMPLAINTS_SECONDS)
        self.strangers: dict[Conversation, str] = {}
        self.hosts: dict[str, Conversation] = {}
        # How many hosts may be connected.
        self.room = _MOST_HOSTS
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = threading.Event()

    def run(self) -> None:
        """Listen until `stop`; what goes wrong with an address is logged, and tried again."""
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._serve())

    def stop(self) -> None:
        """Let `run` end soon."""
        self._ending.set()

    def session(self) -> ServerSession:
        """Return the protocol's side of a new connection."""
        return ServerSession(self._acceptor.context(), strangers=True)

    def arrived(self, conversation: "Conversation", source: str) -> None:
        """Count one who is not known yet; where there are too many, the oldest of who has most gives way."""
        self.strangers[conversation] = source
        if len(self.strangers) > _MOST_STRANGERS:
            (crowd, _count), *_rest = Counter(self.strangers.values()).most_common(1)
            next(each for each, whose in self.strangers.items() if whose == crowd).close()

    def known(self, conversation: "Conversation", name: str) -> bool:
        """Count one whose name is known, in place of an older connection of his; return whether there is room."""
        self.strangers.pop(conversation, None)
        if (before := self.hosts.get(name)) is not None:
            conversation.replaces(before)
            before.close()
        elif len(self.hosts) >= self.room:
            return False
        self.hosts[name] = conversation
        return True

    def complain(self, who: str, address: str, text: str) -> None:
        """Log what somebody did wrong; of those that do so all the time only how often."""
        if self._complaints.passes(who or address):
            logger.warning("%s", escape.line(f"{who or 'somebody'} from {address}: {text}"))

    def left(self, conversation: "Conversation") -> None:
        """It is over."""
        self.strangers.pop(conversation, None)
        if self.hosts.get(conversation.name) is conversation:
            del self.hosts[conversation.name]

    async def _serve(self) -> None:
        self.room = listening.descriptors(_MOST_HOSTS, _MOST_STRANGERS)
        if len(self._settings.shown_names()) > self.room:
            logger.warning("there are descriptors for %d hosts that report; raise LimitNOFILE", self.room)
        loop = asyncio.get_running_loop()
        while not await loop.run_in_executor(None, self._safely, self._configure) and not self._ending.is_set():
            await asyncio.sleep(_LOOK_SECONDS)
        servers: dict[str, asyncio.Server] = {}
        began = loop.time()
        try:
            while not self._ending.is_set():
                for address in self._settings.collector.listen:
                    if address not in servers and (server := await self._listen(address)) is not None:
                        servers[address] = server
                await asyncio.sleep(_BATCH_SECONDS)
                await loop.run_in_executor(None, self._safely, self.reports.look)
                await loop.run_in_executor(None, self.reports.write, self.reports.collected())
                if loop.time() - began > _LOOK_SECONDS:
                    began = loop.time()
                    self._look_at_clock(began)
        finally:
            for server in servers.values():
                server.close()
            for conversation in [*self.strangers, *self.hosts.values()]:
                conversation.close()
            self.reports.write(self.reports.collected())

    async def _listen(self, address: str) -> asyncio.Server | None:
        try:
            server = await listening.listen(address, self._settings.collector.listen, lambda: Conversation(self))
        except OSError as error:
            logger.error("hosts cannot report at %s: %s", address, error.strerror)
            await asyncio.sleep(_LOOK_SECONDS)
            return None
        logger.info("hosts report at %s", address)
        return server

    def _look_at_clock(self, now: float) -> None:
        self.budgets.tidy(now)
        lines, callers = self._complaints.held(now)
        if lines:
            logger.warning("%d more complaints of %d callers", lines, callers)
        most = _IDLE_INTERVALS * self.reports.interval
        late = [each for each in self.strangers if now - each.heard > _HANDSHAKE_SECONDS]
        late += [each for each in self.hosts.values() if now - each.heard > most]
        for conversation in late:
            conversation.close()

    def _configure(self) -> None:
        # The collector does the same, perhaps later: a host that reports has to have its row.
        fleet.configure(self._engine, self._settings.shown_names(), self._settings.members())
        self.reports.look()

    @staticmethod
    def _safely(do: Callable[[], None]) -> bool:
        try:
            do()
            return True
        except SQLAlchemyError as error:
            complain(logger, error)
            return False


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._session = listener.session()
        self._transport: asyncio.Transport | None = None
        self.address = ""
        self._principal = ""
        # The host's own name, once that is known; and whether it has reported over this connection.
        self.name = ""
        self._reported = False
        # While its host has said so much that it has to wait.
        self._paused: asyncio.TimerHandle | None = None
        # When it was connected, and then when it last said something whole.
        self.heard = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("",)
        self.address = str(peer[0]).removeprefix("::ffff:")
        self._listener.arrived(self, self.address)

    def data_received(self, data: bytes) -> None:
        self._session.receive(data)
        self._go_on()

    def _go_on(self) -> None:
        try:
            while self._paused is None and (event := self._session.next_event()) is not None and self._event(event):
                pass
            self._flush()
        except GssError as error:
            self._complain(str(error))
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._listener.left(self)
        self._transport = None
        if self._paused is not None:
            self._paused.cancel()

    def close(self) -> None:
        """End it, at once."""
        self._listener.left(self)
        if self._transport is not None:
            self._transport.abort()

    def replaces(self, other: "Conversation") -> None:
        """Say so where another one of the same host, which was well just now, gives way to this one."""
        if self.heard - other.heard < _TWICE_SECONDS:
            self._complain(
                f"its connection from {other.address} was alive, and ends for this one; where that goes on, two"
                " machines have this key"
            )

    def _wait(self, seconds: float) -> None:
        """Read nothing more of it for so long."""
        if seconds > 0 and self._transport is not None and self._paused is None and not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._paused = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._go_on()

    def _event(self, event: object) -> bool:
        """Do what an event calls for; return whether there is a connection still."""
        if isinstance(event, Closed):
            if event.detail:
                self._complain(event.detail)
            self._flush()
            self.close()
            return False
        if isinstance(event, Authenticated):
            return self._authenticated(event)
        if isinstance(event, CommandBegun):
            if self.name:
                self._session.authorize()
                return True
            denied = self._session.deny()
            return self._event(denied)
        if isinstance(event, CommandReceived):
            self._command(event.arguments)
            return self._transport is not None
        return True

    def _authenticated(self, event: Authenticated) -> bool:
        self._principal = event.initiator.decode("latin-1")
        self.name = self._name(event)
        if not self.name:
            self._complain("it is not a host of ours")
        elif not self._listener.known(self, self.name):
            self._complain("there is no room for more hosts")
            self.close()
            return False
        else:  # what it has said over another connection counts
            self._wait(self._listener.budgets.owed(self.name, asyncio.get_running_loop().time()))
        return True

    def _name(self, event: Authenticated) -> str:
        """Return the name of the host that a principal is of, empty where it is of none."""
        if not event.initiator_is_principal or not self._principal.isascii():
            return ""
        first, _, realm = self._principal.rpartition("@")
        service, slash, host = first.partition("/")
        good = slash and service in self._listener.services and realm in self._listener.realms
        name = host.lower()
        return name if good and _is_host(name) else ""

    def _command(self, words: list[bytes]) -> None:
        if not self.name:
            self._session.send_error(ERROR_ACCESS)
            return
        now = asyncio.get_running_loop().time()
        self._wait(self._listener.budgets.spend(self.name, sum(map(len, words)), now))
        if words[:1] != [reporting.COMMAND]:
            self._session.send_error(ERROR_UNKNOWN_COMMAND)
            return
        if self._session.lifetime <= 0:
            self._complain("its ticket has ended")
            self.close()
            return
        try:
            if len(words) != _WORDS:
                raise NotAReportError("a report of another shape")
            begins, self._reported = not self._reported, True
            answer = self._listener.reports.take(self.name, self._principal, self.address, words[2], begins)
        except NotAReportError as error:
            self._complain(f"its report cannot be read: {error}")
            self._session.send_error(ERROR_BAD_COMMAND)
            return
        self.heard = now
        self._session.send_output(STDOUT, answer.octets())
        self._session.send_status(outcome.OK)

    def _flush(self) -> None:
        data = self._session.take_outgoing()
        if self._transport is None or not data:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _MOST_UNSENT:
            self._complain("it does not read its answers")
            self.close()

    def _complain(self, text: str) -> None:
        self._listener.complain(self._principal, self.address, text)


def _is_host(name: str) -> bool:
    letters = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
    return bool(name) and len(name) <= _MOST_NAME and letters.issuperset(name) and name[0] not in ".-"


def _keep_replays(run_dir: str) -> None:
    """Keep Kerberos' replay cache where only we write. Raises ConfigurationError."""
    directory = Path(run_dir) / "replays"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"run_dir: {directory}: {error.strerror}") from error
    os.environ["KRB5RCACHEDIR"] = str(directory)
