"""What an administrator can see beyond the plain list, against libvirt's test driver."""

import os
import pty
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.kerberos.realm import Realm
from tests.lab.process import wait_for
from tests.lab.published import RESULTS


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A running domain of the test's own."""
    made = daemon.rxm(alice, "create", "-", stdin=for_test_driver(own_name))
    assert made.status == 0, made
    return own_name


# --- list --state ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "state"),
    [([], "running"), (["pause"], "paused"), (["destroy"], "halted"), (["suspend"], "suspended")],
    ids=["running", "paused", "halted", "suspended"],
)
def test_list_of_a_state(daemon: Daemon, alice: dict[str, str], vm: str, before: list[str], state: str) -> None:
    for verb in before:
        assert daemon.rxm(alice, verb, vm).status == 0

    for asked in ("halted", "paused", "running", "suspended", "shutdown", "unknown", "all"):
        names = [line.split()[0] for line in daemon.rxm(alice, "list", "--state", asked).stdout.splitlines()[1:]]
        assert (vm in names) == (asked in (state, "all")), asked


def test_list_of_a_state_and_of_a_domain(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "list", "--state", "running", vm)

    assert (answer.status, answer.stderr) == (
        2,
        "Error: You may specify either a state or a particular VM, but not both\n",
    )


def test_list_of_a_state_that_is_none(daemon: Daemon, alice: dict[str, str]) -> None:
    for run in (daemon.rxm, daemon.remctl):
        assert_one_line(
            run(alice, "list", "--state", "r-----"), 2, "halted, paused, running, suspended, shutdown, unknown, all."
        )


# --- describe --inactive ---------------------------------------------------------------------------------------------


def test_the_description_that_is_kept(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    now = daemon.rxm(alice, "describe", vm).stdout
    kept = daemon.rxm(alice, "describe", "--inactive", vm).stdout

    assert now.startswith("<domain type='test' id=")
    assert kept.startswith("<domain type='test'>")
    assert f"<name>{vm}</name>" in kept


def test_nothing_is_kept_of_a_transient_domain(daemon: Daemon, alice: dict[str, str]) -> None:
    daemon.rxm(alice, "create", "--transient", "-", stdin=for_test_driver("unkept"))

    assert_one_line(daemon.rxm(alice, "describe", "--inactive", "unkept"), 3, "is transient")
    daemon.rxm(alice, "destroy", "unkept")


# --- wait ------------------------------------------------------------------------------------------------------------


def test_what_holds_already_is_not_waited_for(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-j", "wait", vm, "--for", "running")

    found = answer.json()
    RESULTS.validate(found)
    assert (answer.status, found["changed"], found["domain"]) == (0, False, vm)
    assert found["result"]["state"] == "running"


def test_wait_prints_one_line(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "wait", "--for", "running", vm)

    assert (answer.status, answer.stderr) == (0, "")
    assert answer.stdout.startswith(f"{vm} is running after ")


@pytest.mark.parametrize(
    ("wanted", "verb", "state"),
    [("paused", "pause", "paused"), ("off", "destroy", "shutoff"), ("shutoff", "suspend", "shutoff")],
)
def test_wait_for_what_another_client_does(
    daemon: Daemon, alice: dict[str, str], vm: str, wanted: str, verb: str, state: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.rxm, alice, "-j", "wait", vm, "--for", wanted)
        daemon.syslog.wait(ev="begin", verb="wait", dom=vm)
        assert daemon.rxm(alice, verb, vm).status == 0

    assert waiting.result().json()["result"]["state"] == state


@pytest.mark.parametrize(("wanted", "status"), [("off", 0), ("gone", 0), ("paused", 7)])
def test_wait_for_a_domain_that_is_forgotten_meanwhile(
    daemon: Daemon, alice: dict[str, str], wanted: str, status: int
) -> None:
    name = f"forgotten-{wanted}"
    assert daemon.rxm(alice, "create", "--transient", "-", stdin=for_test_driver(name)).status == 0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(daemon.rxm, alice, "-j", "wait", name, "--for", wanted)
        daemon.syslog.wait(ev="begin", verb="wait", dom=name)
        time.sleep(1)  # it has been looked up by then
        assert daemon.rxm(alice, "destroy", name).status == 0

    answer = waiting.result()
    assert answer.status == status
    if status == 0:
        assert answer.json()["result"]["state"] == "gone"


def test_wait_for_what_does_not_come(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-t", "2", "wait", vm, "--for", "paused")

    assert_one_line(answer, 11, f"Domain '{vm}' is still running after", "not paused.")


def test_wait_for_a_domain_that_is_not_there(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "wait", "nowhere", "--for", "gone").status == 0
    assert daemon.rxm(alice, "wait", "nowhere", "--for", "off").status == 7


@pytest.mark.parametrize("words", [[], ["--for", "bliss"]])
def test_wait_for_no_state(daemon: Daemon, alice: dict[str, str], vm: str, words: list[str]) -> None:
    assert_one_line(daemon.rxm(alice, "wait", vm, *words), 2, "wait requires --for with one of running, ")


def test_those_who_wait_keep_nobody_from_looking(
    realm: Realm, alice: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("waiters")
    daemon = Daemon(realm, directory, admins=("alice@XMAN.TEST",), tables="[limits]\nworkers = 1\n")
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(daemon.rxm, alice, "wait", "test", "--for", "paused") for _ in range(3)]
        wait_for(lambda: len(daemon.syslog.audit(ev="begin", verb="wait")) == 3, 20, "the three who wait")
        assert daemon.rxm(alice, "list").status == 0
        assert daemon.rxm(alice, "pause", "test").status == 0

    assert [answer.result().status for answer in waiting] == [0, 0, 0]
    assert daemon.stop() == 0


def test_states_have_colours_on_a_terminal_only(daemon: Daemon, alice: dict[str, str]) -> None:
    words = ["rxm", "-H", daemon.host, "-p", str(daemon.port), "list"]

    def on_a_terminal(env: dict[str, str]) -> str:
        leader, follower = pty.openpty()
        subprocess.run(words, env=alice | env, stdout=follower, check=True)
        os.close(follower)
        shown = os.read(leader, 65_536).decode()
        os.close(leader)
        return shown

    assert "\x1b[32mr-----\x1b[0m" in on_a_terminal({"TERM": "xterm"})
    assert "\x1b" not in on_a_terminal({"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b" not in daemon.rxm(alice | {"TERM": "xterm"}, "list").stdout
