"""The machine that judges Slurm and xman together: random jobs, hands and faults, and what has to hold meanwhile.

Whatever happens: a host has one owner, no job is lost, held, or waits beside a host that could take it, and xmand has
the jobs that Slurm has. What Slurm itself makes a job wait for (its own delay after a requeue by hand) is not counted.
"""

import contextlib
import random
import statistics
import time
from dataclasses import dataclass, field

from tests.lab.process import slowness
from tests.slurm.fleet import ELASTIC, HIGH, LOW, SHARED, Fleet

# Layouts: in which partitions jobs are submitted.
TWO_DOMAINS, ELASTIC_ONLY, MIXED = ("low", "high"), ("elastic",), ("low", "high", "elastic")
LAYOUTS = {"two domains a host": TWO_DOMAINS, "elastic": ELASTIC_ONLY, "mixed": MIXED}
# What xmand and Slurm say may differ for so long; longer than that is a violation.
DIFFER_SECONDS = 10.0
# Slurm's main scheduler looks at everything once a minute.
STUCK_SECONDS = 75.0
# What Slurm makes a job wait that somebody requeued.
_REQUEUE_SECONDS = 125.0
# A controller that is restarted can lose a job's launch, and then waits for minutes: the soak has room for that.
QUICK_FAULTS = ("kdc", "xmand", "crash", "hooks")
FAULTS = (*QUICK_FAULTS, "slurmctld")
_FAULT_SECONDS = (2.0, 5.0)
# Slurm does not judge a job that began less than BatchStartTimeout and MessageTimeout ago.
STARTED_SECONDS = 25.0
_ALL_SECONDS = 240.0
_TAKES = {"low": ("free", "running-preemptible", "running"), "high": ("free", "occupied-would-preempt", "running")}


@dataclass
class Submitted:
    """A job that was submitted, and what is known of its waiting."""

    number: str
    partition: str
    nodes: int
    at: float
    tasks: int = 1
    cancelled: bool = False
    requeued_at: float = 0.0
    # Since when there has been room for it without a break; when there was none the last time, as far as was seen.
    room_since: float | None = None
    no_room_at: float = 0.0
    waited: float | None = None


@dataclass
class Machine:
    """One scenario on a fleet."""

    fleet: Fleet
    chance: random.Random
    jobs: int
    layout: tuple[str, ...] = MIXED
    # How many of them are elastic at most: these wait for Slurm's slow clock, and come first.
    elastic: int = 1000
    kinds: tuple[str, ...] = FAULTS
    submitted: list[Submitted] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _since: dict[str, float] = field(default_factory=dict)
    _fault: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _fault_ends: float = 0.0
    _calm_since: float = 0.0
    _suspended: set[str] = field(default_factory=set)
    _began: float = 0.0
    faults: int = 0
    _restarted_at: float = 0.0
    # Which faults come next: each kind as often as the others.
    _coming: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Submit all jobs, with hands and faults in between, and go on until every job has ended."""
        self.look()  # who looks has tickets by now
        self._began = self._calm_since = time.time()
        with self._fault:
            while sum(job.tasks for job in self.submitted) < self.jobs:
                for _each in range(self.chance.randrange(3)):
                    self._submit()
                self._happen()
                self.look()
        self._fault_is_over()
        for name in sorted(self._suspended):
            self.fleet.cluster.run("scontrol", "resume", name)
        give_up = time.time() + _ALL_SECONDS * slowness()
        while self.look() and time.time() < give_up:
            self._nodes_register_again()
            time.sleep(0.3)
        self._judge_ends()

    # --- what happens ------------------------------------------------------------------------------------------------

    def _submit(self) -> None:
        early = [job for job in self.submitted if job.partition == "elastic"]
        partition = self.chance.choice(self.layout)
        if "elastic" in self.layout and not early:
            partition = "elastic"
        elif partition == "elastic" and len(early) >= self.elastic:
            partition = self.chance.choice(TWO_DOMAINS)
        words, nodes, tasks = [f"--nice={self.chance.randrange(1000)}"], 1, 1
        kind = self.chance.random()
        if partition != "elastic" and kind < 0.15:
            words, nodes = [*words, "-N2"], 2
        elif kind < 0.3:
            words, tasks = [*words, "--array=1-3"], 3
        seconds = self.chance.choice(("0.2", "1", "3"))
        number = self.fleet.cluster.submit(partition, f"sleep {seconds}", *words)
        self.submitted.append(Submitted(number, partition, nodes, time.time(), tasks))

    def _happen(self) -> None:
        now = time.time()
        if self._fault_ends and now >= self._fault_ends:
            self._fault.close()
            self._fault_is_over()
        what = self.chance.random()
        if what < 0.5 and not self._fault_ends:
            self._begin_fault()
        elif what < 0.8:
            self._lend_a_hand()

    def _begin_fault(self) -> None:
        self.faults += 1
        seconds = self.chance.uniform(*_FAULT_SECONDS)
        if not self._coming:
            self._coming = self.chance.sample(self.kinds, len(self.kinds))
        kind = self._coming.pop()
        host = self.chance.choice(SHARED)
        if kind == "kdc":
            self.fleet.forget_tickets()
            self._fault.enter_context(self.fleet.realm.kdc_away())
            self._fault_ends = time.time() + seconds
        elif kind == "hooks":
            self._fault.enter_context(self.fleet.hooks_fail())
            self._fault_ends = time.time() + seconds
        elif kind == "slurmctld":
            self.fleet.cluster.restart()
            self._restarted_at = time.time()
            self._fault_is_over()
        else:
            self.fleet.restart_xmand(host, crash=kind == "crash")
            self._fault_is_over()

    def _nodes_register_again(self) -> None:
        """Do what the guide says of a controller that was restarted: jobs whose launch it lost are found by that."""
        if self._restarted_at and time.time() - self._restarted_at > STARTED_SECONDS:
            self._restarted_at = 0.0
            self.fleet.cluster.run("scontrol", "reconfigure")

    def _fault_is_over(self) -> None:
        self._fault_ends, self._calm_since = 0.0, time.time()

    def _lend_a_hand(self) -> None:
        """Cancel, requeue or suspend one of the jobs, as its user or an administrator would."""
        queue = [job for job in self.fleet.queue() if job["partition"] != "elastic"]
        if not queue:
            return
        job = self.chance.choice(queue)
        kind = self.chance.choice(("cancel", "requeue", "suspend"))
        own = next((each for each in self.submitted if each.number == job["name"].partition("_")[0]), None)
        if own is None:
            return
        if kind == "cancel":
            own.cancelled = True
            self.fleet.cluster.run("scancel", job["name"])
        elif kind == "requeue" and job["state"] == "RUNNING":
            own.requeued_at = time.time()
            self.fleet.cluster.run("scontrol", "requeue", job["name"])
            # Slurm would let it wait for two minutes.
            self.fleet.cluster.run("scontrol", "update", f"JobId={job['name']}", "StartTime=now")
        elif kind == "suspend" and job["state"] == "RUNNING":
            self.fleet.cluster.run("scontrol", "suspend", job["name"])
            self._suspended.add(job["name"])
        elif job["name"] in self._suspended:
            self._suspended.discard(job["name"])
            self.fleet.cluster.run("scontrol", "resume", job["name"])

    # --- what has to hold --------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Look at everything once; return whether there are jobs."""
        guests, queue, now = self.fleet.guests(), self.fleet.queue(), time.time()
        for host in SHARED:
            owners = sorted(name for name, g in guests.items() if name[0] == host and g["state"].startswith("running"))
            if len(owners) > 1:
                self.violations.append(f"{host} has the owners {owners}")
        self._judge_room(guests, queue, now)
        seen = set(self._judge_jobs(guests, queue))
        for job in queue:
            if "Held" in job["reason"]:
                seen.add(f"job {job['name']} is held ({job['reason']})")
        self._since = {what: self._since.get(what, now) for what in seen}
        limit = DIFFER_SECONDS * slowness()
        for what, since in self._since.items():
            if now - max(since, self._calm_since) > limit and not self._fault_ends:
                self.violations.append(f"for {now - since:.0f} s: {what}")
        return bool(queue)

    def _judge_jobs(self, guests: dict[str, dict[str, object]], queue: list[dict[str, str]]) -> list[str]:
        there = {(name, str(job["id"])) for name, guest in guests.items() for job in guest["jobs"]}  # type: ignore[attr-defined]
        found = []
        may = set()
        for job in queue:
            if job["partition"] == "elastic" or not job["nodes"]:
                continue
            nodes = self._expanded(job["nodes"])
            may |= {(node, job["id"]) for node in nodes}
            for node in nodes:
                if node in guests and job["state"] in ("RUNNING", "SUSPENDED") and (node, job["id"]) not in there:
                    found.append(f"job {job['id']} is {job['state']} on {node}, and xmand does not know it")
                if node in guests and job["state"] == "RUNNING" and guests[node]["state"] == "preempted":
                    found.append(f"job {job['id']} runs in {node}, which is preempted")
        found += [f"xmand has job {number} in {node}, and Slurm has not" for node, number in sorted(there - may)]
        return found

    def _judge_room(self, guests: dict[str, dict[str, object]], queue: list[dict[str, str]], now: float) -> None:
        waiting = {job["name"].partition("_")[0]: job for job in queue if job["state"] == "PENDING"}
        granted = self.fleet.grants()
        for job in self.submitted:
            if job.partition == "elastic" or job.waited is not None:
                continue
            nodes = LOW if job.partition == "low" else HIGH
            room = [node for node in nodes if node in guests and guests[node]["state"] in _TAKES[job.partition]]
            if job.number in granted and not job.requeued_at and job.tasks == 1:
                # Room came at some time after it was last seen that there was none: so it waited no longer than this.
                job.waited = max(0.0, granted[job.number] - max(job.no_room_at, job.at))
            elif len(room) < job.nodes or job.number not in waiting:
                job.room_since, job.no_room_at = None, now
            elif job.room_since is None:
                job.room_since = now
            elif not self._fault_ends and now - job.requeued_at > _REQUEUE_SECONDS:
                waited = now - max(job.room_since, self._calm_since)
                if waited > STUCK_SECONDS * slowness():
                    reason = waiting[job.number]["reason"]
                    self.violations.append(f"job {job.number} has waited {waited:.0f} s beside {room} ({reason})")
                    job.room_since = now

    def _judge_ends(self) -> None:
        for left in self.fleet.queue():
            self.violations.append(f"job {left['name']} has not ended: {left['state']} ({left['reason']})")
        ends = self.fleet.ends()
        for job in self.submitted:
            fine = ("COMPLETED", "CANCELLED") if job.cancelled else ("COMPLETED",)
            if ends.get(job.number) not in fine:
                self.violations.append(f"job {job.number} ended as {ends.get(job.number)}")

    @staticmethod
    def _expanded(nodes: str) -> list[str]:
        from rxm.targets import expand

        return list(expand(nodes))

    def waits(self) -> list[float]:
        """Return how long jobs waited for their domains once there was room, in seconds, where that was measured."""
        return [job.waited for job in self.submitted if job.waited is not None]

    def report(self) -> str:
        """Return what was run and measured."""
        waits = self.waits()
        median = f"{statistics.median(waits):.1f} s" if waits else "-"
        most = f"{max(waits):.1f} s" if waits else "-"
        return (
            f"{sum(job.tasks for job in self.submitted)} jobs, {self.faults} faults"
            f" in {time.time() - self._began:.0f} s; granted {median} after there was room, in the median of"
            f" {len(waits)}; {most} at most"
        )


def all_nodes() -> tuple[str, ...]:
    """Return the nodes of every layout."""
    return (*LOW, *HIGH, *ELASTIC)
