"""A thousand hosts in one command, some of them dead and some of them hanging."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxm.targets import expand
from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import free_ports, wait_for
from tests.realm.conftest import need_own_names

COUNT = 1000
# xmand has one address, at which all but these are; nothing listens at the second, and nobody accepts at the third.
ALIVE, DEAD, HANGING = "127.0.3.1", "127.0.3.2", "127.0.3.3"
BAD = 10
LIMITS = "[limits]\nconnections = 1024\nconnections_per_principal = 1024\nunauthenticated_per_source = 1024\n"


def names() -> list[str]:
    """Return the hosts' names; the last ones are the dead and the hanging."""
    return [f"n{number:04}.xman.test" for number in range(1, COUNT + 1)]


def address(number: int) -> str:
    """Return where the host at a place of the list is."""
    left = COUNT - number
    return HANGING if left <= BAD else DEAD if left <= 2 * BAD else ALIVE


# Runs a program and says how much memory it had at most, in KiB, and how many seconds of processor it used.
MEASURE = """
import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
open(sys.argv[1], "w").write(f"{used.ru_maxrss} {used.ru_utime + used.ru_stime}")
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Fleet:
    """All of them."""

    def __init__(self, realm: Realm, directory: Path, env: dict[str, str]) -> None:
        keytab = str(directory / "keytab")
        # As hosts have it, with few keys: the library looks through all of them at each handshake.
        realm.add_services_of_one_key([f"host/{name}" for name in names()], keytab)
        hosts = directory / "hosts"
        lines = [f"{address(number)} {name}\n" for number, name in enumerate(names())]
        hosts.write_text("127.0.0.1 localhost\n" + "".join(lines))
        self._prefix = realm.own_hosts_file(hosts)
        self._env = without_wrapper(env)
        self._port = free_ports(1)
        self._silent = socket.create_server((HANGING, self._port), backlog=64)
        self.daemon = Daemon(
            realm,
            directory / "x",
            admins=("alice@XMAN.TEST",),
            listen=f"{ALIVE}:{self._port}",
            tables=LIMITS,
            keytab=keytab,
        )
        self._used = directory / "used"
        self._config = directory / "rxm.toml"
        self._config.write_text(
            f'connect_seconds = 10.0\nport = {self._port}\n[groups]\nall = "n[0001-{COUNT}].xman.test"\n'
        )

    def rxm(self, hosts: str, *words: str) -> Answer:
        """Run rxm with its names and its configuration."""
        measured = [*self._prefix, sys.executable, "-c", MEASURE, str(self._used)]
        return answer([*measured, "rxm", "-c", str(self._config), "-t", "240", "-H", hosts, *words], self._env)

    def peak_kib(self) -> int:
        """Return how much memory the last rxm had at most."""
        return int(self._used.read_text().split()[0])

    def processor_seconds(self) -> float:
        """Return how much processor time the last rxm used."""
        return float(self._used.read_text().split()[1])

    def close(self) -> None:
        """End it."""
        self._silent.close()
        assert self.daemon.stop() == 0


@pytest.fixture(scope="module")
def fleet(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts."""
    need_own_names(realm)
    made = Fleet(realm, tmp_path_factory.mktemp("fleet"), alice)
    yield made
    made.close()


@pytest.fixture(scope="module")
def everything(fleet: Fleet) -> Answer:
    """What one list of all of them gives."""
    return fleet.rxm("@all", "list")


def test_the_answer_is_complete_for_those_that_answer_and_in_order(everything: Answer) -> None:
    rows = [line.split() for line in everything.stdout.splitlines()[1:]]

    assert [(row[0], row[-1]) for row in rows] == [("test", name) for name in names()[: -2 * BAD]]


def test_each_dead_or_hanging_host_costs_its_own_line(everything: Answer) -> None:
    lines = everything.stderr.splitlines()

    assert everything.status == 6
    assert lines[-1] == f"Of {COUNT}: {COUNT - 2 * BAD} ok, {2 * BAD} unreachable."
    dead, hanging = ([line for line in lines if words in line] for words in ("is xmand running?", "no answer in time"))
    # The same failure of several hosts is told once, with the hosts folded.
    assert [len(expand(line.split(": ")[1])) for line in (*dead, *hanging)] == [BAD, BAD]
    assert sorted(host for line in lines[:-1] for host in expand(line.split(": ")[1])) == names()[-2 * BAD :]


@pytest.mark.usefixtures("everything")
def test_its_memory_is_bounded(fleet: Fleet) -> None:
    # Less than 0.1 MiB for each host.
    assert fleet.peak_kib() < 128 * 1024


def test_the_users_own_cache_does_not_grow(fleet: Fleet, alice: dict[str, str]) -> None:
    cache = Path(alice["KRB5CCNAME"].removeprefix("FILE:"))
    before = cache.read_bytes()

    assert fleet.rxm("n[0001-0100].xman.test", "ping").status == 0

    assert cache.read_bytes() == before


def test_a_host_more_is_a_connection_and_a_ticket_more(fleet: Fleet, realm: Realm) -> None:
    audit = fleet.daemon.syslog.audit
    # Lines come in order, and may come late: those of the tests before are here with this one.
    versions = len(audit(ev="end", verb="version"))
    assert fleet.rxm(names()[0], "version").status == 0
    wait_for(lambda: len(audit(ev="end", verb="version")) > versions, 20, "the last line of what was before")
    known, before = len(audit(ev="auth")), len(realm.issued())

    assert fleet.rxm("n[0001-0200].xman.test", "ping").status == 0

    assert sorted(realm.issued()[before:]) == [f"host/{name}" for name in names()[:200]]
    wait_for(lambda: len(audit(ev="auth")) >= known + 200, 20, "a line for each connection")
    assert len(audit(ev="auth")) == known + 200


def test_four_times_the_hosts_cost_no_more_than_about_four_times(fleet: Fleet) -> None:
    assert fleet.rxm("n[0001-0200].xman.test", "list").status == 0
    few = fleet.processor_seconds()
    assert fleet.rxm("n[0001-0800].xman.test", "list").status == 0

    # What grows with the square of the hosts, as one ticket cache for all of them does, would be sixteen times as much.
    assert fleet.processor_seconds() < 8 * few
