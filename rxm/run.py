"""One invocation: from what was asked for to the exit status, in order."""

from rxm import plan
from rxm.asking import Asking
from rxm.link import Link
from rxm.options import Options
from rxm.output import Output
from rxm.plan import Job
from rxm.settings import Settings
from xman import outcome
from xman.arguments import Parsed
from xman.errors import UsageError

# What `xman.render.merged` makes one text of.
_MERGED = ("list", "stats", "state", "job-list", "ping")


def run(options: Options, settings: Settings, parsed: Parsed) -> int:
    """Carry out one invocation; return its exit status. Raises XmanError where nothing could be begun."""
    hosts = plan.hosts(options, settings)
    asking = Asking(options, settings, parsed, hosts)
    # The plain case, one command for one host, loads nothing of what follows.
    if parsed.flag("all"):
        from rxm import every_domain

        return every_domain.carry_out(asking, asking.output(len(hosts) > 1))
    jobs = _jobs(asking, settings)
    if len(jobs) > 1 and "rid" in parsed.options:
        raise UsageError("--rid is the id of one request; give one target with it.")
    several = len({job.target.host for job in jobs}) > 1
    output = asking.output(several)
    if several and not options.json and parsed.verb.name in _MERGED:
        from rxm import merged

        codes = merged.carry_out(asking, jobs, output)
    elif parsed.follows:
        from rxm import following

        codes = following.carry_out(asking, jobs, output)
    else:
        if len(jobs) > 1 and parsed.verb.family == "batch":
            from rxm import together

            if together.applies(parsed, jobs):
                from rxm import all_or_none

                return all_or_none.carry_out(asking, jobs, output)
        codes = asking.each_host(jobs, output, lambda link, job: _one(asking, link, job, output))
    if len(jobs) == 1:
        return outcome.combine(codes)
    from rxm import summary

    return summary.status(codes, len(jobs), output.warn)


def _jobs(asking: Asking, settings: Settings) -> list[Job]:
    """Return the commands to send, every domain with its host."""
    targets = plan.address(plan.domain_words(asking.parsed), asking.hosts, settings.domains)
    if any(not target.host for target in targets):
        from rxm import locating

        targets = plan.located(targets, locating.known(asking))
    return plan.jobs(asking.parsed, asking.hosts, targets)


def _one(asking: Asking, link: Link, job: Job, output: Output) -> int:
    """Do one target's command and show what came back; return its code."""
    if asking.options.json:
        envelope = asking.structured(link, job, lambda data: output.progress(job.target, data))
        output.envelope(envelope, job.target)
        return int(envelope.get("code", outcome.OK))
    reply = asking.send(link, job, as_json=False, progress=lambda data: output.progress(job.target, data))
    output.reply(asking.parsed.verb.name, job.target, reply, link.principal)
    return reply.outcome
