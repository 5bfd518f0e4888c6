"""`--all`: every running domain of each host, asked back about, one command for each."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.kerberos.realm import DEAD_HOST, FQDN, SECOND_HOST
from tests.realm.conftest import BOTH, Pair

# libvirt's test driver comes with a domain of its own.
EVERYTHING = {(FQDN, name) for name in ("both", "left", "test")}
EVERYTHING |= {(SECOND_HOST, name) for name in ("both", "right", "test")}


@pytest.fixture(autouse=True)
def running(pair: Pair) -> None:
    """Every domain runs."""
    for host, name in EVERYTHING:
        pair.rxm("-q", "start", f"{host}:{name}")
        pair.rxm("-q", "unpause", f"{host}:{name}")


def those_in(pair: Pair, state: str) -> set[tuple[str, str]]:
    """Return (host, name) of the domains in a state."""
    lines = pair.rxm("-j", "list", "--state", state).objects()
    return {(line["host"], domain["name"]) for line in lines for domain in line["result"]["domains"]}


def test_each_domain_has_its_line(pair: Pair) -> None:
    answer = pair.rxm("shutdown", "--all", "--yes")

    assert (answer.status, answer.stderr) == (0, "")
    assert set(answer.stdout.splitlines()) == {f"{host}: Domain {name} terminated" for host, name in EVERYTHING}
    assert those_in(pair, "halted") == EVERYTHING


def test_each_domain_has_its_object(pair: Pair) -> None:
    answer = pair.rxm("-j", "shutdown", "--all", "--wait", "--yes")

    assert {(line["host"], line["domain"]) for line in answer.objects()} == EVERYTHING
    assert all(line["ok"] and line["changed"] and line["result"]["off"] for line in answer.objects())


def test_reboot(pair: Pair) -> None:
    answer = pair.rxm("-j", "reboot", "-a", "-y")

    assert {(line["host"], line["domain"]) for line in answer.objects()} == EVERYTHING


def test_without_a_terminal_it_takes_yes(pair: Pair) -> None:
    assert_one_line(pair.rxm("shutdown", "--all"), 2, "--yes")
    assert those_in(pair, "running") == EVERYTHING


def test_after_a_failure_the_others_go_on(pair: Pair) -> None:
    pair.rxm("pause", f"{FQDN}:both")

    answer = pair.rxm("shutdown", "--all", "--yes")

    assert answer.status == 3
    assert answer.stderr.startswith(f"Error: {FQDN}: Domain 'both' is paused")
    assert those_in(pair, "halted") == EVERYTHING - {(FQDN, "both")}


def test_fail_fast(pair: Pair) -> None:
    pair.rxm("pause", f"{FQDN}:both")

    assert pair.rxm("--fail-fast", "shutdown", "--all", "--wait", "--yes", hosts=FQDN).status == 3

    assert those_in(pair, "halted") == set()


def test_a_host_that_does_not_answer_costs_its_own_line(pair: Pair) -> None:
    answer = pair.rxm("shutdown", "--all", "--yes", hosts=f"{BOTH},{DEAD_HOST}")

    assert answer.status == 6
    assert answer.stderr.startswith(f"Error: {DEAD_HOST}: ")
    assert those_in(pair, "halted") == EVERYTHING


def test_where_nothing_runs(pair: Pair) -> None:
    pair.rxm("-q", "shutdown", "--all", "--yes")

    answer = pair.rxm("shutdown", "--all", "--yes", hosts=FQDN)
    objects = pair.rxm("-j", "shutdown", "--all", "--yes").objects()

    assert (answer.status, answer.stdout) == (0, "No domain runs there.\n")
    assert [(line["host"], line["changed"]) for line in objects] == [(FQDN, False), (SECOND_HOST, False)]


@pytest.mark.parametrize(
    ("typed", "status", "left"), [("y\n", 0, set()), ("n\n", 3, EVERYTHING), ("\n", 3, EVERYTHING)]
)
def test_on_a_terminal_it_asks(pair: Pair, typed: str, status: int, left: set[tuple[str, str]]) -> None:
    terminal = pair.on_a_terminal("shutdown", "--all")

    terminal.wait_for("Shut down 6 domains on 2 hosts? [y/N] ")
    terminal.type(typed)

    assert terminal.end() == status
    assert f"  {FQDN}: both, left, test" in terminal.screen()
    assert those_in(pair, "running") == left


def test_a_host_itself_takes_one_domain_at_a_time(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.remctl(alice, "shutdown", "--all")

    assert answer.status == 2
    assert "one DOMAIN at a time" in answer.stderr
