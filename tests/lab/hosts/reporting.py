"""Simulated hosts that report: one program that speaks the wire for all of them, each as its own `host/…` principal.

`python -m tests.lab.hosts.reporting KEYTAB SERVER PORTS DOMAINS NAME...` reads a word a line on standard input and
answers each with a line of JSON (`Fleet.status`). What a collector meets is real: tickets, handshakes, a connection for
each from its own address (its name), whole reports, changes, signs of life, and the pauses that xmand makes where one
is lost. PORTS are those of the collectors (4374,4375): each host reports to one of them, as xmand does.
"""

import asyncio
import collections
import json
import random
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from xman import lean_json, reporting, result
from xman.gss import GssError
from xman.gss.mit_backend import Initiator
from xman.result import Result
from xman.session import ClientSession, SessionError
from xman.wire.messages import Output, ProtocolError, Status
from xmand.report import reporter

_KEYTAB_VERSION = b"\x05\x02"
_GROUP = 4
# So many of them are about to connect.
_AT_A_TIME = 64


class _Host(asyncio.Protocol):
    """One of them: its connection, if there is one, and what it has told."""

    def __init__(self, fleet: "Fleet", name: str, keytab: str, number: int) -> None:
        self.name, self._fleet, self._number = name, fleet, number
        self._identity = Initiator(keytab, f"host/{name}", f"MEMORY:{number}")
        self.silent = False
        # Whether everything was told and taken over the present connection.
        self.told = False
        self._sequence, self._pause = 0, reporter._LEAST_PAUSE
        self._transport: asyncio.Transport | None = None
        self._session: ClientSession | None = None
        self._authenticated = False
        self._said = b""
        self._timer: asyncio.TimerHandle | None = None
        self._changed = 0

    def fetch(self) -> None:
        """Get the ticket, so that it is kept."""
        self._identity.context(reporting.SERVICE, self._fleet.server).step(None)

    def connect(self) -> None:
        """Connect now."""
        self._due(0.0, lambda: self._fleet.spawn(self._connect()))

    def drop(self) -> None:
        """End as a process does that is killed."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self.told = False

    def change(self) -> None:
        """Tell that a domain has changed."""
        self._changed += 1
        if self.told:
            self._report(whole=False, domains=[self._domain(0)])

    async def _connect(self) -> None:
        loop, ports = asyncio.get_running_loop(), self._fleet.ports
        # Each host has a processor of its own, so that its first word comes at once; here all of them share one.
        async with self._fleet.turns:
            # As xmand does: whoever is connected to is not kept waiting for it.
            self._session = ClientSession(self._identity.context(reporting.SERVICE, self._fleet.server))
            self._session.start()
            for port in random.sample(ports, len(ports)):
                try:
                    async with asyncio.timeout(reporter._SECONDS):
                        await loop.create_connection(lambda: self, "127.0.0.1", port, local_addr=(self.name, 0))
                except (OSError, TimeoutError):
                    continue
                return
        self._lost()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        assert self._session is not None
        self._transport, self._authenticated = transport, False
        transport.write(self._session.take_outgoing())
        self._due(reporter._SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        assert self._session is not None
        self._session.receive(data)
        try:
            if not self._authenticated:
                if not self._session.handshake():
                    return
                self._authenticated = True
                self._fleet.handshakes += 1
                self._report(whole=True, domains=[self._domain(place) for place in range(self._fleet.domains)])
                return
            while (message := self._session.next_message()) is not None:
                if isinstance(message, Output):
                    self._said += message.data
                elif isinstance(message, Status):
                    self._answered(reporting.wish(self._said))
                    return
                else:
                    raise SessionError(f"{message!r}")
        except (GssError, SessionError, ProtocolError, ValueError) as error:
            self._fleet.complaints[str(error)[:80]] += 1
            self._give_up()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._lost()

    def _give_up(self) -> None:
        self.drop()
        self._lost()

    def _lost(self) -> None:
        """Come again as xmand does: after a pause that grows, and is never the same for two hosts."""
        self.told, self._fleet.lost = False, self._fleet.lost + 1
        pause = self._pause * random.uniform(1 - reporter._JITTER, 1 + reporter._JITTER)
        self._pause = min(reporter._MOST_PAUSE, self._pause * 2)
        self._due(pause, lambda: self._fleet.spawn(self._connect()))

    def _answered(self, answer: reporting.Wish) -> None:
        self._fleet.answers += 1
        self._pause = reporter._LEAST_PAUSE
        if answer.everything:
            self._report(whole=True, domains=[self._domain(place) for place in range(self._fleet.domains)])
            return
        self.told = True
        self._due(answer.seconds, lambda: self._report(whole=False, domains=[]))

    def _report(self, *, whole: bool, domains: list[dict[str, Any]]) -> None:
        if self.silent or self._session is None or self._transport is None:
            return
        data = {"host_id": self.name, "domains": domains, "others": [], "whole": whole}
        envelope = result.succeeded(self.name, "state", Result(data), 0) | {"condition": self._condition()}
        self._sequence, self._said = self._sequence + 1, b""
        self._session.command([reporting.COMMAND, b"%d" % self._sequence, lean_json.dumps(envelope).encode()])
        self._transport.write(self._session.take_outgoing())
        self._due(reporter._SECONDS, self._give_up)

    def _condition(self) -> dict[str, Any]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        host = {"name": self.name, "state": "up", "xmand_version": "0.2", "at": now, "load": [0.1, 0.2, 0.3]}
        sizes = {"nr_cpus": 32, "total_memory": 256 << 30, "free_memory": 64 << 30, "domains": 20, "running": 20}
        pools = [{"name": "default", "active": True, "capacity": 1 << 40, "allocation": 0, "available": 1 << 39}]
        listed = {"sha256": "ab" * 32, "entries": 4, "age_seconds": 3600}
        return host | sizes | {"pools": pools, "list": listed}

    def _domain(self, place: int) -> dict[str, Any]:
        times = {"changed": self._changed} if place == 0 else {}
        return {
            "name": f"vm{place}-{self._number}",
            "uuid": f"{self._number:08x}-0000-4000-8000-{place:012x}",
            "state": "running" if place == 0 and self._changed % 2 else "free",
            "jobs": [],
            "priority": "normal",
            "memory": 4 << 30,
            "max_memory": 4 << 30,
            "vcpus": 4,
            "max_vcpus": 4,
        } | times

    def _due(self, seconds: float, do: "Any") -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._fleet.loop.call_later(seconds, do)


class Fleet:
    """All of them."""

    def __init__(
        self, keytab: str, server: str, ports: list[int], domains: int, names: list[str], directory: str
    ) -> None:
        self.server, self.ports, self.domains = server, ports, domains
        self.handshakes = self.answers = self.lost = 0
        self.complaints: collections.Counter[str] = collections.Counter()
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.turns = asyncio.Semaphore(_AT_A_TIME)
        self._tasks: set[asyncio.Task[None]] = set()
        # Kerberos reads a keytab from its beginning for each key.
        parts = _split(Path(keytab).read_bytes(), len(names))
        self.hosts = []
        for number, (name, part) in enumerate(zip(names, parts, strict=True)):
            own = Path(directory, str(number))
            own.write_bytes(part)
            self.hosts.append(_Host(self, name, str(own), number))

    def spawn(self, coroutine: Any) -> None:
        """Run it, and keep it meanwhile."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def status(self) -> dict[str, Any]:
        """Return how many hosts have told everything over the connection that they have, and what it took."""
        return {
            "told": sum(host.told for host in self.hosts),
            "handshakes": self.handshakes,
            "answers": self.answers,
            "lost": self.lost,
            "complaints": dict(self.complaints.most_common(5)),
        }

    async def do(self, word: str, arguments: list[int]) -> None:
        """Do what a line says. The numbers are those of the hosts, from and to."""
        chosen = self.hosts[slice(*arguments)] if arguments else self.hosts
        if word == "tickets":
            with ThreadPoolExecutor(_GROUP) as threads:
                await asyncio.gather(*(self.loop.run_in_executor(threads, host.fetch) for host in chosen))
        for host in chosen:
            if word == "connect":
                host.connect()
            elif word == "restart":
                host.drop()
                host.connect()
            elif word == "change":
                host.change()
            elif word in ("silence", "speak"):
                host.silent = word == "silence"
                if not host.silent:
                    host.drop()
                    host.connect()


def _split(keytab: bytes, count: int) -> list[bytes]:
    """Return a keytab for each of `count` principals, whose keys stand one behind the other."""
    entries, place = [], len(_KEYTAB_VERSION)
    while place < len(keytab):
        size = 4 + int.from_bytes(keytab[place : place + 4], "big")
        entries.append(keytab[place : place + size])
        place += size
    each, rest = divmod(len(entries), count)
    assert not rest, (len(entries), count)
    return [_KEYTAB_VERSION + b"".join(entries[first : first + each]) for first in range(0, len(entries), each)]


async def _serve(words: list[str]) -> None:
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="xman-fleet") as directory:
        ports = [int(port) for port in words[2].split(",")]
        fleet = Fleet(words[0], words[1], ports, int(words[3]), words[4:], directory)
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).split():
            await fleet.do(line[0], [int(word) for word in line[1:]])
            print(json.dumps(fleet.status()), flush=True)


if __name__ == "__main__":
    _soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    asyncio.run(_serve(sys.argv[1:]))
