"""Carrying out `--all`: on every running domain of each host."""

from rxm import all_domains, locating, summary
from rxm.asking import Asking
from rxm.link import Link
from rxm.output import Output
from rxm.plan import Job
from rxm.targets import Target
from xman import outcome


def carry_out(asking: Asking, output: Output) -> int:
    """Do it; return the exit status. A host that does not answer costs its own line only.

    Raises UsageError and RefusedError where it is not meant.
    """
    verb = asking.parsed.verb.name
    all_domains.check(asking.parsed)
    known, problems = locating.ask_all(asking)
    for host, error in problems.items():
        output.failure(verb, Target(host), error.outcome, str(error))
    codes = [error.outcome for error in problems.values()]
    if codes and asking.options.fail_fast:
        return outcome.combine(codes)
    found = {host: all_domains.running(domains) for host, domains in known.items()}
    all_domains.confirm(asking.parsed, found)
    for host in [host for host, names in found.items() if not names]:
        output.done(all_domains.nothing(host, verb), Target(host), all_domains.NOTHING)
    jobs = [Job(Target(host, name), [name]) for host, names in found.items() for name in names]

    def one(link: Link, job: Job) -> int:
        envelope = asking.structured(link, job, lambda data: output.progress(job.target, data))
        name = job.target.domain
        if envelope["ok"]:
            output.done(envelope, job.target, all_domains.line(verb, name, envelope))
            return outcome.OK
        message = envelope["message"]
        output.failure(verb, job.target, envelope["code"], message if name in message else f"'{name}': {message}")
        return int(envelope["code"])

    codes += asking.each_host(jobs, output, one)
    return summary.status(codes, len(jobs) + len(problems), output.warn)
