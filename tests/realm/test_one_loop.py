"""More than eight hosts, asked by one loop: what is said of each is what is said of it alone."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Answer, Daemon, answer
from tests.lab.kerberos.realm import Realm, without_wrapper
from tests.lab.process import free_ports, slowness, start
from tests.realm.conftest import need_own_names

ALIVE, REFUSING, SILENT = "127.0.5.1", "127.0.5.2", "127.0.5.3"
GOOD = [f"l{number:02}.xman.test" for number in range(1, 11)]
REFUSED, HANGS, UNKEYED, NOWHERE = "refused.xman.test", "hangs.xman.test", "unkeyed.xman.test", "nowhere.invalid"
BAD = [REFUSED, HANGS, UNKEYED, NOWHERE]
# At the first of whose addresses nothing listens.
SECOND = "second.xman.test"


class Fleet:
    """Ten hosts that are one xmand, and one of each kind that is not well."""

    def __init__(self, realm: Realm, directory: Path, env: dict[str, str]) -> None:
        keytab = str(directory / "keytab")
        realm.add_services([f"host/{name}" for name in (*GOOD, REFUSED, HANGS, SECOND)], keytab)
        where = dict.fromkeys((*GOOD, UNKEYED), ALIVE) | {REFUSED: REFUSING, HANGS: SILENT}
        hosts = directory / "hosts"
        lines = [f"{where[name]} {name}\n" for name in where]
        lines += [f"{address} {SECOND}\n" for address in (REFUSING, ALIVE)]
        hosts.write_text(f"127.0.0.1 localhost\n{''.join(lines)}")
        self._prefix = realm.own_hosts_file(hosts)
        self._env = without_wrapper(env)
        self._port = free_ports(1)
        self._silent = socket.create_server((SILENT, self._port))
        self._config = directory / "rxm.toml"
        self.daemon = Daemon(
            realm, directory / "x", admins=("alice@XMAN.TEST",), listen=f"{ALIVE}:{self._port}", keytab=keytab
        )

    def command(self, hosts: list[str], *words: str) -> list[str]:
        """Return the words that ask hosts, with as much patience for each as the others need at this hour."""
        patience = slowness()
        self._config.write_text(f"connect_seconds = {patience}\n")
        asking = ["rxm", "-c", str(self._config), "-p", str(self._port), "-t", str(round(20 * patience))]
        return [*self._prefix, *asking, "-H", ",".join(hosts), *words]

    def rxm(self, hosts: list[str], *words: str) -> Answer:
        """Ask hosts."""
        return answer(self.command(hosts, *words), self._env)

    def begin(self, hosts: list[str], *words: str) -> "subprocess.Popen[bytes]":
        """Begin to ask hosts."""
        command = self.command(hosts, *words)
        return start(command, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def close(self) -> None:
        """End it."""
        self._silent.close()
        assert self.daemon.stop() == 0


@pytest.fixture(scope="module")
def fleet(realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts."""
    need_own_names(realm)
    made = Fleet(realm, tmp_path_factory.mktemp("loop"), alice)
    yield made
    made.close()


def test_all_answer(fleet: Fleet) -> None:
    said = fleet.rxm(GOOD, "list")

    assert (said.status, said.stderr) == (0, "")
    assert sorted(line.split()[-1] for line in said.stdout.splitlines()[1:]) == GOOD


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_with_one_is_said_as_it_is_of_two(fleet: Fleet, bad: str) -> None:
    many, few = fleet.rxm([*GOOD, bad], "list"), fleet.rxm([GOOD[0], bad], "list")

    assert many.status == few.status
    assert many.stderr.splitlines()[:-1] == few.stderr.splitlines()[:-1]


def test_a_host_is_reached_at_its_second_address(fleet: Fleet) -> None:
    said = fleet.rxm([*GOOD, SECOND], "list")

    assert (said.status, said.stderr) == (0, "")


def test_json_has_an_object_for_each(fleet: Fleet) -> None:
    said = fleet.rxm([*GOOD, *BAD], "--json", "ping")

    assert len(said.stdout.splitlines()) == len(GOOD) + len(BAD)
    assert said.stdout.count('"ok":true') == len(GOOD)


def test_hosts_with_text_of_their_own(fleet: Fleet) -> None:
    said = fleet.rxm(GOOD, "version")

    assert said.status == 0
    assert {line.split(":")[0] for line in said.stdout.splitlines()} == set(GOOD)


def test_a_usage_error_is_told_by_each(fleet: Fleet) -> None:
    said = fleet.rxm(GOOD, "describe", "never")

    assert said.status == 7


def test_a_host_that_hangs_does_not_hold_the_others_up(fleet: Fleet) -> None:
    said = fleet.rxm([HANGS, *GOOD], "-j", "list")

    hosts = [json.loads(line)["host"] for line in said.stdout.splitlines()]
    assert (sorted(hosts[:-1]), hosts[-1]) == (GOOD, HANGS)


def test_ctrl_c_ends_it(fleet: Fleet) -> None:
    running = fleet.begin([*GOOD, HANGS], "-j", "list")
    assert running.stdout is not None
    assert running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _out, err = running.communicate(timeout=20)

    assert (running.returncode, err) == (130, b"Interrupted.\n")


def test_so_many_at_a_time(fleet: Fleet) -> None:
    assert fleet.rxm(GOOD, "--fanout", "1", "list").status == 0
