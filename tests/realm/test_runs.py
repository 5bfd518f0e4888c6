"""What is told of a domain's run: since when it runs, since when it is in its state, and who paused it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.hosts.daemon import Daemon
from tests.lab.hosts.descriptions import for_test_driver
from tests.lab.process import wait_for
from tests.lab.published import RESULTS
from xman import times


@pytest.fixture
def vm(daemon: Daemon, alice: dict[str, str]) -> Iterator[str]:
    """A domain that was started just now, and is known to have been."""
    assert daemon.rxm(alice, "create", "-", stdin=for_test_driver("runs")).status == 0
    wait_for(lambda: "started" in listed(daemon, alice, "runs"), 20, "its stamp")
    yield "runs"
    daemon.rxm(alice, "destroy", "runs")
    daemon.rxm(alice, "delete", "runs")


def listed(daemon: Daemon, alice: dict[str, str], vm: str, *, verb: str = "list") -> dict[str, Any]:
    """Return what `list --long`, or another verb, has of a domain."""
    words = ["--long"] if verb == "list" else []
    envelope = daemon.rxm(alice, "-j", verb, *words, vm).json()
    RESULTS.validate(envelope)
    found: dict[str, Any] = envelope["result"]["domains"][0]
    return found


def test_since_when_it_runs(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    found = listed(daemon, alice, vm)

    assert abs(times.seconds(found["started"]) - time.time()) < 60
    assert 0 <= found["uptime_seconds"] < 60
    assert times.seconds(found["since"]) >= times.seconds(found["started"])


def test_stats_have_it_as_well(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert listed(daemon, alice, vm, verb="stats")["started"] == listed(daemon, alice, vm)["started"]
    assert "\nuptime                 : 0:00:" in daemon.rxm(alice, "stats", vm).stdout


def test_a_pause_is_not_another_run_and_says_whose_it_is(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    before = listed(daemon, alice, vm)["started"]

    daemon.rxm(alice, "pause", vm)
    wait_for(lambda: "since" in listed(daemon, alice, vm), 20, "the event")

    paused = listed(daemon, alice, vm)
    assert (paused["paused_by"], paused["reason"], paused["started"]) == ("alice@XMAN.TEST", "user", before)
    assert "paused_by              : alice@XMAN.TEST\n" in daemon.rxm(alice, "list", "-l", vm).stdout


def test_one_that_goes_on_is_paused_by_nobody(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "pause", vm)
    daemon.rxm(alice, "unpause", vm)

    assert "paused_by" not in listed(daemon, alice, vm)
    assert "paused_by" not in daemon.rxm(alice, "describe", vm).stdout


def test_one_that_is_off_has_no_run(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    daemon.rxm(alice, "destroy", vm)
    wait_for(lambda: "since" in listed(daemon, alice, vm), 20, "the event")

    found = listed(daemon, alice, vm)
    assert not {"started", "uptime_seconds", "paused_by"} & set(found)
    assert "started=" not in daemon.rxm(alice, "describe", vm).stdout


def test_a_start_is_another_run(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    before = listed(daemon, alice, vm)["started"]
    daemon.rxm(alice, "destroy", vm)
    time.sleep(1.1)  # the stamp counts seconds

    daemon.rxm(alice, "start", vm)

    wait_for(lambda: listed(daemon, alice, vm).get("started", before) > before, 20, "the new stamp")


def test_a_reboot_that_is_not_seen_is_a_timeout(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    # libvirt's test driver restarts nothing.
    answer = daemon.rxm(alice, "-t", "2", "reboot", "--wait", vm)

    assert answer.status == 11
    assert "asked to restart" in answer.stderr
    assert "The request stands" in answer.stderr


def test_who_waits_for_a_state_is_told_at_once(daemon: Daemon, alice: dict[str, str], vm: str) -> None:
    assert daemon.rxm(alice, "-t", "5", "wait", "--for", "running", vm).status == 0
