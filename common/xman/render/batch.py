"""What the batch verbs say to a person."""

from typing import Any

from xman import fields, times
from xman.render.tables import Table
from xman.values import MIB


def states(data: dict[str, Any]) -> str:
    """Return `state`: a line for each domain, jobs last, since there may be many.

    Above all of it what holds for the host: maintenance, and how many domains take no part.
    """
    lines = [STATES.heading()] if data.get("whole", True) else []
    lines += [STATES.line(guest) for guest in data["domains"]]
    lines += [STATES.gone(each["name"]) for each in data.get("gone", ())]
    notice = [f"{_notice(data['maintenance'])}\n"] if "maintenance" in data else []
    if count := len(data.get("others", ())):
        notice.append(f"{count} other domain{'s take' if count != 1 else ' takes'} no part in batch work.\n")
    return "".join(notice + [f"{line}\n" for line in lines])


def _marked(guest: dict[str, Any]) -> str:
    return f"{guest['name']}{'!' if guest['priority'] == 'priority' else ''}"


def _cpus(guest: dict[str, Any]) -> str:
    return f"{guest['vcpus']}/{guest['max_vcpus']}" if "max_vcpus" in guest else "-"


def _ids(guest: dict[str, Any]) -> str:
    ids = [job["id"] for job in guest["jobs"]]
    ids += [f"{guest['claim']['id']}(claimed)"] if "claim" in guest else []
    return ",".join(ids) or "-"


def jobs(data: dict[str, Any]) -> str:
    """Return `job-list`: a line for each job; how many seconds of its lease are left stands last."""
    lines = [JOBS.heading(), *(JOBS.line(job) for job in data["jobs"])]
    return "".join(f"{line}\n" for line in lines)


def plan(data: dict[str, Any]) -> str:
    """Return what a dry run would have done, a line for each step; nothing of what was done."""
    if not data["dry_run"]:
        return ""
    return "".join(f"Would {_step(step)}.\n" for step in data["plan"])


def maintenance(data: dict[str, Any]) -> str:
    """Return what a dry run would have done."""
    if not data["dry_run"]:
        return ""
    what = _notice(data["maintenance"]) if "maintenance" in data else "The host accepts starts, jobs and migrations."
    return f"Would say: {what}\n"


def _step(step: dict[str, Any]) -> str:
    ids = step.get("jobs", [])
    jobs = f"job{'s' * (len(ids) != 1)} {', '.join(ids)}"
    name = f"'{step['domain']}'"
    size = _size(step)
    words = {
        "park": f"take memory and CPUs from {name}, down to {size}",
        "preempt": f"preempt {name} with {jobs}, down to {size}",
        "grant": f"give {name} {size}",
        "return": f"give {name} {size} back, with {jobs}",
        "add-job": f"note {jobs} in {name}",
        "remove-job": f"remove {jobs} from {name}",
        "drop-jobs": f"drop {jobs} of an earlier start from {name}",
        "renew": f"renew the lease of {jobs} in {name}",
        "claim": f"keep the host for {jobs} in {name}",
        "release": f"stop keeping the host for {jobs} in {name}",
        "hold": f"keep {name} preempted until unpreempt",
        "save": f"save {name} to disk",
        "pause": f"pause {name}",
        "restore": f"let {name} go on",
    }
    # A later release may have steps that this one has no words for.
    return words.get(step["step"], f"{step['step']} {name}")


def _size(step: dict[str, Any]) -> str:
    cpus = step.get("vcpus", 0)
    return f"{step.get('memory', 0) // MIB} MiB" + (f" and {cpus} CPU{'s' * (cpus != 1)}" if cpus else "")


def _notice(notice: dict[str, Any]) -> str:
    by = f" by {notice['by']} since {times.local(notice['since'])}" if notice["since"] else ""
    return f"This host is in maintenance{by}: {notice['reason']}"


def _time(text: str | None) -> str:
    # Without a blank, so that the columns stay columns.
    return "-" if text is None else times.local(text).replace(" ", "T")


STATES = Table(
    "guest",
    "-",
    {"marked": _marked, "of most": _cpus, "since": lambda guest: _time(guest.get("since")), "ids": _ids},
)
JOBS = Table(
    "listed_job",
    "-",
    {
        "owner": lambda job: job["owner"] or "-",
        "preemptible": lambda job: fields.plain(job["preemptible"]),
        "start": lambda job: _time(job.get("start")),
    },
)
