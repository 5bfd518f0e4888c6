"""Whose machine a domain is among terminals, against libvirt's test driver."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A domain that runs."""
    made = daemon.rxm(alice, "create", "-", stdin=for_test_driver(own_name))
    assert made.status == 0, made
    return own_name


def whose(daemon: Daemon, env: dict[str, str], name: str) -> tuple[str, str]:
    """Return the terminals whose machine a domain is, and that has its run, as `state` says; `list` says the same."""
    (guest,) = daemon.rxm(env, "-j", "state", name).json()["result"]["domains"]
    (domain,) = daemon.rxm(env, "-j", "list", "-l", name).json()["result"]["domains"]
    told = (guest.get("terminal", ""), guest.get("given", ""))
    assert told == (domain.get("terminal", ""), domain.get("given", ""))
    return told


def test_a_terminal_has_its_machine_run_after_run(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "-j", "assign", vm, "term17.lab").json()["changed"] is True
    assert daemon.rxm(alice, "-j", "assign", vm, "term17.lab").json()["changed"] is False
    daemon.rxm(alice, "destroy", vm)
    assert daemon.rxm(alice, "start", vm).status == 0

    assert whose(daemon, alice, vm) == ("term17.lab", "")
    assert_one_line(daemon.rxm(alice, "assign", vm, "term18.lab"), 3, "the machine of terminal 'term17.lab'")
    assert_one_line(daemon.rxm(alice, "assign", "--this-run", vm, "term18.lab"), 3, "the machine of terminal")
    assert daemon.rxm(alice, "assign", vm, "off").status == 0
    assert whose(daemon, alice, vm) == ("", "")


def test_a_run_that_one_has_had_is_nobody_elses_before_a_fresh_start(
    daemon: Daemon, alice: dict[str, str], vm: str
) -> None:
    assert daemon.rxm(alice, "assign", "--this-run", vm, "term17").status == 0

    assert whose(daemon, alice, vm) == ("", "term17")
    assert_one_line(daemon.rxm(alice, "assign", "--this-run", vm, "term18"), 3, "restart it")
    assert daemon.rxm(alice, "-j", "assign", "--this-run", vm, "term17").json()["changed"] is False
    daemon.rxm(alice, "destroy", vm)
    assert_one_line(daemon.rxm(alice, "assign", "--this-run", vm, "term18"), 3, "is not started")
    daemon.rxm(alice, "start", vm)
    assert daemon.rxm(alice, "assign", "--this-run", vm, "term18").status == 0
    assert whose(daemon, alice, vm) == ("", "term18")


@pytest.mark.parametrize(
    ("words", "said"),
    [(("a b",), "not a terminal's name"), (("-x",), "-x"), (("--this-run", "off"), "restart it first")],
)
def test_what_is_no_terminal_is_said_in_one_line(
    daemon: Daemon, alice: dict[str, str], vm: str, words: tuple[str, ...], said: str
) -> None:
    assert_one_line(daemon.rxm(alice, "assign", *words[:-1], vm, words[-1]), 2, said)


def test_who_may_only_look_gives_none(daemon: Daemon, mallory: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(mallory, "assign", vm, "term17"), 5, "assign")
