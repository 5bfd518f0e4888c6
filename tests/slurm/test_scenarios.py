"""Random jobs on a real Slurm over several hosts, with hands and faults in between (tests/slurm/scenarios.py)."""

import contextlib
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.lab.hosts.hypervisor import why_not
from tests.lab.process import wait_for
from tests.slurm.fleet import HIGH, LOW, Fleet
from tests.slurm.scenarios import LAYOUTS, MIXED, QUICK_FAULTS, STARTED_SECONDS, Machine
from tests.tools.soak import SOAKING, chance, note, rounds

# As the unit has it (etc/slurm/xman-slurm.service).
EVERY_SECONDS = 5.0
_SEED = 2026
SECONDS = 40.0
# How many jobs a round of a soak has; when a job has its domain once there is room for it, in the median of as many.
JOBS, GRANTED_SECONDS = 80, 15.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts and the cluster, with the reconciler as a service."""
    if reason := why_not():
        pytest.skip(reason)
    with contextlib.ExitStack() as ends:
        made = Fleet(tmp_path_factory.mktemp("fleet"), ends)
        # Slurm looks at nodes that come up every 30 s: that begins while the first tests run.
        made.cluster.submit("elastic", "sleep 1")
        with made.reconciling(EVERY_SECONDS):
            yield made


def _all_nodes_take_jobs(fleet: Fleet) -> bool:
    return not fleet.nodes_out()


def test_restarts_of_xmand_hold_no_job_and_drain_no_node(fleet: Fleet) -> None:
    numbers = []
    for restart in range(10 if SOAKING else 3):
        numbers.append(fleet.cluster.submit(("high", "low")[restart % 2], "sleep 0.5", "-N2"))
        fleet.restart_xmand("ab"[restart % 2])
        assert [job["reason"] for job in fleet.queue() if "Held" in job["reason"]] == []

    wait_for(lambda: all(fleet.ends().get(n) == "COMPLETED" for n in numbers), 3 * SECONDS, "the end of all jobs")
    wait_for(lambda: _all_nodes_take_jobs(fleet), SECONDS, "every node's return")
    assert {guest["state"] for guest in fleet.guests().values()} == {"free"}
    assert set(fleet.guests()) == {*LOW, *HIGH}


if SOAKING:  # a job whose launch a controller lost waits for minutes

    def test_restarts_of_slurms_controller_lose_no_job_and_drain_no_node(fleet: Fleet) -> None:
        numbers = []
        for restart in range(10):
            numbers.append(fleet.cluster.submit(("high", "low")[restart % 2], "sleep 0.5", "-N2"))
            fleet.cluster.restart()
            assert [job["reason"] for job in fleet.queue() if "Held" in job["reason"]] == []
        until = time.monotonic() + STARTED_SECONDS

        def all_ended() -> bool:
            nonlocal until
            if time.monotonic() > until:  # as the guide says of launches that a restarted controller lost
                fleet.cluster.run("scontrol", "reconfigure")
                until = time.monotonic() + STARTED_SECONDS
            return all(fleet.ends().get(number) == "COMPLETED" for number in numbers)

        wait_for(all_ended, 6 * SECONDS, "the end of all jobs")
        wait_for(lambda: _all_nodes_take_jobs(fleet), SECONDS, "every node's return")
        assert {guest["state"] for guest in fleet.guests().values()} == {"free"}


def test_a_kdc_that_is_away_holds_no_job_and_drains_no_node(fleet: Fleet) -> None:
    fleet.forget_tickets()
    with fleet.realm.kdc_away():
        high = fleet.cluster.submit("high", "sleep 1")
        until = time.monotonic() + (60.0 if SOAKING else 6.0)
        while time.monotonic() < until:
            assert [job["reason"] for job in fleet.queue() if "Held" in job["reason"]] == []
            assert fleet.nodes_out() == {}
            time.sleep(0.5)

    wait_for(lambda: fleet.ends().get(high) == "COMPLETED", 2 * SECONDS, "the job, once the KDC is back")


def test_random_jobs_with_faults_in_between(fleet: Fleet) -> None:
    """In `make test` some jobs in the mixed layout; in a soak 80 a round, one layout after the other."""
    dice = chance(_SEED)
    layouts = list(LAYOUTS.items())
    waits: list[float] = []
    for number in rounds("S1", 1):
        name, layout = layouts[number % len(layouts)] if SOAKING else ("mixed", MIXED)
        machine = (
            Machine(fleet, dice, JOBS, layout)
            if SOAKING
            else Machine(fleet, dice, 24, layout, elastic=2, kinds=QUICK_FAULTS)
        )

        machine.run()

        note(f"S1: {name}: {machine.report()}")
        print(machine.report(), *machine.violations, sep="\n")
        assert machine.violations == []
        wait_for(lambda: _all_nodes_take_jobs(fleet), SECONDS, f"every node's return, not {fleet.nodes_out()}")
        waits += machine.waits()
    if len(waits) >= JOBS:  # in a soak; what a median of fewer is tells nothing
        median = statistics.median(waits)
        note(
            f"S1: granted {median:.1f} s after there was room, in the median of {len(waits)}; {max(waits):.1f} at most"
        )
        assert median <= GRANTED_SECONDS
