"""A real slurmctld and slurmd against xmand: both patterns of the guide (etc/slurm/README.md), and what goes wrong.

In the order of a day: the jobs that wait for Slurm's slow clock are submitted first and looked at last.
"""

import pytest

from tests.lab.process import in_namespace, mount_namespace, wait_for
from tests.slurm.conftest import SCHEDULERS_VERBS, Site

PARKED = (160, 1)
FULL = (512, 4)
# Slurm's own tick while a node comes up.
TICK_SECONDS = 75.0
SECONDS = 30.0
SLEEP = "sleep 600"


@pytest.fixture(scope="module")
def submitted(site: Site) -> dict[str, str]:
    """The jobs that need nodes which are off: `elastic1` comes up, `broken1` does not."""
    return {"elastic": site.cluster.submit("elastic", "sleep 1"), "broken": site.cluster.submit("broken", SLEEP)}


def wait_for_job(site: Site, number: str, state: str) -> None:
    """Wait until Slurm says that a job is in a state."""
    wait_for(lambda: site.cluster.job(number).get("JobState") == state, SECONDS, f"job {number} {state}")


def job_states(site: Site, number: str) -> set[str]:
    """Return the states of a job, or of an array's tasks, that is not over."""
    listed = site.cluster.run("squeue", "--noheader", "--jobs", number, "--format", "%T")
    assert listed.status == 0 or "Invalid job id" in listed.stderr, listed
    return set(listed.stdout.split())


def cancel(site: Site, number: str) -> None:
    """End a job, or an array, and wait until Slurm has run what follows it: the next test finds nothing of it."""

    def is_over() -> bool:
        states = job_states(site, number)
        # Slurm forgets that a job was cancelled while its prolog ran, where that fails, and queues it again. It is
        # COMPLETING as long as its epilog runs.
        if states and not states & {"CONFIGURING", "COMPLETING"}:
            site.cluster.run("scancel", number)
        return not states

    wait_for(is_over, SECONDS, f"the end of job {number}")


def wait_for_states(site: Site, *expected: str) -> None:
    """Wait until xmand says that `node1` and `node2` are in these states: Slurm calls a job running before it is."""
    wanted = dict(zip(("node1", "node2"), expected, strict=True))
    wait_for(lambda: site.states() == wanted, SECONDS, f"{wanted}")


def calls(site: Site, name: str) -> list[str]:
    """Return what a program was called for, with how it ended."""
    path = site.cluster.directory / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(" ", 1)[1] for line in lines if line.startswith(f"{name} ")]


def is_down(site: Site, node: str) -> bool:
    """Whether Slurm has given up a node; one that is only powered down is not."""
    return "DOWN" in site.cluster.node(node)["State"].replace("*", "").split("+")


@pytest.mark.usefixtures("submitted")
def test_a_job_with_priority_gets_the_host_and_gives_it_back(site: Site) -> None:
    low = site.cluster.submit("low", SLEEP)
    wait_for_states(site, "running-preemptible", "occupied-would-preempt")
    wait_for_job(site, low, "RUNNING")
    assert (site.size("node1"), site.size("node2")) == (FULL, PARKED)

    high = site.cluster.submit("high", SLEEP)
    wait_for_states(site, "preempted", "running")
    assert (site.size("node1"), site.size("node2")) == (PARKED, FULL)
    wait_for_job(site, low, "SUSPENDED")

    cancel(site, high)
    wait_for_states(site, "running-preemptible", "occupied-would-preempt")
    wait_for_job(site, low, "RUNNING")
    assert (site.size("node1"), site.size("node2")) == (FULL, PARKED)

    cancel(site, low)
    wait_for_states(site, "free", "free")


def test_a_refused_job_is_tried_again_at_once_and_drains_nothing(site: Site) -> None:
    high = site.cluster.submit("high", SLEEP)
    wait_for_states(site, "occupied", "running")

    low = site.cluster.submit("low", SLEEP)

    # Slurm's own second try comes after two minutes.
    wait_for(lambda: calls(site, "prolog").count(f"{low} 1") >= 2, SECONDS, "two refusals")
    assert "DRAIN" not in site.cluster.node("node1")["State"]
    assert site.jobs() == {("node2", high)}

    cancel(site, high)
    wait_for(lambda: site.jobs() == {("node1", low)}, SECONDS, "the job's start once there is room")
    cancel(site, low)
    wait_for(lambda: site.jobs() == set(), SECONDS, "the end of the jobs")


def test_a_job_that_was_left_no_node_is_let_in_and_released(site: Site) -> None:
    """As where it ran elsewhere, or the controller was restarted, before its nodes were brought back."""
    low = site.cluster.submit("low", SLEEP, "--begin=now+1hour")
    left_out = "AdminComment=xman: left out node1@1"
    site.cluster.run("scontrol", "update", f"JobId={low}", "ExcNodeList=node1", left_out, "StartTime=now")
    wait_for(lambda: site.cluster.job(low).get("Reason") == "BadConstraints", TICK_SECONDS, "Slurm's hold")

    assert site.program("reconcile") == 0

    wait_for(lambda: site.jobs() == {("node1", low)}, SECONDS, "the job's start")
    assert site.cluster.job(low)["ExcNodeList"] == "(null)"
    assert "xman" not in site.cluster.job(low).get("AdminComment", "")
    cancel(site, low)
    wait_for(lambda: site.jobs() == set(), SECONDS, "the end of the job")


def test_the_reconciler_lets_go_on_what_a_lost_hook_left_suspended(site: Site) -> None:
    low = site.cluster.submit("low", SLEEP)
    wait_for_job(site, low, "RUNNING")
    wait_for(lambda: site.jobs() == {("node1", low)}, SECONDS, "the job in its domain")
    site.cluster.run("scontrol", "update", f"JobId={low}", "AdminComment=xman: suspended")
    site.cluster.run("scontrol", "suspend", low)
    wait_for_job(site, low, "SUSPENDED")

    assert site.program("reconcile") == 0

    wait_for_job(site, low, "RUNNING")
    cancel(site, low)
    wait_for(lambda: site.jobs() == set(), SECONDS, "the end of the job")


def test_an_array_stands_still_and_goes_on_task_by_task(site: Site) -> None:
    """Its last task has the array's own number, by which scontrol would act on all of them."""
    array = site.cluster.submit("low", SLEEP, "--array=1-3")
    wait_for(lambda: len(site.jobs()) == 3, SECONDS, "three tasks")
    for task in (1, 2, 3):
        wait_for_job(site, f"{array}_{task}", "RUNNING")

    high = site.cluster.submit("high", SLEEP)
    for task in (1, 2, 3):
        wait_for_job(site, f"{array}_{task}", "SUSPENDED")

    cancel(site, high)
    for task in (1, 2, 3):
        wait_for_job(site, f"{array}_{task}", "RUNNING")
    cancel(site, array)
    wait_for(lambda: site.jobs() == set(), SECONDS, "the end of the tasks")


def test_a_task_is_held_without_its_siblings(site: Site) -> None:
    array = site.cluster.submit("low", SLEEP, "--array=1-2")
    for task in (1, 2):
        wait_for_job(site, f"{array}_{task}", "RUNNING")
    site.let_the_scheduler('["show", "start", "shutdown"]')
    try:
        # It comes back to the prolog, which is denied.
        site.cluster.run("scontrol", "requeue", f"{array}_2")
        wait_for_job(site, f"{array}_2", "PENDING")
        site.cluster.run("scontrol", "update", f"JobId={array}_2", "StartTime=now")
        wait_for(lambda: site.cluster.job(f"{array}_2").get("Priority") == "0", TICK_SECONDS, "the hold")
    finally:
        site.let_the_scheduler(SCHEDULERS_VERBS)
    assert site.cluster.job(f"{array}_1")["JobState"] == "RUNNING"
    cancel(site, array)
    wait_for(lambda: site.program("reconcile") == 0 and site.jobs() == set(), SECONDS, "the end of the tasks")


def test_the_reconciler_notes_a_job_again_that_somebody_ended_in_its_domain(site: Site) -> None:
    low = site.cluster.submit("low", SLEEP)
    wait_for(lambda: site.jobs() == {("node1", low)}, SECONDS, "the job's start")
    wait_for_job(site, low, "RUNNING")
    assert site.rxm("job-stop", "--id", low, "node1") == 0

    assert site.program("reconcile") == 0

    assert site.jobs() == {("node1", low)}
    cancel(site, low)
    wait_for(lambda: site.jobs() == set(), SECONDS, "the end of the job")


def test_the_reconciler_keeps_jobs_from_a_node_that_would_refuse_them(site: Site) -> None:
    high = site.cluster.submit("high", SLEEP)
    wait_for_states(site, "occupied", "running")

    assert site.program("reconcile") == 0
    assert "DRAIN" in site.cluster.node("node1")["State"]

    cancel(site, high)
    wait_for_states(site, "free", "free")
    assert site.program("reconcile") == 0
    assert "DRAIN" not in site.cluster.node("node1")["State"]


def test_a_scheduler_that_may_not_holds_the_job(site: Site) -> None:
    # Suspending goes on beside this test.
    site.let_the_scheduler('["show", "start", "shutdown"]')
    try:
        low = site.cluster.submit("low", SLEEP)
        wait_for(lambda: f"{low} 1" in calls(site, "prolog"), SECONDS, "the denial")
        wait_for(lambda: site.cluster.job(low).get("Priority") == "0", SECONDS, "the hold")
        wait_for_job(site, low, "PENDING")
    finally:
        site.let_the_scheduler(SCHEDULERS_VERBS)
    assert "DRAIN" not in site.cluster.node("node1")["State"]
    cancel(site, low)


def test_a_missing_domain_drains_its_node(site: Site) -> None:
    assert site.rxm("destroy", "node1") == 0
    assert site.rxm("delete", "node1") == 0

    low = site.cluster.submit("low", SLEEP)
    wait_for(lambda: "DRAIN" in site.cluster.node("node1")["State"], SECONDS, "the draining")

    assert "does not exist" in site.cluster.run("scontrol", "show", "node", "node1").stdout
    cancel(site, low)
    site.create("node1")
    assert site.program("reconcile") == 0
    assert "DRAIN" not in site.cluster.node("node1")["State"], "what we drained we bring back"


def test_a_node_that_cannot_be_started_is_down_at_once(site: Site) -> None:
    ghost = site.cluster.submit("ghost", SLEEP)
    wait_for(lambda: is_down(site, "ghost1"), SECONDS, "ghost1 down")

    assert "does not exist" in site.cluster.run("scontrol", "show", "node", "ghost1").stdout
    wait_for_job(site, ghost, "PENDING")
    cancel(site, ghost)


def test_reconciling_ends_what_slurm_does_not_know(site: Site) -> None:
    assert site.rxm("job-start", "node2", "--id", "999999", "--owner", "alice") == 0

    assert site.program("reconcile") == 0

    assert site.jobs() == set()


def test_a_job_powers_its_domain_up_and_idleness_down(site: Site, submitted: dict[str, str]) -> None:
    wait_for(
        lambda: site.cluster.job(submitted["elastic"]).get("JobState") == "COMPLETED", TICK_SECONDS, "the job's end"
    )
    assert any("elastic1" in line and line.endswith(" 0") for line in calls(site, "resume"))

    def suspended() -> bool:
        return any("elastic1" in line and line.endswith(" 0") for line in calls(site, "suspend"))

    wait_for(suspended, TICK_SECONDS, "SuspendProgram")
    assert site.rxm("-t", "30", "wait", "elastic1", "--for", "off") == 0


def test_a_guest_that_never_comes_up_costs_its_node_only(site: Site, submitted: dict[str, str]) -> None:
    wait_for(lambda: is_down(site, "broken1"), TICK_SECONDS, "ResumeTimeout")

    assert site.cluster.job(submitted["broken"])["JobState"] == "PENDING"
    wait_for(lambda: any("broken1" in line for line in calls(site, "suspend")), SECONDS, "ResumeFailProgram")

    cancel(site, submitted["broken"])
    assert site.cluster.run("scontrol", "update", "NodeName=broken1", "State=RESUME").status == 0
    wait_for(lambda: not is_down(site, "broken1"), SECONDS, "broken1 back, as the guide has it")


def test_a_host_that_does_not_answer_drains_its_node(site: Site) -> None:
    site.lose_the_host()
    high = site.cluster.submit("high", SLEEP)
    wait_for(lambda: "DRAIN" in site.cluster.node("node2")["State"], SECONDS, "the draining")
    site.find_the_host()

    wait_for_job(site, high, "PENDING")
    cancel(site, high)
    site.cluster.run("scontrol", "update", "NodeName=node2", "State=RESUME")


def test_the_lab_leaves_nothing_behind(site: Site) -> None:
    # What a failed test leaves: a job with its slurmstepd, which outlives its slurmd.
    left = site.cluster.submit("high", SLEEP)
    wait_for_job(site, left, "RUNNING")
    namespace = mount_namespace(site.cluster.processes()[0])

    site.daemon.stop()
    site.cluster.stop()

    assert in_namespace(namespace) == []
