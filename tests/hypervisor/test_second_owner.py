"""A domain with jobs moves to a host that is free, and not to one that has an owner."""

from collections.abc import Callable, Iterator

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer
from tests.lab.process import wait_for

SECOND = "hv2.xman.test"
PATIENCE = 30.0
MOVED, OWNER = "batch7", "batch8"


@pytest.fixture
def lab_with_a_job(lab: Lab) -> Iterator[Lab]:
    """A machine with a job that may not be preempted on the first host."""
    assert lab.rxm("create", "-", stdin=lab.guest(MOVED).empty_description()).status == 0
    start(lab.rxm, MOVED, "1")
    yield lab
    for rxm in (lab.rxm, lab.rxm_second):
        for name in (MOVED, OWNER):
            rxm("-q", "destroy", name)
            rxm("-q", "delete", name)


def start(rxm: Callable[..., Answer], domain: str, number: str) -> None:
    """Start a job as soon as the domain is up."""
    wait_for(
        lambda: rxm("job-start", domain, "--id", number, "--owner", "alice").status == 0, PATIENCE, "the job's start"
    )


def test_to_a_free_host_it_moves_with_its_job(lab_with_a_job: Lab) -> None:
    lab = lab_with_a_job

    done = lab.rxm("migrate", "--live", MOVED, SECOND)

    assert done.status == 0, done
    (there,) = lab.rxm_second("-j", "state", MOVED).json()["result"]["domains"]
    assert (there["state"], [job["id"] for job in there["jobs"]]) == ("running", ["1"])


def test_beside_an_owner_it_stays_and_forced_it_is_told(lab_with_a_job: Lab) -> None:
    lab = lab_with_a_job
    assert lab.rxm_second("create", "-", stdin=lab.guest(OWNER).empty_description()).status == 0
    start(lab.rxm_second, OWNER, "2")

    done = lab.rxm("migrate", "--live", MOVED, SECOND)

    assert done.status == 3, done
    assert f"'{OWNER}' is running there, with job 2 of alice@XMAN.TEST" in done.stderr
    assert MOVED in lab.first.virsh("list", "--name").stdout

    assert lab.rxm("migrate", "--live", "--force", MOVED, SECOND).status == 0

    expected = f"'{MOVED}' with job 1 of alice@XMAN.TEST and '{OWNER}' with job 2 of alice@XMAN.TEST"
    found = lab.rxm_second("-j", "state").json()
    states = {domain["name"]: domain["state"] for domain in found["result"]["domains"]}
    assert (states[MOVED], states[OWNER]) == ("running", "running")
    assert expected in found["notes"][0]
    wait_for(
        lambda: any(expected in line.get("detail", "") for line in lab.second_xmand.syslog.audit(ev="settle")),
        PATIENCE,
        "the line of the audit",
    )
