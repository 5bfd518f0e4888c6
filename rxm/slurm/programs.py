"""What Slurm's programs do: each takes its words and the environment, and returns an exit status."""

import json
import subprocess
import sys
import syslog
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rxm.slurm import policy
from rxm.slurm.settings import Settings
from rxm.targets import expand
from xman import lowlevel, outcome

# Any other than 0 makes Slurm requeue the job (slurm.conf(5), PrologSlurmctld).
GO, NO = 0, 1
# A command of Slurm's answers within its MessageTimeout; this is for one whose controller is gone.
_SLURM_SECONDS = 30.0
# States of jobs that have nodes: running, suspended, being configured, completing, and on their way between these.
_STATES = "R,S,CF,CG,SI,ST,SO,RS"
_MOST_REASON = 200


@dataclass(frozen=True)
class Tools:
    """How the programs reach rxm, Slurm, and whoever reads the log."""

    settings: Settings

    def rxm(self, *words: str) -> list[dict[str, Any]]:
        """Run rxm; return the objects that it printed."""
        own = ["-c", self.settings.rxm_config] if self.settings.rxm_config else []
        done = subprocess.run(  # noqa: S603  # no shell
            [*_launcher(), *own, "--json", "--syslog", "--reason", "Slurm", *words],
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

    def say(self, text: str, severity: int = syslog.LOG_ERR) -> None:
        """Tell whoever reads the log: Slurm throws away what its programs print."""
        syslog.openlog("xman-slurm", syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(severity, " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii"))
        lowlevel.err(f"xman-slurm: {text}\n")

    def drain(self, node: str, reason: str, state: str = "DRAIN") -> None:
        """Leave a node out until somebody looks."""
        self.slurm("scontrol", "update", f"NodeName={node}", f"State={state}", f"Reason=xman: {reason[:_MOST_REASON]}")


def prolog(tools: Tools, _words: Sequence[str], env: Mapping[str, str]) -> int:
    """PrologSlurmctld: the job's domains get their hosts, or the job does not run here."""
    job = _Job(env)
    if not tools.settings.notes(job.partition):
        return GO
    options = ["--preemptible"] if job.partition in tools.settings.preemptible else []
    answers = tools.rxm("job-start", "--id", job.number, "--owner", job.owner, *options, "--", *job.domains)
    wanted = policy.of_all(answers)
    if wanted == policy.ASK:
        if _is_there(tools, job, answers):
            return GO
        tools.rxm("job-stop", "--id", job.number, "--", *job.domains)
    if wanted == policy.GO:
        return GO
    said = policy.message(answers)
    for node, reason in policy.nodes_to_drain(answers).items():
        tools.drain(node, reason)
    if wanted == policy.HOLD:
        tools.say(f"job {job.number} is held: {said}", syslog.LOG_ALERT)
        tools.slurm("scontrol", "requeuehold", job.number)
    else:
        tools.say(f"job {job.number} does not run on {job.nodes}: {said}", syslog.LOG_WARNING)
    return NO


def epilog(tools: Tools, _words: Sequence[str], env: Mapping[str, str]) -> int:
    """EpilogSlurmctld: the job has ended. Slurm only logs a failure; `reconcile` tries again."""
    job = _Job(env)
    if not tools.settings.notes(job.partition):
        return GO
    answers = tools.rxm("job-stop", "--id", job.number, "--", *job.domains)
    # In a domain that is gone it has ended as well.
    answers = [answer for answer in answers if answer.get("code") != outcome.NO_SUCH_DOMAIN]
    if not answers or policy.of_all(answers) == policy.GO:
        return GO
    tools.say(f"the end of job {job.number} could not be noted: {policy.message(answers)}")
    return NO


def resume(tools: Tools, words: Sequence[str], _env: Mapping[str, str]) -> int:
    """ResumeProgram: start the domains that are the nodes `words[0]`; it does not wait for their guests.

    A node that cannot come is said to be down at once, so that its job need not wait for ResumeTimeout.
    """
    answers = tools.rxm("start", "--", *expand(words[0]))
    for answer in answers:
        if policy.advice(int(answer.get("code", outcome.OK))) in (policy.DRAIN, policy.HOLD) and "domain" in answer:
            tools.drain(answer["domain"], answer["message"], "DOWN")
    return _logged(tools, f"resume {words[0]}", answers)


def suspend(tools: Tools, words: Sequence[str], _env: Mapping[str, str]) -> int:
    """SuspendProgram and ResumeFailProgram: shut down the domains that are the nodes `words[0]`."""
    answers = tools.rxm("shutdown", "--force-after", f"{tools.settings.force_after:g}", "--", *expand(words[0]))
    return _logged(tools, f"suspend {words[0]}", answers)


def reconcile(tools: Tools, _words: Sequence[str], _env: Mapping[str, str]) -> int:
    """From cron: end the jobs in domains that Slurm does not know any more; the epilog may have been lost."""
    # Ours first: a job that starts in between is only among Slurm's.
    answers = tools.rxm("job-list")
    running = _running(tools)
    if running is None:
        return NO
    status = GO if policy.of_all(answers) == policy.GO else NO
    for answer in answers:
        for job in answer["result"]["jobs"] if answer["ok"] else ():
            if job["id"] in running:
                continue
            # One that was requeued may have been started again since.
            running = _running(tools)
            if running is None:
                return NO
            if job["id"] in running:
                continue
            tools.say(f"job {job['id']} in {job['domain']} is not among Slurm's: ending it", syslog.LOG_WARNING)
            done = tools.rxm("job-stop", "--id", job["id"], "--", f"{answer['host']}:{job['domain']}")
            status |= _logged(tools, f"the end of job {job['id']}", done)
    return status


def preempted(tools: Tools, _words: Sequence[str], _env: Mapping[str, str]) -> int:
    """A hook of xmand's: the jobs of a domain that is being preempted stand still."""
    return _each_job(tools, "suspend")


def resumed(tools: Tools, _words: Sequence[str], _env: Mapping[str, str]) -> int:
    """A hook of xmand's: they go on."""
    return _each_job(tools, "resume")


PROGRAMS = {
    "prolog": prolog,
    "epilog": epilog,
    "resume": resume,
    "suspend": suspend,
    "reconcile": reconcile,
    "preempted": preempted,
    "resumed": resumed,
}


class _Job:
    """The job as Slurm describes it to PrologSlurmctld and EpilogSlurmctld."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.number = env["SLURM_JOB_ID"]
        self.owner = env.get("SLURM_JOB_USER", "") or env.get("SLURM_JOB_UID", "")
        self.nodes = env["SLURM_JOB_NODELIST"]
        self.domains = expand(self.nodes)
        self.partition = env.get("SLURM_JOB_PARTITION", "")


def _launcher() -> list[str]:
    """Return how rxm is run: by the command that was installed beside ours, which knows where its modules are."""
    beside = Path(sys.argv[0]).with_name("rxm")
    return [str(beside)] if beside.is_file() else [sys.executable, "-m", "rxm"]


def _running(tools: Tools) -> set[str] | None:
    """Return the ids of Slurm's jobs that have nodes, None where it does not answer.

    Of all partitions: those that are hidden would otherwise have none.
    """
    known = tools.slurm("squeue", "--all", "--noheader", "--states", _STATES, "--format", "%A")
    return None if known is None else set(known.split())


def _is_there(tools: Tools, job: _Job, answers: list[dict[str, Any]]) -> bool:
    """Whether every domain of a job has it, whatever the answers to its start were."""
    wanted = {answer["domain"] for answer in answers if "domain" in answer}
    found = tools.rxm("job-list", "--", *job.domains)
    if policy.of_all(found) != policy.GO:
        return False
    return wanted <= {
        entry["domain"] for answer in found for entry in answer["result"]["jobs"] if entry["id"] == job.number
    }


def _each_job(tools: Tools, what: str) -> int:
    told = json.load(sys.stdin)
    status = GO
    for job in told["jobs"]:
        if tools.slurm("scontrol", what, job["id"]) is None:
            status = NO
    return status


def _logged(tools: Tools, what: str, answers: list[dict[str, Any]]) -> int:
    if policy.of_all(answers) == policy.GO:
        return GO
    tools.say(f"{what}: {policy.message(answers)}")
    return NO
