"""Carrying out what is followed: replies that are shown as they come, until nobody reads them."""

from rxm.asking import Asking
from rxm.follow import Lines, ReaderGoneError
from rxm.link import Link
from rxm.output import Output
from rxm.plan import Job
from xman import outcome


def carry_out(asking: Asking, jobs: list[Job], output: Output) -> list[int]:
    """Follow every host; return the codes. Where nobody reads any more, all that is followed ends."""
    followed: set[Link] = set()

    def one(link: Link, job: Job) -> int:
        verb = asking.parsed.verb.name
        lines = Lines(lambda line: output.part(line, job.target))
        followed.add(link)
        try:
            reply = asking.send(
                link, job, as_json=asking.options.json, progress=lambda data: output.progress(job.target, data),
                parts=lines.feed,
            )  # fmt: skip
            lines.end()
        except ReaderGoneError:
            asking.stopped = True
            for other in list(followed):
                other.interrupt()
            return outcome.OK
        output.reply(verb, job.target, reply, link.principal)
        return reply.outcome

    return asking.each_host(jobs, output, one)
