"""Labels of a domain against libvirt's test driver: set, taken away, looked for, kept over a restart of the guest."""

import pytest

from tests.lab.hosts.daemon import Daemon, assert_one_line
from tests.lab.hosts.descriptions import for_test_driver


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str], own_name: str) -> str:
    """A domain that runs."""
    made = daemon.rxm(alice, "create", "-", stdin=for_test_driver(own_name))
    assert made.status == 0, made
    return own_name


def labels_of(daemon: Daemon, env: dict[str, str], name: str) -> dict[str, str]:
    """Return a domain's labels as `list --long` shows them."""
    found: dict[str, str] = daemon.rxm(env, "-j", "list", "-l", name).json()["result"]["domains"][0].get("labels", {})
    return found


def named(daemon: Daemon, env: dict[str, str], label: str) -> set[str]:
    """Return the names of the domains with a label."""
    answer = daemon.rxm(env, "-j", "list", "--label", label)
    return {domain["name"] for domain in answer.json()["result"]["domains"]}


def test_labels_are_set_changed_and_taken_away(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "-j", "label", vm, "course=os1", "week=3").json()["changed"] is True
    assert daemon.rxm(alice, "label", vm, "week-", "course=os2", "note=").status == 0

    assert labels_of(daemon, alice, vm) == {"course": "os2", "note": ""}
    assert daemon.rxm(alice, "label", vm).stdout == "course=os2\nnote=\n"
    assert "labels                 : course=os2 note=" in daemon.rxm(alice, "list", "-l", vm).stdout
    (guest,) = daemon.rxm(alice, "-j", "state", vm).json()["result"]["domains"]
    assert guest["labels"] == {"course": "os2", "note": ""}


def test_what_is_so_already_changes_nothing_and_says_so(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "label", vm, "course=os1")

    again = daemon.rxm(alice, "label", vm, "course=os1", "none-")

    assert again.status == 0
    assert "are already as asked" in again.stderr
    assert daemon.rxm(alice, "-j", "label", vm, "course=os1").json()["changed"] is False


def test_a_dry_run_says_what_there_would_be(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    answer = daemon.rxm(alice, "label", "-n", vm, "course=os1")

    assert (answer.status, answer.stdout) == (0, "course=os1\n")
    assert labels_of(daemon, alice, vm) == {}


def test_domains_are_found_by_label(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "label", vm, f"found-by={vm}", "course=os1")

    assert named(daemon, alice, "found-by") == {vm}
    assert named(daemon, alice, f"found-by={vm[:-1]}*,course=os1") == {vm}
    assert named(daemon, alice, f"found-by={vm},course=os2") == set()


def test_labels_outlive_the_run(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    assert daemon.rxm(alice, "create", "-", stdin=for_test_driver(own_name)).status == 0
    daemon.rxm(alice, "label", own_name, "course=os1")

    daemon.rxm(alice, "destroy", own_name)
    assert labels_of(daemon, alice, own_name) == {"course": "os1"}
    daemon.rxm(alice, "start", own_name)

    assert labels_of(daemon, alice, own_name) == {"course": "os1"}


def test_the_audit_has_who_gave_which(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "--reason", "term begins", "label", vm, "course=os1")

    begin = daemon.syslog.wait(ev="begin", verb="label", dom=vm)
    end = daemon.syslog.wait(ev="end", verb="label", dom=vm)
    assert (begin["reason"], end["princ"], end["res"]) == ("term begins", "alice@XMAN.TEST", "ok")
    assert "label" in daemon.rxm(alice, "log", vm).stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("a=b", "course"), 2, "neither KEY=VALUE nor KEY-"),
        (("a b=c",), 2, "not a valid key of a label"),
        (("a=b,c",), 2, "not a valid value of a label"),
        (("a=1", "a-"), 2, "given twice"),
    ],
)
def test_what_is_no_label_is_said_in_one_line(
    daemon: Daemon, alice: dict[str, str], vm: str, words: tuple[str, ...], status: int, said: str
) -> None:
    assert_one_line(daemon.rxm(alice, "label", vm, *words), status, said)


def test_nobody_has_more_than_so_many(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "label", vm, *(f"k{number}=x" for number in range(32))).status == 0

    assert_one_line(daemon.rxm(alice, "label", vm, "another=x"), 3, "at most 32 labels")


def test_who_may_only_look_gives_none(daemon: Daemon, mallory: dict[str, str], vm: str) -> None:
    assert_one_line(daemon.rxm(mallory, "label", vm, "a=b"), 5, "label")


def test_a_range_is_labelled_together(daemon: Daemon, alice: dict[str, str], own_name: str) -> None:
    for number in (1, 2):
        assert daemon.rxm(alice, "create", "-", stdin=for_test_driver(f"{own_name}{number}")).status == 0

    assert daemon.rxm(alice, "label", f"{own_name}[1-2]", f"of={own_name}", "week=1").status == 0
    assert daemon.rxm(alice, "label", f"{own_name}1", f"{own_name}2", "week-").status == 0

    assert named(daemon, alice, f"of={own_name}") == {f"{own_name}1", f"{own_name}2"}
    assert named(daemon, alice, f"of={own_name},week") == set()
