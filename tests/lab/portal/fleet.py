"""Portals' workers, and simulated hosts that report to them: what they cost, and what the tables have of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from rxmweb import db
from rxmweb.db.schema import domains, hosts
from tests.lab.kerberos.realm import PORTAL, Realm, without_wrapper
from tests.lab.portal.portal import Portal
from tests.lab.process import end, free_ports, wait_for

_TICK = os.sysconf("SC_CLK_TCK")


def names(count: int) -> list[str]:
    """Return names that need no name server: addresses of this machine where nobody listens."""
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


class ReportingFleet:
    """`count` hosts with `each` domains; the portal asks for a report each `interval` seconds.

    `collectors` portals share one `database`; without an address it is SQLite's, of the only one.
    """

    def __init__(
        self,
        realm: Realm,
        directory: Path,
        count: int,
        each: int,
        interval: float,
        *,
        database: str = "",
        collectors: int = 1,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.count, self.names, keytab = count, names(count), str(directory / "hosts.keytab")
        realm.add_services([f"host/{name}" for name in self.names], keytab)
        ports = [free_ports(1) for _collector in range(collectors)]
        self.portals = [
            Portal(
                realm,
                directory / f"portal-{port}",
                hosts=tuple(self.names),
                port=free_ports(1),
                database=database,
                interval=interval,
                pages=False,
                tables=f'[collector]\nlisten = ["127.0.0.1:{port}"]\n',
            )
            for port in ports
        ]
        self.engine = db.open_store(self.portals[0].database)
        # Each handshake would ask a name server for the portal's other names, and wait for it.
        config = directory / "krb5.conf"
        canonical = "dns_canonicalize_hostname = "
        config.write_text(Path(realm.env["KRB5_CONFIG"]).read_text().replace(f"{canonical}true", f"{canonical}false"))
        told = [keytab, PORTAL, ",".join(map(str, ports)), str(each)]
        words = ["-m", "tests.lab.hosts.reporting", *told, *self.names]
        self._program = subprocess.Popen(
            [sys.executable, *words],
            env=without_wrapper(realm.env) | {"KRB5_CONFIG": str(config)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self) -> None:
        """End all of it."""
        for stream in (self._program.stdin, self._program.stdout):
            assert stream is not None
            stream.close()
        end(self._program)
        for portal in self.portals:
            portal.stop()
        self.engine.dispose()

    def ask(self, *words: object) -> dict[str, Any]:
        """Give the hosts a word, return how they are (`tests.lab.hosts.reporting`)."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{' '.join(map(str, words))}\n".encode())
        self._program.stdin.flush()
        found: dict[str, Any] = json.loads(self._program.stdout.readline())
        return found

    def wait_told(self, count: int, seconds: float) -> dict[str, Any]:
        """Wait until so many have told everything over the connections that they have; return how they are."""
        wait_for(lambda: self.ask("status")["told"] >= count, seconds, f"{count} hosts' whole reports")
        return self.ask("status")

    def rows(self, since: float) -> int:
        """Return how many hosts the tables have heard well of since then."""
        with self.engine.connect() as connection:
            wanted = select(func.count()).select_from(hosts).where(hosts.c.received >= since, hosts.c.code == 0)
            return int(connection.execute(wanted).scalar_one())

    def codes(self) -> dict[int, int]:
        """Return how many hosts the tables have with each outcome."""
        with self.engine.connect() as connection:
            return {
                row[0]: row[1] for row in connection.execute(select(hosts.c.code, func.count()).group_by(hosts.c.code))
            }

    def states(self, host: str) -> list[str]:
        """Return the states of a host's domains."""
        with self.engine.connect() as connection:
            wanted = select(domains.c.state).where(domains.c.host == host).order_by(domains.c.uuid)
            return list(connection.execute(wanted).scalars())

    def memory(self) -> int:
        """Return the resident memory in KiB of the worker that has most."""
        lines = [line for status in self._of_workers("status") for line in status.splitlines()]
        return max(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def processor(self) -> float:
        """Return the seconds of processor that the workers have used, without those of the programs that they start."""
        fields = [status.rpartition(")")[2].split() for status in self._of_workers("stat")]
        return sum(int(each[11]) + int(each[12]) for each in fields) / _TICK

    def _of_workers(self, file: str) -> list[str]:
        """Return what Linux says of the workers that are there."""
        alive = [portal.worker for portal in self.portals if portal.worker.poll() is None]
        return [Path(f"/proc/{worker.pid}/{file}").read_text() for worker in alive]

    def kill_collector(self) -> None:
        """Kill the first one's worker."""
        self.portals[0].worker.kill()
        self.portals[0].worker.wait()

    def said(self) -> str:
        """Return what the portals wrote for whoever runs them."""
        return "".join(portal.said() for portal in self.portals)
