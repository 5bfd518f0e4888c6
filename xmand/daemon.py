"""The daemon: puts the parts together, accepts connections, ends in order."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from pathlib import Path

import xman
from xman.errors import ConfigurationError, UnreachableError, XmanError
from xman.gss import GssError
from xman.gss.python_gssapi import Acceptor
from xman.session import ServerSession
from xmand import listen
from xmand.audit import Audit
from xmand.batch.engine import Engine
from xmand.call import Host
from xmand.commands import Commands
from xmand.connection import Connection
from xmand.journal import Journal
from xmand.locks import DomainLocks
from xmand.mounts import volatile
from xmand.notify import notify
from xmand.ring import Ring
from xmand.settings import Settings
from xmand.syslog import LOG_AUTHPRIV, LOG_INFO, Syslog
from xmand.virt.driver import CHANGE, READ, Driver
from xmand.workers import Workers

logger = logging.getLogger(__name__)

# Lines that syslog could not take are offered again this often.
_FLUSH_SECONDS = 1.0
# What runs when we are told to end may finish; below the unit's TimeoutStopSec.
DRAIN_SECONDS = 600.0
# How soon a journal, or a libvirt, that was not there at the start is tried again.
_RECOVER_SECONDS = 5.0
_PROMISE_LOST = (
    "is in memory ({kind}): after a restart of the host, changes that were under way are not settled, and a retry of"
    " one acts again"
)
# Out of descriptors: waiting beats spinning.
_ACCEPT_PAUSE_SECONDS = 0.1


def acceptor(settings: Settings) -> Acceptor:
    """Return the acceptor for the configured keytab. Raises ConfigurationError."""
    try:
        return Acceptor(settings.service, settings.keytab)
    except GssError as error:
        raise ConfigurationError(
            f"{settings.keytab}: {error}. Put the key of {settings.service}/FQDN there (kadmin: ktadd)."
        ) from error


class Daemon:
    """xmand, from its start to its end."""

    def __init__(self, settings: Settings, syslog: Syslog) -> None:
        self._settings = settings
        self._syslog = syslog
        self._ring = Ring()
        self._audit = Audit(self._write_audit)
        _use_replay_cache(settings.run_dir)
        self._acceptor = acceptor(settings)
        self._driver = Driver(settings.libvirt_uri, self._ring.add)
        self._journal = Journal(settings.state_dir, settings.journal.keep_days, settings.journal.size_mib)
        locks = DomainLocks()
        host = Host(settings, self._driver, locks, self._ring, Engine(settings, self._driver, locks))
        self._commands = Commands(host, self._audit, self._journal)
        self._slots = asyncio.Semaphore(settings.limits.connections)
        self._connections: dict[asyncio.Task[None], Connection] = {}

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises ConfigurationError where it cannot listen."""
        sockets = listen.inherited() or listen.listen(self._settings.listen)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, logger.warning, "SIGHUP: the configuration is read at the start only")
        background = [loop.create_task(self._warm_up()), loop.create_task(self._recover())]
        tasks = [loop.create_task(self._accept(sock)) for sock in sockets] + [loop.create_task(self._keep_flushing())]
        names = " ".join(listen.name(sock.getsockname()) for sock in sockets)
        logger.info("xmand %s listens on %s", xman.__version__, names)
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")
        logger.info("ending")
        for task in [*tasks, *background]:
            task.cancel()
        for sock in sockets:
            sock.close()
        self._commands.end_streams(UnreachableError("xmand is ending; follow again when it is back."))
        await self._drain()
        self._syslog.flush()

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
            logger.warning("state_dir: %s", _PROMISE_LOST.format(kind=kind))
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

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # No accept beyond the cap: what waits in the kernel costs us nothing.
            await self._slots.acquire()
            try:
                client, address = await loop.sock_accept(sock)
            except OSError as error:
                self._slots.release()
                logger.warning("accept: %s", error.strerror)
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            self._serve(client, listen.name(address))

    def _serve(self, client: socket.socket, address: str) -> None:
        # Replies are whole messages: nothing is gained by waiting for more, and 40 ms are lost (Nagle, delayed ACK).
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = ServerSession(self._acceptor.context())
        connection = Connection(client, address, session, self._commands, self._audit, self._settings.limits)
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._connections[task] = connection
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        self._slots.release()

    async def _drain(self) -> None:
        """Let commands that run finish, close the other connections."""
        for task, connection in list(self._connections.items()):
            if not connection.busy:
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                if self._connections:
                    await asyncio.wait(list(self._connections))
                # A change whose caller has gone.
                await self._commands.drain()
        self._journal.close()

    async def _keep_flushing(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._syslog.flush()

    def _write_audit(self, line: str) -> None:
        self._syslog.send(LOG_INFO, line, LOG_AUTHPRIV)
        self._ring.add(line)


def _use_replay_cache(run_dir: str) -> None:
    """Keep Kerberos' replay cache where only we write and a restart does not empty it. Raises ConfigurationError.

    Without one a recorded command could be played again, so an environment that switches it off is an error.
    """
    if os.environ.get("KRB5RCACHENAME", "").startswith("none") or os.environ.get("KRB5RCACHETYPE") == "none":
        raise ConfigurationError("the environment switches the replay cache off (KRB5RCACHENAME); xmand needs it")
    try:
        Path(run_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"run_dir: {run_dir}: {error.strerror}") from error
    os.environ["KRB5RCACHEDIR"] = run_dir
