"""How Slurm's programs reach rxm, Slurm, and whoever reads the log; the only module of theirs that starts programs."""

import json
import subprocess
import sys
import syslog
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rxm.slurm import comments, policy
from rxm.slurm.comments import MARK, Comment
from rxm.slurm.settings import Settings
from xman import lowlevel

# A command of Slurm's answers within its MessageTimeout; this is for one whose controller is gone.
_SLURM_SECONDS = 30.0
# Between two tries of what passes.
_PAUSE_SECONDS = 1.0
# States of jobs that have nodes: running, suspended, being configured, completing, and on their way between these.
_STATES = "R,S,CF,CG,SI,ST,SO,RS"
_FORMAT = "%A|%F|%K|%T|%P|%u|%N"
_LEFT_OUT = "%A|%F|%K|%T|%P|%u|%x"
# Jobs that are asked for one by one; of more, scontrol tells all that there are at once.
_FEW = 20
_SHOW_JOBS = ("scontrol", "--oneliner", "--all", "show", "job")
_MOST_REASON = 200


@dataclass(frozen=True)
class Job:
    """A job that has nodes, as squeue tells it. `number` is unique; `name` is what scontrol takes for it alone."""

    number: str
    name: str
    state: str
    partition: str
    owner: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tools:
    """What the programs are given."""

    settings: Settings

    def rxm(self, *words: str, patient: bool = False) -> list[dict[str, Any]]:
        """Run rxm; return the objects that it printed. Where `patient`, try again for a while what passes."""
        give_up = time.monotonic() + self.settings.patience
        while True:
            answers = self._rxm(words)
            if not patient or not policy.passes(answers) or time.monotonic() >= give_up:
                return answers
            time.sleep(_PAUSE_SECONDS)

    def _rxm(self, words: tuple[str, ...]) -> list[dict[str, Any]]:
        own = ["-c", self.settings.rxm_config] if self.settings.rxm_config else []
        done = subprocess.run(  # noqa: S603  # no shell
            [*_command("rxm"), *own, "--json", "--syslog", "--reason", "Slurm", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            answers = [json.loads(line) for line in done.stdout.splitlines()]
        except ValueError:
            answers = []
        if not answers:
            self.say(f"rxm {words[0]} printed no JSON (exit status {done.returncode}): {done.stderr.strip()}")
        return answers

    def slurm(self, *words: str) -> str | None:
        """Run a command of Slurm's; return what it printed, None where it failed."""
        try:
            done = subprocess.run(  # noqa: S603  # no shell
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SLURM_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self.say(f"{words[0]}: {error}")
            return None
        if done.returncode:
            self.say(f"{' '.join(words)}: {done.stderr.strip()}")
            return None
        return done.stdout

    def detached(self, *words: str) -> None:
        """Start xman-slurm for what can only be done once the program that Slurm waits for has ended."""
        subprocess.Popen(  # noqa: S603  # no shell
            [*_command("xman-slurm"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def jobs(self) -> list[Job] | None:
        """Return Slurm's jobs that have nodes, None where it does not answer.

        Of all partitions: those that are hidden would otherwise have none.
        """
        told = self.slurm("squeue", "--all", "--noheader", "--states", _STATES, "--format", _FORMAT)
        return None if told is None else [job_of(line) for line in told.splitlines() if line.count("|") == 6]

    def left_out(self) -> list[Job] | None:
        """Return the jobs that wait and for which nodes are left out, by whomever: these are their `nodes`.

        None where Slurm does not answer.
        """
        told = self.slurm("squeue", "--all", "--noheader", "--states", "PD", "--format", _LEFT_OUT)
        if told is None:
            return None
        lines = (line for line in told.splitlines() if line.count("|") == 6 and not line.endswith("|(null)"))
        return [job for job in map(job_of, lines) if job.nodes]

    def comments(self, jobs: Sequence[Job]) -> dict[str, Comment]:
        """Return what we have said of jobs, by number; nothing of those of which Slurm tells nothing.

        squeue has a column for that, which stays empty in some releases of Slurm.
        """
        if len(jobs) <= _FEW:
            return self._comments_of_each(jobs)
        told = [fields(line) for line in (self.slurm(*_SHOW_JOBS) or "").splitlines()]
        lines = Counter(each["JobId"] for each in told if "JobId" in each)
        # A user's own words may have lines in them: of a number that has two, one is made up.
        found = {
            each["JobId"]: comments.of(each.get("AdminComment", ""))
            for each in told
            if lines[each.get("JobId", "")] == 1
        }
        return found | self._comments_of_each([job for job in jobs if lines[job.number] > 1])

    def _comments_of_each(self, jobs: Sequence[Job]) -> dict[str, Comment]:
        found = {}
        for job in jobs:
            lines = map(fields, (self.slurm(*_SHOW_JOBS, job.name) or "").splitlines())
            # The first line of its number is its own.
            own = next((each for each in lines if each.get("JobId") == job.number), None)
            if own is not None:
                found[job.number] = comments.of(own.get("AdminComment", ""))
        return found

    def update_job(self, name: str, *changes: str) -> bool:
        """Change a job; return whether Slurm took that."""
        return self.slurm("scontrol", "update", f"JobId={name}", *changes) is not None

    def update_node(self, node: str, state: str, reason: str = "") -> bool:
        """Change a node's state; return whether Slurm took that."""
        why = [f"Reason={MARK}{reason[:_MOST_REASON]}"] if reason else []
        return self.slurm("scontrol", "update", f"NodeName={node}", f"State={state}", *why) is not None

    def drain(self, node: str, reason: str, state: str = "DRAIN") -> None:
        """Leave a node out; the reconciler brings it back when its domain can be used."""
        self.update_node(node, state, reason)

    def say(self, text: str, severity: int = syslog.LOG_ERR) -> None:
        """Tell whoever reads the log: Slurm throws away what its programs print."""
        syslog.openlog("xman-slurm", syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(severity, " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii"))
        lowlevel.err(f"xman-slurm: {text}\n")


def job_of(line: str) -> Job:
    """Return the job that a line of squeue's is about (`_FORMAT`, `_LEFT_OUT`).

    The last task of an array has the array's own number: by that scontrol would act on all its siblings.
    """
    from rxm.targets import expand

    number, array, task, state, partition, owner, nodes = line.split("|")
    name = f"{array}_{task}" if task.isdigit() else number
    return Job(number, name, state, partition, owner, tuple(expand(nodes)) if nodes.strip() else ())


def fields(line: str) -> dict[str, str]:
    """Return the `Key=value` words of one line of `scontrol --oneliner show`; a reason may have blanks.

    A job's name, comment and paths are its user's own words, and may look like other keys: one that is there twice is
    none. Nothing escapes them.
    """
    found: dict[str, str] = {}
    twice: set[str] = set()
    key = ""
    for word in line.split(" "):
        name, equals, value = word.partition("=")
        if equals and name[:1].isupper() and name.replace(":", "").replace("_", "").isalnum():
            key = name
            if key in found:
                twice.add(key)
            found[key] = value
        elif key:
            found[key] += f" {word}"
    return {name: value.strip() for name, value in found.items() if name not in twice}


def _command(name: str) -> list[str]:
    """Return how a program is run: as it was installed beside ours, which knows where its modules are."""
    beside = Path(sys.argv[0]).with_name(name)
    if beside.is_file():
        return [str(beside)]
    return [sys.executable, "-m", "rxm" if name == "rxm" else "rxm.slurm.cli"]
