"""What has to be done without anybody's asking: after a crash of ours, when a domain stops, comes or is up.

In a thread of its own, one decision at a time like all others.
"""

import logging
import threading
import time
from collections.abc import Callable

from xman.errors import XmanError
from xmand.batch import plan, words
from xmand.batch.engine import SETTLE, Decision, Engine
from xmand.batch.guests import Guest
from xmand.batch.plan import Step
from xmand.virt.events import BACK, STARTED, STOPPED, Event

logger = logging.getLogger(__name__)

# Domains often start and stop together; and libvirt's own account of an event is a moment behind the event.
_CALM_SECONDS = 0.5
# What could not be done, or libvirt, may be there by then.
_AGAIN_SECONDS = 30.0
# So that it is over when it is looked at.
_JUST_AFTER_SECONDS = 0.01
# For the locks of a host that is busy.
_PATIENCE_SECONDS = 60.0
# One that was frozen in memory and goes on by another's hand waits for the host.
_TELLING = (STARTED, STOPPED, "crashed", "undefined", "resumed")
_ARRIVED = "migrated"


class Settler:
    """Settles the host when it is started, and whenever something happened that may leave work behind.

    `record` writes an audit line. Where no domain has a job, domains come and go without being looked at.
    """

    def __init__(self, engine: Engine, record: Callable[..., None]) -> None:
        self._engine = engine
        self._record = record
        self._changed = threading.Condition()
        self._due: float | None = None
        self._failed = ""
        self._told: set[str] = set()

        engine.tell_term = self._term

    def start(self) -> None:
        """Begin, and look at the host at once."""
        self._want(0.0)
        threading.Thread(target=self._run, name="settler", daemon=True).start()

    def heard(self, event: Event) -> None:
        """Take notice of an event; never blocks."""
        came = event.name == BACK or (event.name == STARTED and _ARRIVED in event.detail)
        if came or (event.name in _TELLING and self._engine.has_jobs):
            self._want(_CALM_SECONDS)

    def _term(self, seconds: float) -> None:
        """A lease or a claim ends in so many seconds, unless somebody renews it."""
        self._want(seconds + _JUST_AFTER_SECONDS)

    def _want(self, seconds: float) -> None:
        """Look at the host in so many seconds, or sooner where that was wanted already."""
        with self._changed:
            due = time.monotonic() + seconds
            self._due = due if self._due is None else min(due, self._due)
            self._changed.notify()

    def _wait(self) -> None:
        with self._changed:
            while self._due is None or self._due > time.monotonic():
                self._changed.wait(None if self._due is None else self._due - time.monotonic())
            self._due = None

    def _run(self) -> None:
        while True:
            self._wait()
            try:
                self._settle()
                self._failed = ""
            except XmanError as error:
                # Once, and not every half minute: somebody has to mend it.
                logger.log(logging.DEBUG if str(error) == self._failed else logging.WARNING, "settling: %s", error)
                self._failed = str(error)
                self._want(_AGAIN_SECONDS)
            except Exception:  # a fault of ours must not end the thread
                logger.exception("settling failed")
                self._want(_AGAIN_SECONDS)

    def _settle(self) -> None:
        done = self._engine.decide(SETTLE, plan.settle, time.monotonic() + _PATIENCE_SECONDS)
        self._tell(done)
        if done.incomplete:
            self._want(_AGAIN_SECONDS)
        elif self._engine.has_jobs and any(guest.booting for guest in done.after.seen.guests):
            self._want(self._engine.settings.boot_seconds)

    def _tell(self, done: Decision) -> None:
        for step in done.plan.steps:
            guest = plan.find(done.before.seen.guests, step.domain)
            detail = _detail(step, guest)
            logger.warning("settling '%s': %s", step.domain, detail)
            self._record(ev="settle", dom=step.domain, detail=detail)
        for note in done.notes:
            logger.warning("settling: %s", note)
        rivals = words.rivals(done.after.seen.guests)
        for said in set(rivals) - self._told:  # once, and not at each event
            logger.warning("settling: %s", said)
            self._record(ev="settle", detail=said)
        self._told = set(rivals)


def _detail(step: Step, guest: Guest) -> str:
    """Return what is written of a step: which jobs it ended, and why."""
    if step.action == plan.DROP:
        return f"{step.action}: {', '.join(words.describe(job) for job in guest.stale)}, of an earlier start"
    if step.action == plan.REMOVE and step.job is not None:
        return f"{step.action}: {words.describe(step.job)}, whose lease of {step.job.lease} s has ended"
    if step.action == plan.RELEASE:
        return f"{step.action}: the claim has ended"
    return step.action
