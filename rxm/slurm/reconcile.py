"""The reconciler: looks in what Slurm and xman differ, both ways, says it, and mends it.

One round from a timer, or rounds for ever as a service; of several controllers one at a time, by a lock.
"""

import contextlib
import fcntl
import os
import syslog
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rxm.slurm import differences as diff
from rxm.slurm import policy
from rxm.slurm.comments import Comment
from rxm.slurm.differences import Difference, Node
from rxm.slurm.programs import GO, NO, SLACK_SECONDS, let_in, logged, resume_job, start_job, suspend_job
from rxm.slurm.tools import Job, Tools, fields

_USAGE = "Usage: xman-slurm reconcile [--dry-run] [--every SECONDS]"
_LEAST_SECONDS = 1.0


def reconcile(tools: Tools, words: Sequence[str], _env: Mapping[str, str]) -> int:
    """Do one round, or with `--every SECONDS` one after the other until it is ended; `--dry-run` only says."""
    dry_run, every = "--dry-run" in words, 0.0
    rest = [word for word in words if word != "--dry-run"]
    if rest:
        try:
            if rest[0] != "--every" or len(rest) != 2 or (every := float(rest[1])) < _LEAST_SECONDS:
                raise ValueError
        except ValueError:
            tools.say(_USAGE)
            return NO
    counters = Counters(tools.settings.metrics)
    with _leading(tools, wait=bool(every)) as leads:
        if not leads:
            tools.say("another controller reconciles", syslog.LOG_INFO)
            return GO
        while True:
            status = _round(tools, counters, dry_run)
            if not every:
                return status
            time.sleep(every)


def _round(tools: Tools, counters: "Counters", dry_run: bool) -> int:
    found = _look(tools)
    if found is None:
        counters.add("failed_rounds")
        return NO
    status = GO
    serious = [each for each in found if each.kind in (diff.END, diff.NOTE)]
    if serious and not dry_run:
        # A job may have begun, or ended, between the two questions: what is gone at a second look was none.
        second = _look(tools)
        if second is None:
            return NO
        found = [each for each in found if each not in serious or each in second]
    for each in found:
        if dry_run or each.kind != diff.RENEW:  # which is nothing to be told of
            tools.say(f"{'would ' if dry_run else ''}{each.kind} {each.about}: {each.why}", syslog.LOG_WARNING)
        counters.add(f"{each.kind}_total".replace("-", "_"))
        if each.kind == diff.TELL or (not dry_run and not _mend(tools, each)):
            status = NO
    counters.add("rounds")
    return status


def _look(tools: Tools) -> list[Difference] | None:
    """Return the differences of this moment, None where Slurm does not answer."""
    # Ours first: a job that starts in between is only among Slurm's.
    answers = tools.rxm("state")
    jobs, waiting, nodes = tools.jobs(), tools.left_out(), _nodes(tools)
    if jobs is None or waiting is None or nodes is None:
        return None
    if not answers:
        return [Difference(diff.TELL, "", "rxm could not read the state of any host")]
    suspended = [job for job in jobs if job.state == "SUSPENDED"]
    said = tools.comments([*suspended, *waiting])
    marked = {job.number for job in suspended if said.get(job.number, Comment()).suspended}
    now, longest = time.time(), tools.settings.exclude + SLACK_SECONDS
    left_out = [job for job in waiting if said.get(job.number, Comment()).over(now, longest)]
    return diff.between(diff.read(answers), jobs, nodes, marked, tools.settings, left_out)


def _nodes(tools: Tools) -> list[Node] | None:
    told = tools.slurm("scontrol", "--all", "--oneliner", "show", "node")
    if told is None:
        return None
    found = [fields(line) for line in told.splitlines() if line.startswith("NodeName=")]
    return [
        Node(each["NodeName"], frozenset(each.get("State", "").replace("*", "").split("+")), each.get("Reason", ""))
        for each in found
    ]


def _mend(tools: Tools, each: Difference) -> bool:
    """Mend one difference; return whether that was done."""
    job = each.job or Job("", "", "", "", "")
    if each.kind == diff.END:
        done = tools.rxm("job-stop", "--id", job.number, "--", f"{each.host}:{each.about}")
        return logged(tools, f"the end of job {job.number}", done) == GO
    if each.kind == diff.RENEW:
        done = tools.rxm("job-renew", "--id", job.number, "--", f"{each.host}:{each.about}")
        return logged(tools, f"the lease of job {job.number}", done) == GO
    if each.kind == diff.NOTE:
        answers = start_job(tools, job)
        return logged(tools, f"job {job.name}", answers) == GO and policy.of_all(answers) == policy.GO
    if each.kind == diff.SUSPEND:
        return suspend_job(tools, job)
    if each.kind == diff.GO_ON:
        return resume_job(tools, job)
    if each.kind == diff.LET_IN:
        return let_in(tools, job.name)
    if each.kind == diff.DRAIN:
        return tools.update_node(each.about, "DRAIN", each.why)
    return tools.update_node(each.about, "RESUME")


@contextlib.contextmanager
def _leading(tools: Tools, *, wait: bool) -> Iterator[bool]:
    """Give whether we are the one that reconciles; a service waits until it is."""
    path = tools.settings.lock
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


class Counters:
    """What was found and done, for Prometheus: a file in its text format, replaced as a whole."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._values: dict[str, float] = {}
        if self._path is not None:
            # A round from a timer goes on counting where the one before it ended.
            with contextlib.suppress(OSError, ValueError):
                for line in self._path.read_text().splitlines():
                    name, _, value = line.partition(" ")
                    if name.startswith("xman_slurm_"):
                        self._values[name.removeprefix("xman_slurm_")] = float(value)

    def add(self, name: str) -> None:
        """Count one more, and write it down; a file that cannot be written stops nothing."""
        self._values[name] = self._values.get(name, 0.0) + 1
        self._values["last_round_seconds"] = time.time()
        if self._path is None:
            return
        lines = []
        for key, value in sorted(self._values.items()):
            kind, digits = ("gauge", ".0f") if key.startswith("last") else ("counter", "g")
            lines.append(f"# TYPE xman_slurm_{key} {kind}\nxman_slurm_{key} {value:{digits}}\n")
        with contextlib.suppress(OSError):
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            new.write_text("".join(lines))
            new.replace(self._path)
