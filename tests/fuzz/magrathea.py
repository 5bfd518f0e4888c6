"""Magrathea's master in exclusive mode, as an event machine that remembers a status for each domain.

Written from the rules of the original (the numbers in the comments), not from our functions, so that it can judge them.
Ours are: several preempted domains come back oldest first; any running domain may be frozen; a domain preempted by hand
stays so; a frozen domain without jobs reserves nothing; a job may end by itself, as if it had been stopped; and a claim
keeps the host for one job: nobody else gets it meanwhile.
"""

from dataclasses import dataclass, field

DOWN, BOOTING, IDLE, RUNNING, SOFT, PREEMPTED, FROZEN = (
    "down",
    "booting",
    "idle",
    "running",
    "running-preemptible",
    "preempted",
    "frozen",
)


@dataclass
class Slave:
    """One domain: `status` is what the master last decided, `jobs` maps an id to whether it was called preemptible."""

    name: str
    priority: bool
    status: str = IDLE
    jobs: dict[str, bool] = field(default_factory=dict)
    preempted_at: int = 0
    by_hand: bool = False

    @property
    def all_soft(self) -> bool:
        """Rule 3: preemptible jobs count as such in a normal domain only."""
        return not self.priority and all(self.jobs.values())


class Machine:
    """The host. Every event returns whether it was accepted; a refused one changes nothing."""

    def __init__(self, priorities: list[bool]) -> None:
        self.slaves = [Slave(f"vm{n}", priority) for n, priority in enumerate(priorities)]
        self._clock = 0
        self.claim_of: tuple[Slave, str] | None = None

    def start(self, slave: Slave, job: str, soft: bool) -> bool:
        """A job's prologue (rules 2, 3 and 4)."""
        if job in slave.jobs:
            return True
        if not self._may_start(slave, job, soft):
            return False
        self.claim_of = None
        if slave.status == IDLE:
            for loser in [s for s in self.slaves if s.status == SOFT]:
                self._preempt(loser)
            slave.status = SOFT if soft and not slave.priority else RUNNING
        elif slave.status == SOFT and not soft:
            slave.status = RUNNING
        slave.jobs[job] = soft
        return True

    def claim(self, slave: Slave, job: str, soft: bool) -> bool:
        """The host is kept for a job that could start now."""
        if job in slave.jobs:
            return True
        if not self._may_start(slave, job, soft):
            return False
        self.claim_of = slave, job
        return True

    def lapse(self, _slave: Slave) -> bool:
        """Whatever claim there is ends."""
        if self.claim_of is not None:
            self.claim_of = None
            self._optimise()
        return True

    def end(self, slave: Slave, job: str) -> bool:
        """A job's lease ends."""
        if job in slave.jobs:
            self.stop(slave, job)
        return True

    def _may_start(self, slave: Slave, job: str, soft: bool) -> bool:
        if slave.status in (DOWN, BOOTING, PREEMPTED, FROZEN) or self._boots():
            return False
        if self.claim_of is not None and self.claim_of[1] != job:
            return False
        counts_soft = soft and not slave.priority
        if not counts_soft and any(s.status == FROZEN and s.jobs for s in self.slaves):
            return False
        if slave.status == IDLE:
            in_the_way = [s for s in self.slaves if s.status in (RUNNING, SOFT)]
            if in_the_way and not (slave.priority and all(s.status == SOFT for s in in_the_way)):
                return False
            return not any(job in s.jobs for s in in_the_way)  # it would preempt itself
        return True

    def stop(self, slave: Slave, job: str) -> bool:
        """A job's epilogue."""
        if job not in slave.jobs and self.claim_of == (slave, job):
            self.claim_of = None
        slave.jobs.pop(job, None)
        if not slave.jobs:
            slave.by_hand = False
            if slave.status in (RUNNING, SOFT, PREEMPTED):
                slave.status = IDLE
        elif slave.status == RUNNING and slave.all_soft:
            slave.status = SOFT
        self._optimise()
        return True

    def preempt(self, slave: Slave) -> bool:
        """By hand."""
        if slave.status == PREEMPTED:
            slave.by_hand = True
            return True
        if slave.status != SOFT or self._boots():
            return False
        self._preempt(slave)
        slave.by_hand = True
        self._optimise()
        return True

    def unpreempt(self, slave: Slave) -> bool:
        """By hand."""
        # One without jobs is not preempted, which is what was asked for.
        if slave.status in (RUNNING, SOFT) or (slave.status not in (DOWN, FROZEN) and not slave.jobs):
            return True
        if slave.status != PREEMPTED or self._boots() or self._owner() or self.claim_of:
            return False
        slave.by_hand = False
        self._wake(slave)
        return True

    def freeze(self, slave: Slave) -> bool:
        """Rule 7, for every running domain."""
        if slave.status == FROZEN:
            return True
        if slave.status not in (RUNNING, SOFT) or self._boots():
            return False
        slave.status = FROZEN
        self._optimise()
        return True

    def defrost(self, slave: Slave) -> bool:
        """Rule 7: it preempts what it needs."""
        if slave.status != FROZEN:
            return slave.status not in (DOWN,)
        if self._boots() or self.claim_of:
            return False
        owner = self._owner()
        if owner is not None:
            if not slave.jobs or owner.status != SOFT:
                return False
            self._preempt(owner)
        if slave.jobs:
            slave.status = SOFT if slave.all_soft else RUNNING
        else:
            slave.status = IDLE
        return True

    def vanish(self, slave: Slave) -> bool:
        """Rule 8."""
        slave.jobs.clear()
        slave.by_hand = False
        slave.status = DOWN
        if self.claim_of is not None and self.claim_of[0] is slave:
            self.claim_of = None
        self._optimise()
        return True

    def boot(self, slave: Slave) -> bool:
        """An administrator starts it."""
        if slave.status != DOWN:
            return False
        slave.status = BOOTING
        return True

    def up(self, slave: Slave) -> bool:
        """Its guest reports for the first time."""
        if slave.status == BOOTING:
            slave.status = IDLE
            self._optimise()
        return True

    def outward(self, slave: Slave) -> str:
        """What is told to the world (rules 5b and 8)."""
        others = [s for s in self.slaves if s is not slave]
        boots = any(s.status == BOOTING for s in others)
        running = [s for s in others if s.status in (RUNNING, SOFT)]
        if slave.status == DOWN:
            return "down" if boots or self.claim_of or any(s.status == RUNNING for s in running) else "down-bootable"
        if slave.status in (BOOTING, FROZEN):
            return slave.status
        if boots:
            return "occupied-booting"
        if slave.status != IDLE:
            return slave.status
        if self.claim_of:
            return "occupied"
        if not running:
            return "free"
        if slave.priority and all(s.status == SOFT for s in running):
            return "occupied-would-preempt"
        return "occupied"

    def _owner(self) -> Slave | None:
        return next((s for s in self.slaves if s.status in (RUNNING, SOFT)), None)

    def _boots(self) -> bool:
        return any(s.status == BOOTING for s in self.slaves)

    def _preempt(self, slave: Slave) -> None:
        self._clock += 1
        slave.status, slave.preempted_at = PREEMPTED, self._clock

    def _wake(self, slave: Slave) -> None:
        slave.status = SOFT if slave.all_soft else RUNNING

    def _optimise(self) -> None:
        """Rule 5a: once nobody runs, the one that has waited longest goes on."""
        if self._owner() is not None or self._boots() or self.claim_of is not None:
            return
        waiting = [s for s in self.slaves if s.status == PREEMPTED and not s.by_hand]
        if waiting:
            self._wake(min(waiting, key=lambda s: s.preempted_at))
