"""Ctrl-C while domains migrate: losing us would not stop that, so the hosts are asked to."""

from rxm.asking import Asking
from rxm.command import wire_words
from rxm.deadline import Deadline
from rxm.plan import Job
from xman import arguments, verbs
from xman.errors import XmanError


def one(asking: Asking, job: Job) -> None:
    """Begin no other migration, and ask the host to abort this one; its answer still comes on its own connection.

    Where that cannot be asked the migration is waited for as before; another Ctrl-C ends the waiting.
    """
    asking.stopped = True
    parsed = arguments.parse(verbs.BY_NAME["migrate"], ["--abort", "--", job.target.domain])
    deadline = Deadline(verbs.DEADLINES[verbs.CHANGE])
    try:
        with asking.connect(job.target.host, deadline) as link:
            link.run(wire_words(parsed, json=False), deadline, changes=True)
    except XmanError:
        pass


def everything(asking: Asking) -> None:
    """Do so with all that are under way."""
    asking.stopped = True
    for job in list(asking.under_way):
        one(asking, job)
