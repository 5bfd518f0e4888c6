"""--max-age: answers from xmand's model of its domains, by rxm and by the Python interface."""

import subprocess
import sys
import time

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.kerberos.realm import FQDN
from tests.realm.conftest import Pair

OLD = ("--max-age", "60")


def states(daemon: Daemon, env: dict[str, str], *words: str) -> dict[str, str]:
    """Return the states of the domains, which may be old."""
    told = daemon.rxm(env, *OLD, "--json", "list", *words).json()
    assert told["as_of"] <= told["at"]
    return {domain["name"]: domain["state"] for domain in told["result"]["domains"]}


def test_it_says_what_a_list_that_is_read_anew_says(daemon: Daemon, alice: dict[str, str]) -> None:
    anew = daemon.rxm(alice, "--json", "list").json()
    first = daemon.rxm(alice, *OLD, "--json", "list").json()
    kept = daemon.rxm(alice, "--json", "list", *OLD).json()

    assert "as_of" not in anew
    assert kept["as_of"] == first["as_of"]
    names = [domain["name"] for domain in anew["result"]["domains"]]
    assert [domain["name"] for domain in kept["result"]["domains"]] == names


def test_the_text_is_the_same_and_says_its_age_beside_it(daemon: Daemon, alice: dict[str, str]) -> None:
    first = daemon.rxm(alice, *OLD, "list")
    time.sleep(1.1)

    kept = daemon.rxm(alice, *OLD, "list")

    assert kept.stdout == first.stdout
    assert kept.stderr.startswith("As of ")
    assert kept.stderr.endswith(" s ago.\n")


def test_own_changes_are_always_seen(daemon: Daemon, alice: dict[str, str]) -> None:
    for verb, state in (("pause", "paused"), ("unpause", "running")) * 5:
        daemon.rxm(alice, verb, "test")
        assert states(daemon, alice)["test"] == state
        assert states(daemon, alice, "test") == {"test": state}


def test_the_batch_states_as_well(daemon: Daemon, alice: dict[str, str]) -> None:
    def maintained() -> bool:
        return "maintenance" in daemon.rxm(alice, *OLD, "--json", "state").json()["result"]

    assert not maintained()
    daemon.rxm(alice, "maintenance", "on", "a test")
    on = maintained()
    daemon.rxm(alice, "maintenance", "off")

    assert (on, maintained()) == (True, False)


def test_a_wait_is_over_when_it_is(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.rxm(alice, *OLD, "list")
    daemon.rxm(alice, "pause", "test")

    assert daemon.rxm(alice, *OLD, "-t", "10", "wait", "test", "--for", "paused").status == 0
    daemon.rxm(alice, "unpause", "test")
    assert daemon.rxm(alice, *OLD, "-t", "10", "wait", "test", "--for", "running").status == 0


@pytest.mark.parametrize("words", [("--max-age", "5", "pause"), ("pause", "--max-age=5")])
def test_a_change_has_no_age(daemon: Daemon, alice: dict[str, str], words: tuple[str, ...]) -> None:
    answer = daemon.rxm(alice, *words, "test")

    assert (answer.status, answer.stderr) == (
        2,
        "Error: '--max-age' is only for verbs that read; pause changes something.\n",
    )


def test_a_python_program_gets_the_age_with_the_result(daemon: Daemon, alice: dict[str, str]) -> None:
    program = (
        "import rxm\n"
        f"with rxm.connect('{FQDN}', {daemon.port}) as host:\n"
        "    print(host.call('list', '--max-age=60')['as_of'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=alice, capture_output=True, text=True, check=True)

    assert done.stdout.endswith("Z\n")


def test_several_hosts_in_one_table_say_the_oldest_age(pair: Pair) -> None:
    pair.rxm(*OLD, "list")
    time.sleep(1.1)

    answer = pair.rxm(*OLD, "list")

    assert answer.status == 0
    assert "The oldest answer is as of " in answer.stderr
