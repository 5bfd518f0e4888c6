"""What an administrator can see beyond the plain list, against libvirt's test driver."""

import pytest

from tests.lab.daemon import Daemon, assert_one_line
from tests.lab.descriptions import for_test_driver


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], request: pytest.FixtureRequest) -> str:
    """A running domain of the test's own."""
    name: str = request.node.name.replace("[", "-").replace("]", "").replace("_", "-")[5:60]
    made = daemon.rxm(alice, "create", "-", stdin=for_test_driver(name))
    assert made.status == 0, made
    return name


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
        2, "Error: You may specify either a state or a particular VM, but not both\n",
    )  # fmt: skip


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
