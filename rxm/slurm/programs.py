"""What Slurm's programs do: each takes its words and the environment, and returns an exit status."""

import json
import sys
import syslog
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rxm.slurm import comments, policy
from rxm.slurm.comments import Comment
from rxm.slurm.tools import Job, Tools, fields
from rxm.targets import expand
from xman import outcome

# Any other than 0 makes Slurm requeue the job (slurm.conf(5), PrologSlurmctld).
GO, NO = 0, 1
# Slurm requeues a job once its prolog has ended, in a second; a controller under load takes longer.
_REQUEUE_SECONDS = 60.0
_LOOK_SECONDS = 0.5
# What a clock may differ by, beyond the time for which nodes are left out, before it counts as set back.
SLACK_SECONDS = 5.0
# Slurm's reason of a job that no node can ever take as it is.
_NOWHERE = "BadConstraints"
# What a hook of one host asks others: they may be in the middle of a decision that waits for a hook as well.
_HOOK_SECONDS = "5"
# The batch states in which a job goes on.
GOES_ON = ("running", "running-preemptible")


def prolog(tools: Tools, _words: Sequence[str], env: Mapping[str, str]) -> int:
    """PrologSlurmctld: the job's domains get their hosts, or the job does not run here."""
    job = _job(env)
    if not tools.settings.notes(job.partition):
        return GO
    refused = _not_claimed(tools, job)
    answers = refused or start_job(tools, job)
    wanted = policy.of_all(answers)
    if wanted == policy.ASK:
        if _is_there(tools, job, answers):
            return GO
        tools.rxm("job-stop", "--id", job.number, "--", *job.nodes, patient=True)
        wanted = policy.LATER
    elif wanted != policy.GO and len(job.nodes) > 1 and not refused:
        # What did not start is still kept for it; where nobody answers, that ends by itself.
        tools.rxm("job-claim", "--id", job.number, "--release", "--", *job.nodes)
    if wanted == policy.GO:
        return GO
    said = policy.message(answers)
    for node, reason in policy.nodes(answers, policy.DRAIN).items():
        tools.drain(node, reason)
    if wanted == policy.HOLD:
        tools.say(f"job {job.name} is held: {said}", syslog.LOG_ALERT)
        tools.slurm("scontrol", "requeuehold", job.name)
        return NO
    tools.say(f"job {job.name} does not run on {','.join(job.nodes)}: {said}", syslog.LOG_WARNING)
    # Slurm would try it again after two minutes, maybe on the same node.
    left_out = [*policy.nodes(answers, policy.ELSEWHERE), *policy.nodes(answers, policy.DRAIN)]
    tools.detached("again", job.name, ",".join(left_out) or "-")
    return NO


def _not_claimed(tools: Tools, job: Job) -> list[dict[str, Any]]:
    """Keep all hosts of a job on several nodes for it; return the answers where that cannot be, nothing where it is.

    So nobody is preempted on one host for a job that another one does not take, and no other job gets in between.
    Where an xmand is older than claims, or does not let us claim, the start itself decides.
    """
    if len(job.nodes) < 2:
        return []
    words = ("job-claim", "--id", job.number, *_preemptible(tools, job), "--", *job.nodes)
    answers = tools.rxm(*words, patient=True)
    codes = {int(answer.get("code", outcome.OK)) for answer in answers}
    without = codes & {outcome.USAGE, outcome.UNSUPPORTED, outcome.DENIED}
    return [] if without or policy.of_all(answers) == policy.GO else answers


def _preemptible(tools: Tools, job: Job) -> list[str]:
    return ["--preemptible"] if job.partition in tools.settings.preemptible else []


def start_job(tools: Tools, job: Job) -> list[dict[str, Any]]:
    """Give a job its domains; return the answers."""
    options = _preemptible(tools, job)
    if tools.settings.lease:
        options += ["--lease", str(tools.settings.lease)]
    words = ("job-start", "--id", job.number, "--owner", job.owner, *options, "--", *job.nodes)
    return tools.rxm(*words, patient=True)


def again(tools: Tools, words: Sequence[str], _env: Mapping[str, str]) -> int:
    """Start the job `words[0]` anew once Slurm has requeued it, for a while not on the nodes `words[1]` (`-`: any)."""
    name, refused = words[0], set() if words[1] == "-" else set(words[1].split(","))
    give_up = time.monotonic() + _REQUEUE_SECONDS
    while (found := _pending(tools, name)) is None:
        if time.monotonic() >= give_up:
            return NO
        time.sleep(_LOOK_SECONDS)
    said = comments.of(found.get("AdminComment", ""))
    if said.suspended and found.get("Priority") == "0":
        # It was preempted, and suspended, when it had hardly begun: Slurm holds what it requeues from there.
        tools.slurm("scontrol", "release", name)
    if not refused:
        if said.suspended:
            tools.update_job(name, f"AdminComment={replace(said, suspended=False)}")
        time.sleep(tools.settings.later)
        return GO if tools.update_job(name, "StartTime=now") else NO
    until = int(time.time() + tools.settings.exclude)
    wanted = Comment(left_out={**said.left_out, **dict.fromkeys(refused, until)}, others=said.others)
    _leave_out(tools, name, found, wanted)
    time.sleep(tools.settings.exclude)
    let_in(tools, name)
    return GO


def let_in(tools: Tools, name: str) -> bool:
    """Let a job that waits have again the nodes that refused it; return whether that was done, or need not be.

    Where this process does not live to see it, or the job runs elsewhere meanwhile, the reconciler does it later.
    """
    found = _pending(tools, name)
    if found is None:
        return True
    said = comments.of(found.get("AdminComment", ""))
    over = said.over(time.time(), tools.settings.exclude + SLACK_SECONDS)
    left = {node: until for node, until in said.left_out.items() if node not in over}
    if not _leave_out(tools, name, found, replace(said, left_out=left)):
        return False
    if found.get("Priority") == "0" and found.get("Reason") == _NOWHERE:
        # No node was left for it, and what Slurm finds to be so it holds for good.
        return tools.slurm("scontrol", "release", name) is not None
    return True


def _leave_out(tools: Tools, name: str, found: Mapping[str, str], wanted: Comment) -> bool:
    """Let the nodes be left out for a job that `wanted` names, and those that its user left out."""
    out = found.get("ExcNodeList", "").removeprefix("(null)")
    own = set(expand(out) if out else ()) - set(comments.of(found.get("AdminComment", "")).left_out)
    nodes = ",".join(sorted(own | set(wanted.left_out)))
    return tools.update_job(name, f"ExcNodeList={nodes}", f"AdminComment={wanted}", "StartTime=now")


def _pending(tools: Tools, name: str) -> dict[str, str] | None:
    """Return what Slurm says of a job that waits, None of one that does not."""
    told = tools.slurm("scontrol", "--oneliner", "show", "job", name)
    found = fields((told or "").strip().splitlines()[0]) if (told or "").strip() else {}
    return found if found.get("JobState") == "PENDING" else None


def epilog(tools: Tools, _words: Sequence[str], env: Mapping[str, str]) -> int:
    """EpilogSlurmctld: the job has ended. Slurm only logs a failure; `reconcile` tries again."""
    job = _job(env)
    if not tools.settings.notes(job.partition):
        return GO
    answers = tools.rxm("job-stop", "--id", job.number, "--", *job.nodes, patient=True)
    # In a domain that is gone it has ended as well.
    answers = [answer for answer in answers if answer.get("code") != outcome.NO_SUCH_DOMAIN]
    if not answers or policy.of_all(answers) == policy.GO:
        return GO
    tools.say(f"the end of job {job.name} could not be noted: {policy.message(answers)}")
    return NO


def resume(tools: Tools, words: Sequence[str], _env: Mapping[str, str]) -> int:
    """ResumeProgram: start the domains that are the nodes `words[0]`; it does not wait for their guests.

    A node that cannot come now is said to be down at once, so that its job need not wait for ResumeTimeout; the
    reconciler brings it back.
    """
    answers = tools.rxm("start", "--", *expand(words[0]), patient=True)
    for answer in answers:
        if policy.advice(answer) not in (policy.GO, policy.ASK) and "domain" in answer:
            tools.drain(answer["domain"], answer["message"], "DOWN")
    return logged(tools, f"resume {words[0]}", answers)


def suspend(tools: Tools, words: Sequence[str], _env: Mapping[str, str]) -> int:
    """SuspendProgram and ResumeFailProgram: shut down the domains that are the nodes `words[0]`."""
    force = f"{tools.settings.force_after:g}"
    answers = tools.rxm("shutdown", "--force-after", force, "--", *expand(words[0]), patient=True)
    return logged(tools, f"suspend {words[0]}", answers)


def preempted(tools: Tools, _words: Sequence[str], _env: Mapping[str, str]) -> int:
    """A hook of xmand's: the jobs of a domain that is being preempted stand still."""
    _domain, jobs = _told(tools)
    status = GO
    for job in jobs:
        if not suspend_job(tools, job):
            status = NO
    return status


def resumed(tools: Tools, _words: Sequence[str], _env: Mapping[str, str]) -> int:
    """A hook of xmand's: they go on, each when all of its domains do."""
    domain, jobs = _told(tools)
    status = GO
    for job in jobs:
        others = [node for node in job.nodes if node != domain]
        if others and not _all_go_on(tools, others):
            tools.say(f"job {job.name} waits for its other domains", syslog.LOG_INFO)
        elif not resume_job(tools, job):
            status = NO
    return status


def suspend_job(tools: Tools, job: Job) -> bool:
    """Let a job stand still, and mark that it was us; return whether it does."""
    if job.state == "SUSPENDED":
        return True
    if job.state == "CONFIGURING":
        # Its prolog decides; one that Slurm suspends now and requeues then would be held. Where it begins all the same,
        # the reconciler sees it.
        return True
    # The mark first: one that stands still without it nobody would let go on, if we ended in between.
    said = _said_of(tools, job)
    tools.update_job(job.name, f"AdminComment={replace(said, suspended=True)}")
    if tools.slurm("scontrol", "suspend", job.name) is not None:
        return True
    tools.update_job(job.name, f"AdminComment={replace(said, suspended=False)}")
    return False


def resume_job(tools: Tools, job: Job) -> bool:
    """Let a job go on; return whether it does."""
    if job.state == "RUNNING":
        return True
    done = tools.slurm("scontrol", "resume", job.name) is not None
    return done and tools.update_job(job.name, f"AdminComment={replace(_said_of(tools, job), suspended=False)}")


def _said_of(tools: Tools, job: Job) -> Comment:
    """Return what we have said of a job."""
    return tools.comments([job]).get(job.number, Comment())


def _all_go_on(tools: Tools, domains: list[str]) -> bool:
    """Whether jobs go on in all these domains; where that cannot be told now, the reconciler will."""
    found: dict[str, str] = {}
    for answer in tools.rxm("-t", _HOOK_SECONDS, "state"):
        for guest in answer["result"]["domains"] if answer["ok"] else ():
            found[guest["name"]] = guest["state"]
    return all(found.get(name) in GOES_ON for name in domains)


def _told(tools: Tools) -> tuple[str, list[Job]]:
    """Return the domain that a hook is told of, and those of its jobs that Slurm knows."""
    told = json.load(sys.stdin)
    wanted = {job["id"] for job in told["jobs"]}
    known = tools.jobs() if wanted else []
    if known is None:
        # Better the plain number than nothing at all; of an array that is one task, but for the last.
        return told["domain"], [Job(number, number, "", "", "", (told["domain"],)) for number in sorted(wanted)]
    return told["domain"], [job for job in known if job.number in wanted]


def _job(env: Mapping[str, str]) -> Job:
    """Return the job as Slurm describes it to PrologSlurmctld and EpilogSlurmctld."""
    number, array, task = env["SLURM_JOB_ID"], env.get("SLURM_ARRAY_JOB_ID", ""), env.get("SLURM_ARRAY_TASK_ID", "")
    owner = env.get("SLURM_JOB_USER", "") or env.get("SLURM_JOB_UID", "")
    nodes = tuple(expand(env["SLURM_JOB_NODELIST"]))
    return Job(
        number, f"{array}_{task}" if array and task else number, "", env.get("SLURM_JOB_PARTITION", ""), owner, nodes
    )


def _is_there(tools: Tools, job: Job, answers: list[dict[str, Any]]) -> bool:
    """Whether every domain of a job has it, whatever the answers to its start were."""
    wanted = {answer["domain"] for answer in answers if "domain" in answer}
    found = tools.rxm("job-list", "--", *job.nodes, patient=True)
    if policy.of_all(found) != policy.GO:
        return False
    return wanted <= {
        entry["domain"] for answer in found for entry in answer["result"]["jobs"] if entry["id"] == job.number
    }


def logged(tools: Tools, what: str, answers: list[dict[str, Any]]) -> int:
    """Say what of a command failed; return an exit status."""
    if policy.of_all(answers) == policy.GO:
        return GO
    tools.say(f"{what}: {policy.message(answers)}")
    return NO
