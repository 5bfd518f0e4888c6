"""In what Slurm and xman differ (`rxm.slurm.differences`), and the rounds of the reconciler."""

import threading
from pathlib import Path
from typing import Any

import pytest

from rxm.slurm import comments, reconcile
from rxm.slurm import differences as diff
from rxm.slurm.comments import Comment
from rxm.slurm.differences import Difference, Node, Xman
from rxm.slurm.settings import Settings
from rxm.slurm.tools import Job, Tools
from xman import outcome, result
from xman.result import Result

SETTINGS = Settings(partitions=("low", "high"))


def job(number: str = "1", state: str = "RUNNING", nodes: tuple[str, ...] = ("vm1",), partition: str = "low") -> Job:
    """Return a job of Slurm's."""
    return Job(number, number, state, partition, "alice", nodes)


def xman(jobs: dict[str, set[str]] | None = None, maintenance: str = "", **states: str) -> Xman:
    """Return what one host says."""
    known = {name: (jobs or {}).get(name, set()) for name, state in states.items() if state != "outside"}
    return Xman(dict(states), dict.fromkeys(states, "h"), known, {"h": maintenance} if maintenance else {})


def found(
    host: Xman, jobs: list[Job] | None = None, nodes: list[Node] | None = None, marked: set[str] | None = None
) -> Any:
    """Return the differences as pairs of kind and what they are about."""
    told = diff.between(host, jobs or [], nodes or [], marked or set(), SETTINGS)
    return [(each.kind, each.about) for each in told]


def node(name: str = "vm1", states: str = "IDLE", reason: str = "") -> Node:
    """Return a node of Slurm's."""
    return Node(name, frozenset(states.split("+")), reason)


def test_where_both_agree_there_is_nothing_to_do() -> None:
    assert found(xman({"vm1": {"1"}}, vm1="running"), [job()], [node()]) == []


def test_a_job_that_slurm_does_not_know_is_ended() -> None:
    assert found(xman({"vm1": {"9"}}, vm1="running")) == [(diff.END, "vm1")]


def test_a_running_job_that_is_in_no_domain_is_noted_again() -> None:
    assert found(xman(vm1="free"), [job()]) == [(diff.NOTE, "1")]


@pytest.mark.parametrize(
    ("left", "known", "expected"),
    [(301, True, []), (300, True, [(diff.RENEW, "vm1")]), (300, False, [(diff.END, "vm1")])],
)
def test_a_lease_that_is_half_over_is_renewed_while_slurm_has_the_job(left: int, known: bool, expected: Any) -> None:
    host = xman({"vm1": {"1"}}, vm1="running")
    host.leases["vm1", "1"] = 600, left

    assert found(host, [job()] if known else []) == expected


@pytest.mark.parametrize("state", ["CONFIGURING", "COMPLETING"])
def test_a_job_that_begins_or_ends_is_left_to_its_programs(state: str) -> None:
    assert found(xman(vm1="free"), [job(state=state)]) == []


def test_a_job_of_another_partition_is_left_alone() -> None:
    assert found(xman(vm1="free"), [job(partition="elastic")]) == []


def test_a_job_whose_host_does_not_answer_is_left_alone() -> None:
    silent = diff.read([result.failed("h", "state", None, outcome.UNREACHABLE, "no answer in time.")])

    assert found(silent, [job()]) == [(diff.TELL, "")]


@pytest.mark.parametrize("state", ["preempted", "frozen"])
def test_a_job_that_runs_in_a_preempted_domain_is_suspended(state: str) -> None:
    host = xman({"vm1": {"1"}, "vm2": {"1"}}, vm1="running", vm2=state)

    assert found(host, [job(nodes=("vm1", "vm2"))]) == [(diff.SUSPEND, "1")]


def test_a_job_that_we_suspended_goes_on_when_all_of_its_domains_do() -> None:
    both = {"vm1": {"1"}, "vm2": {"1"}}
    suspended = [job(state="SUSPENDED", nodes=("vm1", "vm2"))]

    assert found(xman(both, vm1="running", vm2="preempted"), suspended, marked={"1"}) == []
    assert found(xman(both, vm1="running", vm2="running-preemptible"), suspended, marked={"1"}) == [(diff.GO_ON, "1")]


def test_a_job_that_a_person_suspended_is_told() -> None:
    assert found(xman({"vm1": {"1"}}, vm1="running"), [job(state="SUSPENDED")]) == [(diff.TELL, "1")]


@pytest.mark.parametrize("state", ["occupied", "preempted", "frozen"])
def test_a_node_that_would_refuse_is_drained_and_brought_back(state: str) -> None:
    drained = node(states="IDLE+DRAIN", reason="xman: its domain is occupied [root@now]")

    assert found(xman(vm1=state), nodes=[node()]) == [(diff.DRAIN, "vm1")]
    assert found(xman(vm1=state), nodes=[drained]) == []
    assert found(xman(vm1="free"), nodes=[drained]) == [(diff.BRING_BACK, "vm1")]


def test_a_node_on_a_host_in_maintenance_is_drained() -> None:
    assert found(xman(maintenance="new disks", vm1="free"), nodes=[node()]) == [(diff.DRAIN, "vm1")]
    assert found(xman(maintenance="new disks", vm1="free"), nodes=[node(states="IDLE+DRAIN", reason="xman: x")]) == []


def test_what_a_person_drained_stays_drained() -> None:
    assert found(xman(vm1="free"), nodes=[node(states="IDLE+DRAIN", reason="broken fan")]) == []


@pytest.mark.parametrize("state", ["booting", "occupied-booting", "down"])
def test_a_node_that_is_not_ready_is_not_brought_back(state: str) -> None:
    assert found(xman(vm1=state), nodes=[node(states="DOWN", reason="xman: no answer")]) == []


def test_an_elastic_node_that_could_not_be_started_is_brought_back() -> None:
    assert found(xman(e1="outside"), nodes=[node("e1", "DOWN+CLOUD", "xman: no answer")]) == [(diff.BRING_BACK, "e1")]


def test_what_hosts_say_is_read() -> None:
    guest = {"name": "vm1", "state": "running", "jobs": [{"id": "1"}]}
    data = {"domains": [guest], "others": [{"name": "e1"}], "maintenance": {"reason": "disks"}}

    told = diff.read([result.succeeded("h", "state", Result(data), 1)])

    assert (told.states, told.jobs) == ({"vm1": "running", "e1": "outside"}, {"vm1": {"1"}})
    assert told.maintenance == {"h": "disks"}


class Site(Tools):
    """A site whose hosts and Slurm say what a test tells."""

    def __init__(
        self,
        directory: Path,
        states: dict[str, str],
        noted: dict[str, list[str]],
        squeue: str | None,
        waiting: str = "",
    ) -> None:
        settings = Settings(lock=str(directory / "lock"), metrics=str(directory / "xman.prom"))
        object.__setattr__(self, "settings", settings)
        guests = [{"name": n, "state": s, "jobs": [{"id": i} for i in noted.get(n, [])]} for n, s in states.items()]
        self.__dict__ |= {"guests": guests, "squeue": squeue, "waiting": waiting, "done": [], "said": []}

    def rxm(self, *words: str, patient: bool = False) -> list[dict[str, Any]]:
        if words[0] == "state":
            return [result.succeeded("h", "state", Result({"domains": self.__dict__["guests"]}), 1)]
        self.__dict__["done"].append(" ".join(words))
        return [result.succeeded("h", words[0], Result(), 1)]

    def slurm(self, *words: str) -> str | None:
        if words[0] == "squeue":
            found: str | None = self.__dict__["waiting" if "PD" in words else "squeue"]
            return found
        if "node" in words:
            return "NodeName=vm1 State=IDLE+DRAIN Reason=xman: gone\n"
        self.__dict__["done"].append(" ".join(words))
        return ""

    def say(self, text: str, severity: int = 0) -> None:
        self.__dict__["said"].append(text)


def test_a_round_mends_says_and_counts(tmp_path: Path) -> None:
    site = Site(tmp_path, {"vm1": "running"}, {"vm1": ["9"]}, "")

    assert reconcile.reconcile(site, [], {}) == 0
    assert site.__dict__["done"] == ["job-stop --id 9 -- h:vm1", "scontrol update NodeName=vm1 State=RESUME"]
    assert site.__dict__["said"][0] == "end vm1: job 9 is not among Slurm's"
    told = (tmp_path / "xman.prom").read_text()
    assert "xman_slurm_end_total 1\n" in told
    assert "xman_slurm_rounds 1\n" in told


def test_a_round_renews_a_lease_and_says_nothing_of_it(tmp_path: Path) -> None:
    site = Site(tmp_path, {"vm1": "running"}, {"vm1": ["9"]}, "9|9|N/A|RUNNING|low|alice|vm1\n")
    site.__dict__["guests"][0]["jobs"][0] |= {"lease": 600, "lease_left": 100}

    assert reconcile.reconcile(site, [], {}) == 0

    assert site.__dict__["done"][0] == "job-renew --id 9 -- h:vm1"
    assert not any("lease" in said for said in site.__dict__["said"])


def test_the_counters_go_on_from_round_to_round(tmp_path: Path) -> None:
    for _ in range(3):
        reconcile.reconcile(Site(tmp_path, {"vm1": "running"}, {}, ""), [], {})

    assert "xman_slurm_rounds 3\n" in (tmp_path / "xman.prom").read_text()


def test_a_dry_run_does_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, {"vm1": "running"}, {"vm1": ["9"]}, "")

    assert reconcile.reconcile(site, ["--dry-run"], {}) == 0
    assert site.__dict__["done"] == []
    assert site.__dict__["said"][0].startswith("would end")


def test_where_slurm_does_not_answer_nothing_is_ended(tmp_path: Path) -> None:
    site = Site(tmp_path, {"vm1": "running"}, {"vm1": ["9"]}, None)

    assert reconcile.reconcile(site, [], {}) == 1
    assert site.__dict__["done"] == []


def test_one_controller_reconciles_at_a_time(tmp_path: Path) -> None:
    site = Site(tmp_path, {"vm1": "running"}, {"vm1": ["9"]}, "")
    with reconcile._leading(site, wait=False) as leads:
        assert leads
        assert reconcile.reconcile(site, [], {}) == 0

    assert site.__dict__["done"] == []


def test_a_service_waits_until_it_leads(tmp_path: Path) -> None:
    site = Site(tmp_path, {}, {}, "")
    began, leads = threading.Event(), threading.Event()

    def serve() -> None:
        began.set()
        with reconcile._leading(site, wait=True) as mine:
            if mine:
                leads.set()

    with reconcile._leading(site, wait=False):
        thread = threading.Thread(target=serve)
        thread.start()
        assert began.wait(10)
        assert not leads.is_set()
    assert leads.wait(10)
    thread.join()


@pytest.mark.parametrize("words", [["--every"], ["--every", "x"], ["--every", "0"], ["x"], ["--every", "10", "x"]])
def test_wrong_words_of_the_reconciler(words: list[str], tmp_path: Path) -> None:
    assert reconcile.reconcile(Site(tmp_path, {}, {}, ""), words, {}) == 1


def test_what_is_said_in_a_comment_is_read() -> None:
    both = Comment(suspended=True, left_out={"vm1": 50, "vm2": 60})

    assert str(both) == "xman: suspended; left out vm1@50,vm2@60"
    assert [
        comments.of(text) for text in (str(both), "xman: suspended", "mine", "(null)", "", "xman: left out vm1@x")
    ] == [
        both,
        Comment(suspended=True),
        Comment(others="mine"),
        *[Comment()] * 3,
    ]


def test_a_job_that_nodes_are_left_out_for_still_is_let_in() -> None:
    (one,) = diff.between(xman(), [], [], set(), SETTINGS, [Job("9", "7_4", "PENDING", "low", "bob", ("vm1",))])

    assert (one.kind, one.about, one.job and one.job.number) == (diff.LET_IN, "7_4", "9")


@pytest.mark.parametrize(("count", "asks"), [(20, 20), (21, 1)])
def test_a_crowd_of_jobs_is_asked_for_at_once(tmp_path: Path, count: int, asks: int) -> None:
    """Each may have nodes that its user left out: ten thousand of them must not be a process each, in each round."""
    lines = "".join(f"{number}|{number}|N/A|PENDING|low|bob|vm[1-2]\n" for number in range(count))
    site = Site(
        tmp_path,
        {"vm1": "free"},
        {},
        "",
        waiting=f"{lines}77|77|N/A|PENDING|low|bob|\n78|78|N/A|PENDING|low|bob|(null)\n",
    )

    assert reconcile.reconcile(site, ["--dry-run"], {}) == 0

    assert len([asked for asked in site.__dict__["done"] if "show job" in asked]) == asks


def test_differences_are_the_same_at_a_second_look() -> None:
    one = Difference(diff.NOTE, "1", "x", job=job())

    assert one == Difference(diff.NOTE, "1", "x", job=job())
