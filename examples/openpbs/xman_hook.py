"""A hook of OpenPBS's server: the domains of a job get their hosts when it is to run, or it waits (README.md).

As `runjob` it starts the job in its domains; as `periodic` it renews the leases of the jobs that run, and ends what the
server does not know any more. It calls rxm and nothing else of xman's, since pbs_python has a Python of its own.
"""

import json
import pathlib
import subprocess
import time

import pbs

# Classes of outcome (exit status): what a moment may mend, and what only a person does.
UNREACHABLE, PASSING = 6, ("kdc-unreachable", "clock-skew", "replay", "expired")


def settings():
    """Return what the hook's own configuration says, over what holds without it."""
    found = {"rxm": ["/usr/bin/rxm", "-c", "/etc/xman/pbs-rxm.toml"], "preemptible": [], "lease": 900, "patience": 20}
    if pbs.hook_config_filename:
        found.update(json.loads(pathlib.Path(pbs.hook_config_filename).read_text(encoding="utf-8")))
    return found


def rxm(own, *words):
    """Run rxm, again for a while where only a moment is in the way; return the objects that it printed."""
    give_up = time.monotonic() + own["patience"]
    while True:
        command = [*own["rxm"], "--json", "--syslog", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        passes = [a for a in answers if a.get("code") == UNREACHABLE or a.get("reason") in PASSING]
        if not passes or time.monotonic() >= give_up:
            return answers or [{"ok": False, "message": done.stderr.strip() or "rxm printed nothing"}]
        time.sleep(1)


def domains(exec_vnode):
    """Return the names in `(vm1:ncpus=4)+(vm2:ncpus=2:mem=1gb)`, each once, in order."""
    parts = str(exec_vnode).replace("(", "").replace(")", "").split("+")
    return list(dict.fromkeys(part.split(":")[0] for part in parts if part))


def start(own, event):
    """Give a job its hosts, or reject that it runs now: it stays in its queue, with the reason as its comment."""
    job = event.job
    soft = ["--preemptible"] if str(job.queue) in own["preemptible"] else []
    words = ["job-start", "--id", str(job.id), "--owner", str(job.Job_Owner), "--lease", str(own["lease"]), *soft]
    answers = rxm(own, *words, "--", *domains(job.exec_vnode))
    refused = [answer["message"] for answer in answers if not answer["ok"]]
    if refused:
        event.reject("xman: " + " ".join(refused))


def look_around(own):
    """Renew what runs, and end what the server does not know, as far as it was started here (its ids end alike)."""
    server = pbs.server()
    running = {str(job.id) for job in server.jobs() if job.job_state in (pbs.JOB_STATE_RUNNING, pbs.JOB_STATE_EXITING)}
    for answer in rxm(own, "job-list"):
        for job in answer["result"]["jobs"] if answer["ok"] else ():
            if not job["id"].endswith("." + server.name):
                continue
            verb = "job-renew" if job["id"] in running else "job-stop"
            for told in rxm(own, verb, "--id", job["id"], "--", answer["host"] + ":" + job["domain"]):
                if not told["ok"]:
                    pbs.logmsg(pbs.LOG_WARNING, "xman: " + told["message"])


def main():
    """Do what the event is about. What goes wrong here must not let a job run that has no host."""
    event = pbs.event()
    try:
        if event.type == pbs.RUNJOB:
            start(settings(), event)
        else:
            look_around(settings())
    except SystemExit:  # by reject
        raise
    except Exception as error:
        event.reject("xman: the hook failed: %s" % error)
    event.accept()


main()
