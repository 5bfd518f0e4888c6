"""Carrying out a plan: losers are parked, the winner gets their memory and CPUs; and back where that fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xman.errors import ColdBootError, RefusedError, UnsupportedError, XmanError
from xman.values import MIB
from xmand.batch import hooks, marks, plan
from xmand.batch.guests import Guest, is_parked
from xmand.batch.hooks import Hooks
from xmand.batch.observe import Seen, keeps
from xmand.batch.plan import Step
from xmand.settings import STUCK_SAVE, Batch, Patience
from xmand.virt import lifecycle
from xmand.virt.domain import Domain
from xmand.virt.size import SETTLE_SECONDS, resize

logger = logging.getLogger(__name__)


def no_line(**_fields: str) -> None:
    """Write no line of the audit."""


@dataclass(frozen=True)
class Means:
    """What a switch works with.

    `patience` is that with a save in which nothing moves; `record` writes a line of the audit for each step: whose
    domain is parked did not ask for it.
    """

    settings: Batch
    hooks: Hooks
    patience: Patience
    progress: Callable[[str], None]
    record: Callable[..., None] = no_line


class Switch:
    """One plan on its way; every domain in it is locked by the caller."""

    def __init__(self, means: Means, seen: Seen) -> None:
        self._means = means
        self._keeps = keeps(means.settings)
        self._domains = seen.domains
        self._guests = {guest.name: guest for guest in seen.guests}
        # A domain, what is done to it, and how.
        self._undo: list[tuple[str, str, Callable[[], None]]] = []
        self.notes: list[str] = []
        # Whether an optional step failed, so that what follows it was left out.
        self.incomplete = False

    def carry_out(self, steps: tuple[Step, ...]) -> None:
        """Do all steps. Where one fails that is not optional, undo those before it and raise what it raised."""
        try:
            self._carry_out(steps)
        finally:
            self._undo.clear()  # they hold on to us, and we to libvirt's objects

    def _carry_out(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            logger.info("switch: %s %s", step.action, step.domain)
            try:
                self._do(step)
                self._record(step.domain, step.action if step.job is None else f"{step.action} {step.job.id}")
            except XmanError as error:
                if step.optional:
                    self.notes.append(str(error))
                    self.incomplete = True
                    return
                raise self._undone(error) from error
            if step.optional:
                # What was asked for is done; what fails from here on takes nothing of it back.
                self._undo.clear()

    def _do(self, step: Step) -> None:
        domain, guest = self._domains[step.domain], self._guests[step.domain]
        actions: dict[str, Callable[[], None]] = {
            plan.PARK: lambda: self._park(domain, guest),
            plan.PREEMPT: lambda: self._preempt(domain, guest),
            plan.GRANT: lambda: self._grant(domain, guest),
            plan.RETURN: lambda: self._return(domain, guest),
            plan.ADD: lambda: self._add(domain, step),
            plan.REMOVE: lambda: marks.remove_job(domain, step.job.id if step.job else ""),
            plan.DROP: lambda: marks.drop_stale(domain),
            plan.RENEW: lambda: self._renew(domain, step),
            plan.CLAIM: lambda: self._claim(domain, step),
            plan.RELEASE: lambda: self._release(domain, guest),
            plan.HOLD: lambda: marks.hold(domain),
            plan.SAVE: lambda: lifecycle.suspend(domain, self._means.patience, self._means.progress),
            plan.PAUSE: lambda: domain.pause(),
            plan.RESTORE: lambda: marks.restore(domain) if guest.saved else domain.unpause(),
        }
        actions[step.action]()

    # --- losers ------------------------------------------------------------------------------------------------------

    def _preempt(self, domain: Domain, guest: Guest) -> None:
        self._tell(hooks.PREEMPTED, guest)
        self._will_undo(guest.name, plan.RETURN, lambda: self._tell(hooks.RESUMED, guest))
        self._park(domain, guest)
        if domain.active():  # one that was put away has its mark
            self._will_undo(guest.name, "unmark", lambda: marks.returned(domain))
            marks.preempted(domain)

    def _park(self, domain: Domain, guest: Guest) -> None:
        before = domain.memory()[0], domain.vcpus()[0] if guest.max_vcpus else 0
        memory = min(before[0], self._keeps.memory)
        vcpus = min(before[1], self._keeps.vcpus or before[1])
        self._will_undo(guest.name, plan.GRANT, lambda: self._size(domain, before))
        reached, why = before, ""
        try:
            reached = resize(domain, memory, vcpus, self._means.settings.park_seconds)
        except (RefusedError, UnsupportedError) as error:  # no balloon at all
            why = f"; {_sentence(error)}"
        if is_parked(reached[0], self._keeps):
            if reached[1] > vcpus:
                self.notes.append(f"'{guest.name}' keeps {_cpus(reached[1])} until its guest releases them.")
            return
        if self._means.settings.stuck != STUCK_SAVE or not guest.persistent:
            raise RefusedError(
                f"'{guest.name}' did not give back its memory: it keeps {reached[0] // MIB} MiB instead of"
                f" {memory // MIB} (stuck){why or '.'}"
            )
        self._put_away(domain, guest)

    def _put_away(self, domain: Domain, guest: Guest) -> None:
        """Save a guest to disk that keeps what it has; it comes back when the host is free."""
        marks.preempted(domain, put_away=True)
        self._will_undo(guest.name, plan.RESTORE, lambda: self._bring_back(domain))
        lifecycle.suspend(domain, self._means.patience, self._means.progress)
        self.notes.append(f"'{guest.name}' did not give its memory back and was saved to disk.")

    def _bring_back(self, domain: Domain) -> None:
        if not domain.active():
            marks.restore(domain)
        marks.returned(domain)

    # --- winners -----------------------------------------------------------------------------------------------------

    def _grant(self, domain: Domain, guest: Guest) -> None:
        before = domain.memory()[0], domain.vcpus()[0] if guest.max_vcpus else 0
        self._will_undo(guest.name, plan.PARK, lambda: self._size(domain, before))
        reached = resize(domain, guest.max_memory, guest.max_vcpus, SETTLE_SECONDS)
        if reached[0] < guest.max_memory - MIB or reached[1] < guest.max_vcpus:
            self.notes.append(f"'{guest.name}' has taken {_size_words(*reached)} of what it was given so far.")

    def _return(self, domain: Domain, guest: Guest) -> None:
        self._grant(domain, guest)
        marks.returned(domain)
        if guest.preempted_since is not None:
            self._tell(hooks.RESUMED, guest)

    def _add(self, domain: Domain, step: Step) -> None:
        job = step.job
        assert job is not None  # noqa: S101  # the plan says so
        self._will_undo(domain.name, f"{plan.REMOVE} {job.id}", lambda: marks.remove_job(domain, job.id))
        marks.add_job(domain, job, self._means.settings)

    def _renew(self, domain: Domain, step: Step) -> None:
        assert step.job is not None  # noqa: S101  # the plan says so
        marks.renew(domain, step.job)

    def _claim(self, domain: Domain, step: Step) -> None:
        assert step.claim is not None  # noqa: S101  # the plan says so
        marks.claim(domain, step.claim)

    def _release(self, domain: Domain, guest: Guest) -> None:
        before = guest.claim
        if before is not None:
            self._will_undo(guest.name, plan.CLAIM, lambda: marks.unrelease(domain, before))
        marks.release(domain)

    # --- back --------------------------------------------------------------------------------------------------------

    def _size(self, domain: Domain, size: tuple[int, int]) -> None:
        if domain.active():
            resize(domain, *size, SETTLE_SECONDS)

    def _will_undo(self, name: str, what: str, undo: Callable[[], None]) -> None:
        self._undo.append((name, what, undo))

    def _record(self, name: str, what: str) -> None:
        self._means.record(dom=name, uuid=self._guests[name].uuid, detail=what)

    def _undone(self, error: XmanError) -> XmanError:
        """Undo what was done, the last first; return the error, saying where that failed as well."""
        failed = []
        while self._undo:
            name, what, undo = self._undo.pop()
            logger.info("switch: back: %s %s", what, name)
            try:
                undo()
                self._record(name, f"back: {what}")
            except XmanError as second:
                failed.append(f"{what} {name}: {second}")
        if failed:
            return type(error)(
                f"{_sentence(error)} Not all of it could be undone ({'; '.join(failed)}); look with rxm state."
            )
        if isinstance(error, ColdBootError):
            return type(error)(f"{_sentence(error)} Everything else was undone.")
        return type(error)(f"{_sentence(error)} Nothing was changed.")

    def _tell(self, name: str, guest: Guest) -> None:
        self.notes += self._means.hooks.run(name, told(guest))


def told(guest: Guest) -> dict[str, Any]:
    """Return what hooks are told of a domain."""
    jobs = [{"id": job.id, "owner": job.owner, "cpus": job.cpus, "preemptible": job.preemptible} for job in guest.jobs]
    return {"domain": guest.name, "uuid": guest.uuid, "jobs": jobs}


def _sentence(error: XmanError) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."


def _size_words(memory: int, vcpus: int) -> str:
    return f"{memory // MIB} MiB" + (f" and {_cpus(vcpus)}" if vcpus else "")


def _cpus(count: int) -> str:
    return f"{count} CPU{'s' * (count != 1)}"
