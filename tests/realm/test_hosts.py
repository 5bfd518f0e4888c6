"""`rxm hosts`: how the hosts are, one that does not answer among them."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.hosts.daemon import Daemon, run_rxm
from tests.lab.kerberos.realm import DEAD_HOST, FQDN, SECOND_NAME, Realm
from tests.lab.process import free_ports, wait_for

TEXTFILE = "xman.prom"


@pytest.fixture(scope="module")
def daemon(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """xmand on one address: there is none on that of the dead host."""
    directory = tmp_path_factory.mktemp("xmand")
    metrics = f'[metrics]\ntextfile = "{directory / TEXTFILE}"\ninterval_seconds = 0.2\n'
    started = Daemon(realm, directory, admins=("alice@XMAN.TEST",), listen="127.0.0.1:0", tables=metrics)
    yield started
    assert started.stop() == 0
    assert "Traceback" not in started.stderr()
    assert not (directory / TEXTFILE).exists()


def table(daemon: Daemon, environment: dict[str, str], *words: str, hosts: tuple[str, ...] = ()) -> list[list[str]]:
    """Return the lines below the headings, in words."""
    answer = run_rxm(environment, "-p", str(daemon.port), *words, "hosts", *hosts)
    assert answer.stdout.startswith("Host "), answer
    return [line.split() for line in answer.stdout.splitlines()[1:]]


def test_a_host_says_how_it_is(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = run_rxm(alice, "-H", FQDN, "-p", str(daemon.port), "-j", "hosts").json()

    found = answer["result"]["host"]
    assert (found["state"], found["running"] <= found["domains"]) == ("up", True)
    assert found["keys"][0]["principal"].startswith("host/")
    assert len(found["list"]["sha256"]) == 64
    assert found["free_memory"] <= found["total_memory"]


def test_its_text_is_one_line_below_the_headings(daemon: Daemon, alice: dict[str, str]) -> None:
    ((_name, state, *_rest),) = table(daemon, alice, "-H", FQDN)

    assert state == "up"


def test_it_says_the_same_in_a_file(daemon: Daemon, alice: dict[str, str]) -> None:
    file = daemon.directory / TEXTFILE
    wait_for(file.exists, 20, "the file")

    told = run_rxm(alice, "-H", FQDN, "-p", str(daemon.port), "-j", "hosts").json()["result"]["host"]

    wait_for(lambda: f"xmand_domains_running {told['running']}" in file.read_text().splitlines(), 20, "what runs")
    assert f'xmand_list_info{{hash="{told["list"]["sha256"]}"}} 1' in file.read_text()


def test_one_that_does_not_answer_has_its_line(daemon: Daemon, alice: dict[str, str]) -> None:
    hosts = (DEAD_HOST, FQDN, SECOND_NAME)

    answer = run_rxm(alice, "-p", str(daemon.port), "hosts", *hosts)

    lines = {line.split()[0]: line.split()[1] for line in answer.stdout.splitlines()[1:]}
    assert lines == {DEAD_HOST: "down", FQDN: "up", SECOND_NAME: "up"}
    assert (answer.status, "1 unreachable" in answer.stderr) == (6, True), answer
    assert "Error: " not in answer.stderr


def test_so_it_has_where_the_table_is_shaped(daemon: Daemon, alice: dict[str, str]) -> None:
    words = ("-p", str(daemon.port), "-o", "csv", "--sort", "-state", "hosts", DEAD_HOST, FQDN)

    rows = list(csv.DictReader(io.StringIO(run_rxm(alice, *words).stdout)))

    assert [(row["host"], row["state"]) for row in rows] == [(FQDN, "up"), (DEAD_HOST, "down")]
    assert (rows[0]["problem"], bool(rows[1]["problem"])) == ("", True)


def test_maintenance_and_why_is_shown(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.rxm(alice, "maintenance", "on", "a new fan")
    try:
        ((_name, state, *words),) = table(daemon, alice, "-H", FQDN)
    finally:
        daemon.rxm(alice, "maintenance", "off")

    assert state == "maintenance"
    assert words[-4:] == ["a", "new", "fan", "(alice@XMAN.TEST)"]


def test_who_may_nothing_of_the_host_is_denied(daemon: Daemon, mallory: dict[str, str]) -> None:
    answer = run_rxm(mallory, "-p", str(daemon.port), "hosts", FQDN, SECOND_NAME)

    assert [line.split()[1] for line in answer.stdout.splitlines()[1:]] == ["denied", "denied"]
    assert answer.status == 5


def test_where_the_portal_is_away_the_hosts_are_asked_and_it_is_said(
    daemon: Daemon, alice: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "rxm.toml"
    address = f"https://localhost:{free_ports(1)}"
    config.write_text(f'portal = "{address}"\nhosts = ["{FQDN}"]\n')

    answer = run_rxm(alice, "-c", str(config), "-p", str(daemon.port), "hosts")

    assert (answer.status, answer.stdout.splitlines()[1].split()[1]) == (0, "up")
    assert answer.stderr == f"The portal {address}: Connection refused; the hosts themselves are asked.\n"
