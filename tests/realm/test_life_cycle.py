"""The managed life cycle against libvirt's test driver: define, start, suspend, resume, delete, autostart."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A defined domain that is off."""
    made = daemon.rxm(alice, "new", "-", stdin=for_test_driver(own_name))
    assert (made.status, made.stdout, made.stderr) == (0, "", "")
    return own_name


def state_of(daemon: Daemon, env: dict[str, str], name: str) -> str:
    """Return the state that `list` shows for a domain."""
    state: str = daemon.rxm(env, "-j", "list", name).json()["result"]["domains"][0]["state"]
    return state


def test_new_defines_and_does_not_start(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert state_of(daemon, alice, vm) == "shutoff"


def test_start(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "-j", "start", vm)

    assert (answer.status, answer.json()["changed"]) == (0, True)
    assert state_of(daemon, alice, vm) == "running"


def test_start_of_a_running_domain_changes_nothing(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)

    answer = daemon.rxm(alice, "-j", "start", vm)

    assert (answer.status, answer.json()["changed"]) == (0, False)


def test_suspend_and_resume(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)

    assert daemon.rxm(alice, "suspend", vm).status == 0
    assert state_of(daemon, alice, vm) == "shutoff"
    resumed = daemon.rxm(alice, "-j", "resume", vm)

    assert resumed.json()["result"]["restored"] is True
    assert state_of(daemon, alice, vm) == "running"


def test_suspend_twice_changes_nothing(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)
    daemon.rxm(alice, "suspend", vm)

    assert daemon.rxm(alice, "-j", "suspend", vm).json()["changed"] is False


def test_start_of_a_suspended_domain_says_that_it_goes_on(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)
    daemon.rxm(alice, "suspend", vm)

    answer = daemon.rxm(alice, "start", vm)

    assert (answer.status, answer.stderr) == (0, f"Domain '{vm}' goes on where it was suspended.\n")


def test_resume_of_what_is_not_suspended(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(alice, "resume", vm), 3, "Cannot resume domain that is not suspended.")


def test_resume_of_a_paused_domain_points_to_unpause(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)
    daemon.rxm(alice, "pause", vm)

    assert_one_line(daemon.rxm(alice, "resume", vm), 3, "use unpause")


def test_suspend_of_what_is_off(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(alice, "suspend", vm), 3, "is not started")


@pytest.mark.parametrize("before", [[], ["start", "suspend"]], ids=["off", "suspended"])
def test_delete(daemon: Daemon, alice: dict[str, str], vm: str, before: list[str]) -> None:
    for verb in before:
        assert daemon.rxm(alice, verb, vm).status == 0

    assert daemon.rxm(alice, "delete", vm).status == 0
    assert daemon.rxm(alice, "list", vm).status == 7


def test_delete_refuses_a_running_domain(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "start", vm)

    assert_one_line(daemon.rxm(alice, "delete", vm), 3, "is not halted")
    assert state_of(daemon, alice, vm) == "running"


def test_delete_has_no_prefix(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(alice, "delet", vm), 2)
    assert state_of(daemon, alice, vm) == "shutoff"


def test_autostart(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "-j", "autostart", vm, "on").json()["changed"] is True
    assert daemon.rxm(alice, "-j", "list", "-l", vm).json()["result"]["domains"][0]["autostart"] is True
    assert daemon.rxm(alice, "-j", "autostart", vm, "on").json()["changed"] is False
    assert daemon.rxm(alice, "-j", "autostart", vm, "off").json()["changed"] is True


def test_autostart_is_on_or_off(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(alice, "autostart", vm, "maybe"), 2, "neither on nor off")


def test_a_transient_domain_is_forgotten_when_it_stops(daemon: Daemon, alice: dict[str, str]) -> None:
    assert daemon.rxm(alice, "create", "--transient", "-", stdin=for_test_driver("passing")).status == 0
    assert_one_line(daemon.rxm(alice, "suspend", "passing"), 3, "is transient")

    assert daemon.rxm(alice, "destroy", "passing").status == 0
    assert daemon.rxm(alice, "list", "passing").status == 7


def test_a_dry_run_shows_the_description_and_defines_nothing(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "create", "--dry-run", "-", stdin=for_test_driver("dry") + "<!-- a word -->")

    assert (answer.status, answer.stdout) == (0, for_test_driver("dry").replace("'", '"') + "\n")
    assert daemon.rxm(alice, "list", "dry").status == 7


def test_what_the_driver_cannot_do_is_unsupported_and_leaves_nothing(daemon: Daemon, alice: dict[str, str]) -> None:
    answer = daemon.rxm(alice, "create", "--paused", "-", stdin=for_test_driver("stopped"))

    assert_one_line(answer, 12, "cannot do that")
    assert daemon.rxm(alice, "list", "stopped").status == 7


@pytest.mark.parametrize("before", [["start"], []], ids=["running", "off"])
def test_memory_below_what_a_guest_survives_takes_force(
    daemon: Daemon, alice: dict[str, str], vm: str, before: list[str]
) -> None:
    for verb in before:
        daemon.rxm(alice, verb, vm)

    assert_one_line(daemon.rxm(alice, "mem-set", vm, "159"), 3, "less than 160 MiB", "--force")
    assert daemon.rxm(alice, "mem-set", "--force", vm, "100").status == 0
    # To give it more is no danger, however little it is.
    assert daemon.rxm(alice, "mem-set", vm, "110").status == 0
