"""The daemon: puts the parts together, re-reads its configuration, ends in order."""

import asyncio
import contextlib
import logging
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import xman
from xman.errors import ConfigurationError, UnreachableError, XmanError
from xman.gss import GssError
from xman.gss.python_gssapi_backend import Acceptor
from xman.server_session import ServerSession
from xmand import verbs
from xmand.audit import Audit
from xmand.audit.message_buffer import Ring
from xmand.audit.outside import Outside
from xmand.audit.syslog import LOG_AUTHPRIV, LOG_INFO, Syslog
from xmand.batch.engine import Engine
from xmand.batch.settler import Settler
from xmand.broker.arrivals import Arrivals, LeftArrivals
from xmand.broker.departures import Departures, require_settled
from xmand.consoles.by_name import ByName
from xmand.consoles.hub import Hubs
from xmand.consoles.logged_on import LoggedOn
from xmand.consoles.past_us import PastUs
from xmand.dispatch.dispatcher import Dispatcher
from xmand.dispatch.keeper import Keeper
from xmand.events import Events
from xmand.events.run_stamps import Stamper
from xmand.journal import Journal
from xmand.launch.begun import Beginnings
from xmand.launch.machines import Machines
from xmand.metrics.textfile import TextFile
from xmand.model import Model, health
from xmand.profiles.discarding import Discarding
from xmand.report.reporter import Reporter
from xmand.server import listen
from xmand.server.server import Server
from xmand.settings import Settings
from xmand.system import replay_cache, systemd
from xmand.system.locks import DomainLocks
from xmand.system.mounts import volatile
from xmand.system.systemd import notify
from xmand.system.workers import Workers
from xmand.verbs.call import Host
from xmand.virt.copying import Copies
from xmand.virt.driver import CHANGE, READ, Driver
from xmand.virt.leftovers import Leftovers
from xmand.virt.monitor import Monitors
from xmand.virt.uploads import CutUploads, Uploads

logger = logging.getLogger(__name__)

# Lines that syslog could not take are offered again this often, and those held back are counted.
_FLUSH_SECONDS = 1.0
# What runs when we are told to end may finish: a migration takes minutes.
DRAIN_SECONDS = 900.0
# While we drain the service manager is asked for as much more time, again and again.
_EXTEND_SECONDS = 30.0
# Descriptors beside those of connections: libvirt, syslog, the journal, the list.
_OWN_DESCRIPTORS = 64
# So long a worker that computes keeps Python from the event loop, which asks for it several times a command. Python's
# own choice is five times that, for each worker.
_SWITCH_SECONDS = 0.001
# Read once: what they stand for is open.
_FIXED = ("listen", "libvirt_uri", "run_dir", "state_dir", "journal", "syslog")
# How soon a journal, or a libvirt, that was not there at the start is tried again.
_RECOVER_SECONDS = 5.0
PROMISE_LOST = (
    "is in memory ({kind}): after a restart of the host, changes that were under way are not settled, and a retry of"
    " one acts again"
)


def acceptor(settings: Settings) -> Acceptor:
    """Return the acceptor for the configured keytab. Raises ConfigurationError."""
    try:
        return Acceptor(settings.service, settings.keytab)
    except GssError as error:
        raise ConfigurationError(
            f"{settings.keytab}: {error}. Put the key of {settings.service}/FQDN there (kadmin: ktadd)."
        ) from error


class Daemon:
    """xmand, from its start to its end; `reread` reads the configuration again, or raises ConfigurationError."""

    def __init__(self, settings: Settings, syslog: Syslog, reread: Callable[[], Settings]) -> None:
        self._settings = settings
        self._syslog = syslog
        self._reread = reread
        self._ring = Ring()
        audit = Audit(self._write_audit)
        replay_cache.use(settings.run_dir)
        self._acceptor = acceptor(settings)
        self._driver = Driver(settings.libvirt_uri, self._ring.add)
        self._journal = Journal(
            settings.state_dir, settings.journal.keep_days, settings.journal.size_mib, self._on_list
        )
        locks = DomainLocks()
        arrivals = Arrivals(settings.state_dir)
        self._departures = Departures(settings, self._driver, locks, audit.record)
        settled = partial(require_settled, arrivals, self._departures)
        self._engine = Engine(settings, self._driver, locks, audit.record, arrivals.whence, settled)
        self._events = Events(self._driver)
        self._events.listen(lambda event: self._ring.add(str(event)))
        self._events.listen(Outside(locks, audit, verbs.may_cause, verbs.may_have_asked).heard)
        self._stamper = Stamper(self._driver, locks, self._events)
        self._discarding = Discarding(self._driver, locks, self._events)
        self._settler = Settler(self._engine, audit.record)
        self._events.listen(self._settler.heard)
        self._model = Model(self._driver, self._events, self._engine)
        past_us = PastUs()
        self._events.listen(past_us.heard)
        self._events.on_viewed(past_us.viewed)
        self._logged_on = LoggedOn(self._driver, on=settings.agent.users)
        self._events.listen(self._logged_on.heard)
        self._copies = Copies(settings.state_dir, settings.keytab)
        self._leftovers = Leftovers(self._copies, self._driver, locks, audit.record)
        arrivals.on_change(self._model.touch)
        self._left_arrivals = LeftArrivals(arrivals, self._driver, locks, audit.record)
        machines = Machines(Beginnings(settings.state_dir), known=self._model.launched)
        self._keeper = Keeper(machines, self._driver, locks, self._journal, audit.record)
        uploads = Uploads(settings.state_dir)
        self._cut_uploads = CutUploads(uploads, self._driver, locks, audit.record)
        host = Host(
            settings,
            self._driver,
            locks,
            self._ring,
            self._engine,
            self._events,
            self._journal,
            self._model,
            audit_lost=lambda: syslog.lost,
            monitors=Monitors(self._driver.connection),
            consoles=Hubs(self._driver),
            kept_by_name=ByName(settings.state_dir),
            copies=self._copies,
            arrivals=arrivals,
            departures=self._departures,
            machines=machines,
            past_us=past_us,
            logged_on=self._logged_on,
            uploads=uploads,
        )
        self._commands = Dispatcher(host, audit)
        self._reporter = Reporter(settings, self._model, self._condition)
        self._textfile = TextFile(settings, self._model, self._condition, lambda: syslog.lost)
        self._server = Server(self._session, self._commands, audit, settings.limits)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises ConfigurationError where it cannot listen."""
        _raise_descriptor_limit(self._settings)
        sys.setswitchinterval(_SWITCH_SECONDS)
        sockets = listen.inherited() or listen.listen(self._settings.listen)
        stop = _Stop()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.asked)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        tasks = [loop.create_task(self._server.accept(sock)) for sock in sockets]
        tasks += [loop.create_task(part) for part in self._background()]
        if seconds := systemd.interval():
            tasks.append(loop.create_task(systemd.feed(seconds, self._driver.ticked)))
        names = " ".join(listen.name(sock.getsockname()) for sock in sockets)
        logger.info("xmand %s listens on %s", xman.__version__, names)
        _warn(self._settings)
        self._events.start()
        self._stamper.start()
        self._discarding.start()
        self._settler.start()
        self._leftovers.start()
        self._departures.start()
        self._left_arrivals.start()
        self._keeper.start()
        self._logged_on.start()
        self._cut_uploads.start()
        self._reporter.start()
        self._textfile.start()
        notify("READY=1")
        await stop.first.wait()
        notify("STOPPING=1")
        self._reporter.stop()
        logger.info("ending; %d changes are under way", self._commands.changes)
        for task in tasks[: len(sockets)]:
            task.cancel()
        for sock in sockets:
            sock.close()
        self._commands.end_streams(UnreachableError("xmand is ending; follow again when it is back."))
        await self._drain(stop)
        for task in tasks:
            task.cancel()
        self._textfile.stop()
        self._server.report()
        self._syslog.flush()

    def _background(self) -> tuple[Coroutine[Any, Any, None], ...]:
        return self._commands.read_list(), self._warm_up(), self._recover(), self._keep_house()

    async def _drain(self, stop: "_Stop") -> None:
        """Let commands that run finish, until there is another signal."""
        draining = asyncio.ensure_future(self._finish())
        again = asyncio.ensure_future(stop.second.wait())
        while not draining.done() and not again.done():
            notify(f"EXTEND_TIMEOUT_USEC={int(_EXTEND_SECONDS * 2e6)}")
            await asyncio.wait({draining, again}, timeout=_EXTEND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if left := self._commands.changes:
            logger.warning("ending while %d changes are under way: libvirt may still carry them out", left)
        for task in (draining, again):
            task.cancel()
        self._journal.close()

    async def _finish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._server.drain()
                # Changes whose callers have gone.
                await self._commands.drain()

    def _reload(self) -> None:
        """Read the configuration again; what is wrong with it leaves everything as it was."""
        try:
            settings = self._reread()
            if (settings.service, settings.keytab) != (self._settings.service, self._settings.keytab):
                self._acceptor = acceptor(settings)
        except ConfigurationError as error:
            logger.error("SIGHUP: the configuration stays as it was: %s", error)
            return
        fixed = [key for key in _FIXED if getattr(settings, key) != getattr(self._settings, key)]
        for key in fixed:
            logger.warning("SIGHUP: %s takes effect when xmand is started again", key)
        for key in settings.unknown:
            logger.warning("%s: not known to this release", key)
        _warn(settings)
        settings = replace(settings, **{key: getattr(self._settings, key) for key in fixed})
        self._settings = settings
        self._server.limits = settings.limits
        self._commands.configure(settings)
        self._engine.configure(settings)
        self._model.touch()
        self._logged_on.configure(settings.agent.users)
        self._reporter.configure(settings)
        self._textfile.configure(settings)
        self._departures.settings = settings
        self._copies.keytab = settings.keytab
        _raise_descriptor_limit(settings)
        logger.info("SIGHUP: the configuration is read again")

    def _condition(self) -> dict[str, Any]:
        """How this host is, for its reports and for who watches it; blocks."""
        return health.facts(self._driver, self._settings, self._engine.maintenance, self._commands.list_now())

    def _on_list(self, principal: str) -> bool:
        return self._commands.on_list(principal)

    def _session(self) -> ServerSession:
        return ServerSession(self._acceptor.context(), strangers=True)

    async def _warm_up(self) -> None:
        """Open libvirt before the first command needs it; a libvirt that is not there yet is no reason to stop."""
        workers = Workers(1, "warm-up")
        for purpose in (CHANGE, READ):
            try:
                await workers.run(lambda purpose=purpose: self._driver.connection(purpose), None)  # type: ignore[misc]
            except Exception as error:  # whatever it is, each command will meet it again and report it
                logger.warning("%s", error)
                return

    async def _recover(self) -> None:
        """Settle what an earlier run left open; until that is begun, each change that comes tries as well."""
        if kind := volatile(self._settings.state_dir):
            logger.warning("state_dir: %s", PROMISE_LOST.format(kind=kind))
        complaint = ""
        while True:
            try:
                await self._commands.recover()
            except XmanError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    logger.error("%s", error)
                await asyncio.sleep(_RECOVER_SECONDS)
            else:
                return

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._server.report()
            self._commands.report()
            self._syslog.flush()

    def _write_audit(self, line: str) -> None:
        self._syslog.send(LOG_INFO, line, LOG_AUTHPRIV)
        self._ring.add(line)


class _Stop:
    """Signals that ask us to end: the first to end in order, the second to end at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()

    def asked(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


def descriptors(settings: Settings) -> int:
    """Return how many descriptors the caps may take."""
    return settings.limits.connections + settings.limits.unauthenticated + _OWN_DESCRIPTORS


def _raise_descriptor_limit(settings: Settings) -> None:
    """Allow ourselves a descriptor for every connection that the caps allow; say so where we may not have them."""
    wanted = descriptors(settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        logger.warning(
            "xmand may need %d open files; the limit is %d. Lower [limits], or raise LimitNOFILE.", wanted, hard
        )
        wanted = hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _warn(settings: Settings) -> None:
    """Say what is granted without effect: what had none in the release before must not come to life by itself."""
    for text in settings.authorize.without_effect():
        logger.warning("%s; xmand --check takes that for an error", text)
