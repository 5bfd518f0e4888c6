"""Batch work with real guests: the memory that they see follows what is taken from them and given to them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.hypervisor.conftest import Lab
from tests.lab.hosts.daemon import Answer, Daemon, assert_one_line
from tests.lab.hosts.hypervisor import Guest
from tests.lab.process import wait_for

MIB = 1 << 20
# A guest under emulation on a loaded machine.
PATIENCE = 60.0
# conftest.py parks to 128 MiB; what the guest itself sees is less by what its kernel keeps.
PARKED_KIB = 128 * 1024


@pytest.fixture(scope="module")
def guests(lab: Lab) -> Iterator[tuple[Guest, Guest]]:
    """An ordinary guest and one with priority, both up."""
    with ThreadPoolExecutor() as pool:
        pair = tuple(pool.map(lab.boot, ("batch1", "batch2")))
    yield pair[0], pair[1]
    lab.rxm("destroy", "batch1")
    lab.rxm("destroy", "batch2")


def start(lab: Lab, domain: str, number: str, *words: str) -> Answer:
    """Start a job."""
    return lab.rxm("job-start", domain, "--id", number, "--owner", "alice", *words)


def state(lab: Lab, domain: str) -> dict[str, Any]:
    """Return what `state` says of one domain."""
    (found,) = lab.rxm("-j", "state", domain).json()["result"]["domains"]
    return dict(found)


def sees(guest: Guest) -> tuple[int, int]:
    """Return the CPUs and the memory in KiB that a guest saw last."""
    return guest.ticks()[-1]


def test_memory_follows_the_owner(lab: Lab, guests: tuple[Guest, Guest]) -> None:
    ordinary, urgent = guests
    assert start(lab, "batch1", "1", "--preemptible").status == 0
    wait_for(lambda: sees(ordinary)[0] == 3 and sees(ordinary)[1] > PARKED_KIB, PATIENCE, "the grant in the guest")
    wait_for(lambda: sees(urgent)[1] < PARKED_KIB, PATIENCE, "the parking of the other guest")

    assert start(lab, "batch2", "2").status == 0

    assert (state(lab, "batch1")["state"], state(lab, "batch2")["state"]) == ("preempted", "running")
    assert state(lab, "batch1")["memory"] == 128 * MIB
    wait_for(lambda: sees(ordinary)[1] < PARKED_KIB, PATIENCE, "the parking in the guest")
    wait_for(lambda: sees(urgent)[0] == 3 and sees(urgent)[1] > PARKED_KIB, PATIENCE, "the grant in the other guest")

    assert lab.rxm("job-stop", "batch2", "--id", "2").status == 0

    assert state(lab, "batch1")["state"] == "running-preemptible"
    wait_for(lambda: sees(ordinary)[1] > PARKED_KIB, PATIENCE, "the return in the guest")
    assert lab.rxm("job-stop", "batch1", "--id", "1").status == 0


def test_a_frozen_guest_goes_on_with_its_job(lab: Lab, guests: tuple[Guest, Guest]) -> None:
    ordinary, _urgent = guests
    start(lab, "batch1", "1")
    boots = ordinary.boots()

    assert lab.rxm("freeze", "batch1").status == 0
    assert state(lab, "batch1")["state"] == "frozen"
    assert_one_line(start(lab, "batch2", "2"), 3, "'batch1' is frozen with job 1")
    ticks = len(ordinary.ticks())

    assert lab.rxm("defrost", "batch1").status == 0
    wait_for(lambda: len(ordinary.ticks()) > ticks, PATIENCE, "a tick after the frost")
    assert [job["id"] for job in state(lab, "batch1")["jobs"]] == ["1"]
    assert ordinary.boots() == boots
    assert lab.rxm("job-stop", "batch1", "--id", "1").status == 0


@pytest.mark.parametrize("balloon", ["none", "virtio"])
def test_a_guest_that_keeps_its_memory_stops_the_job_and_nothing_is_left_half_done(
    lab: Lab, guests: tuple[Guest, Guest], balloon: str
) -> None:
    """It has no balloon, or none that its firmware would know how to fill."""
    assert guests
    stuck = lab.guest("batch3", balloon=balloon)
    assert lab.rxm("create", "-", stdin=stuck.empty_description()).status == 0
    before = lab.first.virsh("dumpxml", "batch3").stdout

    answer = start(lab, "batch1", "1")

    assert_one_line(answer, 3, "'batch3'", "(stuck)", "Nothing was changed.")
    assert lab.first.virsh("dumpxml", "batch3").stdout == before
    assert state(lab, "batch1")["jobs"] == []
    assert lab.rxm("destroy", "batch3").status == 0
    assert lab.rxm("delete", "batch3").status == 0


@pytest.fixture
def saving(lab: Lab) -> Iterator[Daemon]:
    """An xmand on the first host that saves what keeps its memory, with a machine that does and a small one beside."""
    tables = (
        '[batch]\ndomains = ["save*"]\npriority = ["save2"]\nstuck = "save"\nparked_memory = 128\nparked_vcpus = 0\n'
        "boot_seconds = 0.001\npark_seconds = 1\n"
    )
    daemon = lab.first.xmand(lab.realm, admins=("alice@XMAN.TEST",), tables=tables, port=4390)
    try:
        for name, mib in (("save1", 192), ("save2", 128)):
            machine = Guest(name, lab.first.directory, memory_mib=mib, balloon="none")
            assert daemon.rxm(lab.alice, "create", "-", stdin=machine.empty_description()).status == 0
        yield daemon
        for name in ("save1", "save2"):
            daemon.rxm(lab.alice, "-q", "destroy", name)
            daemon.rxm(lab.alice, "-q", "delete", name)
    finally:
        daemon.stop()


def test_where_the_host_wants_it_so_one_that_keeps_its_memory_is_saved_and_comes_back(lab: Lab, saving: Daemon) -> None:
    def rxm(*words: str) -> Answer:
        return saving.rxm(lab.alice, *words)

    def states() -> dict[str, str]:
        return {found["name"]: found["state"] for found in rxm("-j", "state").json()["result"]["domains"]}

    owner = ("--owner", "alice")
    first = ("job-start", "save1", "--preemptible", "--id", "1", *owner)
    wait_for(lambda: rxm(*first).status == 0, PATIENCE, "the first job")

    answer = rxm("job-start", "save2", "--id", "2", *owner)

    assert answer.status == 0, answer
    assert "'save1' did not give its memory back and was saved to disk." in answer.stderr
    assert states() == {"save1": "frozen", "save2": "running"}
    assert saving.syslog.wait(ev="switch", verb="job-start", dom="save1", detail="preempt")
    assert rxm("job-stop", "save2", "--id", "2").status == 0
    wait_for(lambda: states()["save1"] == "running-preemptible", PATIENCE, "the return of what was saved")


def test_a_host_in_maintenance_takes_no_migration(lab: Lab, guests: tuple[Guest, Guest]) -> None:
    ordinary, _urgent = guests
    assert lab.rxm_second("maintenance", "on", "new disks").status == 0

    answer = lab.rxm("migrate", "--live", "batch1", "hv2.xman.test")

    assert_one_line(answer, 3, "this host is in maintenance; rxm state says why", "'batch1' is still here, running.")
    ticks = len(ordinary.ticks())
    wait_for(lambda: len(ordinary.ticks()) > ticks, PATIENCE, "a tick after the refusal")
    assert lab.rxm_second("maintenance", "off").status == 0


def test_jobs_travel_with_their_domain(lab: Lab, guests: tuple[Guest, Guest]) -> None:
    assert guests
    start(lab, "batch2", "2")

    moved = lab.rxm("migrate", "--live", "--force", "batch2", "hv2.xman.test")

    assert moved.status == 0, moved
    (found,) = lab.rxm_second("-j", "state", "batch2").json()["result"]["domains"]
    assert (found["state"], [job["id"] for job in found["jobs"]]) == ("running", ["2"])
    assert lab.rxm_second("job-stop", "batch2", "--id", "2").status == 0
    assert lab.rxm_second("destroy", "batch2").status == 0
