"""In what Slurm and xman differ, and what mends it; pure: what both say is handed in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rxm.slurm.comments import MARK
from rxm.slurm.settings import Settings
from rxm.slurm.tools import Job

END = "end"  # a job of xman's that Slurm does not know: its epilog was lost
NOTE = "note"  # a job that runs and is in no domain: somebody ended it there
SUSPEND = "suspend"  # a job that runs although one of its domains is preempted
GO_ON = "go-on"  # a job that we suspended, and whose domains all go on
DRAIN = "drain"  # a node that would refuse every job
BRING_BACK = "bring-back"  # a node that we drained, and that takes jobs again
LET_IN = "let-in"  # a job for which nodes are left out still that refused it long ago
RENEW = "renew"  # a job whose lease would end in a while, and that Slurm has
TELL = "tell"  # what only a person can mend

# Batch states in which a domain takes a job, or has one.
USABLE = ("free", "occupied-would-preempt", "running", "running-preemptible")
# In which its jobs stand still.
STILL = ("preempted", "frozen")
# In which it takes no job for as long as somebody else has the host.
TAKEN = ("occupied", "preempted", "frozen")


@dataclass(frozen=True)
class Difference:
    """One of them: its kind, the job or node that it is about, and why."""

    kind: str
    about: str
    why: str
    host: str = ""
    job: Job | None = None


@dataclass
class Xman:
    """What the hosts say."""

    # Domain -> its batch state; libvirt's own (`outside`) of those that take no part.
    states: dict[str, str] = field(default_factory=dict)
    # Domain -> its host.
    hosts: dict[str, str] = field(default_factory=dict)
    # Domain -> the ids of its jobs.
    jobs: dict[str, set[str]] = field(default_factory=dict)
    # Host -> why it takes nothing new.
    maintenance: dict[str, str] = field(default_factory=dict)
    # What could not be asked, and why.
    problems: list[str] = field(default_factory=list)
    # Domain and job -> the seconds of its lease, and those that are left of them.
    leases: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A node as Slurm has it."""

    name: str
    states: frozenset[str]
    reason: str

    @property
    def is_ours(self) -> bool:
        """Whether we left it out."""
        return self.reason.startswith(MARK) and bool(self.states & {"DRAIN", "DRAINED", "DRAINING", "DOWN"})

    @property
    def is_out(self) -> bool:
        """Whether it takes no job, for whatever reason."""
        return bool(self.states & {"DRAIN", "DRAINED", "DRAINING", "DOWN"})


def read(answers: list[dict[str, Any]]) -> Xman:
    """Return what the objects of `rxm --json state` say."""
    found = Xman()
    for answer in answers:
        if not answer["ok"]:
            found.problems.append(f"{answer['host']}: {answer['message']}")
            continue
        told = answer["result"]
        if "maintenance" in told:
            found.maintenance[answer["host"]] = told["maintenance"]["reason"]
        for guest in told["domains"]:
            found.states[guest["name"]] = guest["state"]
            found.hosts[guest["name"]] = answer["host"]
            found.jobs[guest["name"]] = {job["id"] for job in guest["jobs"]}
            for job in guest["jobs"]:
                if "lease" in job:
                    found.leases[guest["name"], job["id"]] = job["lease"], job["lease_left"]
        for other in told.get("others", ()):
            found.states[other["name"]] = "outside"
            found.hosts[other["name"]] = answer["host"]
    return found


def between(
    xman: Xman, jobs: list[Job], nodes: list[Node], marked: set[str], settings: Settings, left_out: Sequence[Job] = ()
) -> list[Difference]:
    """Return all differences.

    `marked` are the numbers of the jobs that we suspended, and `left_out` those that wait and for which nodes have been
    left out for long enough.
    """
    return [
        *(Difference(TELL, "", problem) for problem in xman.problems),
        *_of_domains(xman, jobs),
        *_of_jobs(xman, jobs, marked, settings),
        *_of_nodes(xman, nodes),
        *(Difference(LET_IN, job.name, "nodes are left out that refused it", job=job) for job in left_out),
    ]


def _of_domains(xman: Xman, jobs: list[Job]) -> Iterator[Difference]:
    known = {job.number for job in jobs}
    for domain, numbers in sorted(xman.jobs.items()):
        for number in sorted(numbers - known):
            yield Difference(
                END, domain, f"job {number} is not among Slurm's", xman.hosts[domain], Job(number, number, "", "", "")
            )
    for (domain, number), (lease, left) in sorted(xman.leases.items()):
        if number in known and 2 * left <= lease:
            why = f"{left} s of {lease} are left of job {number}'s lease"
            yield Difference(RENEW, domain, why, xman.hosts[domain], Job(number, number, "", "", ""))


def _of_jobs(xman: Xman, jobs: list[Job], marked: set[str], settings: Settings) -> Iterator[Difference]:
    for job in jobs:
        if not settings.notes(job.partition) or job.state not in ("RUNNING", "SUSPENDED"):
            continue
        # Of a domain whose host does not answer nothing is known.
        if not job.nodes or any(node not in xman.jobs for node in job.nodes):
            continue
        missing = [node for node in job.nodes if job.number not in xman.jobs[node]]
        states = {node: xman.states[node] for node in job.nodes}
        still = sorted(node for node, state in states.items() if state in STILL)
        if missing:
            yield Difference(NOTE, job.name, f"it runs, and is not noted in {', '.join(missing)}", job=job)
        elif job.state == "RUNNING" and still:
            yield Difference(SUSPEND, job.name, f"{', '.join(still)} is {states[still[0]]}", job=job)
        elif job.state == "SUSPENDED" and not still and all(state.startswith("running") for state in states.values()):
            if job.number in marked:
                yield Difference(GO_ON, job.name, "all of its domains go on", job=job)
            else:
                yield Difference(TELL, job.name, "it is suspended, and was not by xman; its domains all go on")


def _of_nodes(xman: Xman, nodes: list[Node]) -> Iterator[Difference]:
    for node in nodes:
        state, host = xman.states.get(node.name), xman.hosts.get(node.name, "")
        if state is None:
            continue
        takes_none = f"maintenance: {xman.maintenance[host]}" if host in xman.maintenance else ""
        if not takes_none and state in TAKEN:
            takes_none = f"its domain is {state}"
        if takes_none and not node.is_out:
            yield Difference(DRAIN, node.name, takes_none, host)
        elif not takes_none and node.is_ours and state in (*USABLE, "outside", "down-bootable"):
            yield Difference(
                BRING_BACK, node.name, f"its domain is {state}" if state != "outside" else "it is there", host
            )
