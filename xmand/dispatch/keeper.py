"""What becomes of launched machines without anybody's asking: what a crash has left of one goes, and one that was to
end by itself (`--until`) ends, having been told before.

In a thread of its own; the machine's lock is held meanwhile.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable

from xman import outcome, times
from xman.errors import NoSuchDomainError, XmanError
from xman.metadata import Instance
from xman.result import Result
from xmand.answer import Answer
from xmand.journal import Journal, JournalError
from xmand.journal.entries import Change
from xmand.launch import begun
from xmand.launch.begun import Begun
from xmand.launch.ending import end, require_idle
from xmand.launch.machines import Machines
from xmand.system.clocks import TERMS
from xmand.system.locks import DomainLocks
from xmand.system.settling import Complaints
from xmand.virt import connection_pool, metadata
from xmand.virt.domain import find
from xmand.virt.driver import CHANGE, Driver

logger = logging.getLogger(__name__)

# What cannot be done now is tried again so often; what was launched meanwhile makes itself known.
_AGAIN_SECONDS = 30.0
# One that is at work on a machine is not waited for: it is still there the next time.
_LOCK_SECONDS = 1.0
# Each try to end a machine is written down, so that one that cannot be ended is tried at longer and longer intervals.
_MOST_PAUSE = 3600.0
# How long before its end that is told, once each.
_TOLD_SECONDS = (3600.0, 600.0)
_OVER = "its time is over (--until)"


class Keeper:
    """Those of this host; `record` writes an audit line."""

    def __init__(
        self, machines: Machines, driver: Driver, locks: DomainLocks, journal: Journal, record: Callable[..., None]
    ) -> None:
        self._machines = machines
        self._driver = driver
        self._locks = locks
        self._journal = journal
        self._record = record
        self._complaints = Complaints()
        self._told: dict[tuple[str, int | None], float] = {}
        # Machines that could not be ended: when they are tried again (time.monotonic()), and the pause after that.
        self._later: dict[str, tuple[float, float]] = {}

    def start(self) -> None:
        """Begin, and look at once."""
        threading.Thread(target=self._run, name="launched", daemon=True).start()

    def _run(self) -> None:
        while True:
            wait = _AGAIN_SECONDS
            try:
                with connection_pool.session():
                    self.settle()
                    wait = self.look()
            except XmanError as error:  # libvirt is away
                logger.debug("what was launched cannot be looked at: %s", error)
            except Exception:  # a fault of ours must not end the thread
                logger.exception("what was launched cannot be looked at")
            self._machines.changed.wait(wait)
            self._machines.changed.clear()

    def settle(self) -> None:
        """Remove what was begun of machines that are not, or no more, defined."""
        for what in self._machines.notes.pending():
            try:
                self._settle(what)
            except XmanError as error:
                self._complaints.say(
                    what.uuid, f"the disks of '{what.name}' ({what.uuid}) in the pool '{what.pool}': {error}"
                )

    def _settle(self, what: Begun) -> None:
        with self._locks.hold(what.uuid, "leftovers", time.monotonic() + _LOCK_SECONDS):
            # Who held it may have ended it meanwhile.
            if self._machines.notes.of(what.uuid) != what:
                return
            gone = begun.settle(self._driver.connection(CHANGE), what)
            self._machines.notes.forget(what.uuid)
        if gone:
            said = f"xmand ended while '{what.name}' was made or ended; removed: {', '.join(gone)}"
            logger.warning("%s", said)
            self._record(ev="settle", dom=what.name, uuid=what.uuid, detail=said)

    def look(self) -> float:
        """End machines whose time is over, tell of those that end soon; return in how many seconds to look again."""
        wait, there = _AGAIN_SECONDS, set()
        for uuid, instance in self._machines.found(self._driver.connection(CHANGE)).items():
            if instance.until is None:
                continue
            there.add(uuid)
            left = self.left(uuid, instance)
            try:
                if left > 0:
                    self._tell(uuid, instance, left)
                    wait = min(wait, left)
                elif time.monotonic() >= self._later.get(uuid, (0.0, 0.0))[0]:
                    self._end(uuid)
            except NoSuchDomainError:  # somebody else has ended it
                continue
            except (XmanError, JournalError) as error:
                self._complaints.say(
                    uuid,
                    f"the machine {instance.id} of {instance.owner} was to end at {times.utc(instance.until)}, and does"
                    f" not yet: {error}",
                )
        for key in [key for key in self._told if key[0] not in there]:
            del self._told[key]
        for uuid in self._later.keys() - there:
            del self._later[uuid]
        self._complaints.keep(there.union(what.uuid for what in self._machines.notes.pending()))
        return max(0.1, wait)

    @staticmethod
    def left(uuid: str, instance: Instance) -> float:
        """Return for how many seconds more it may be there: however the clock is set meanwhile, as many as were given.

        One that is met for the first time has a minute at least: a wrong clock at the start ends nothing at once.
        """
        assert instance.until is not None  # noqa: S101  # the caller has looked
        began = instance.launched if instance.launched is not None else instance.until
        return TERMS.left(f"launched {uuid}", began, float(instance.until - began))

    def _tell(self, uuid: str, instance: Instance, left: float) -> None:
        due = min((seconds for seconds in _TOLD_SECONDS if left <= seconds), default=None)
        key = (uuid, instance.until)
        if due is None or self._told.get(key, float("inf")) <= due:
            return
        domain = find(self._driver.connection(CHANGE), uuid)
        self._told[key] = due
        assert instance.until is not None  # noqa: S101  # the caller has looked
        said = f"it ends by itself at {times.utc(instance.until)}, with its disks"
        logger.info("'%s' of %s: %s", domain.name, instance.owner, said)
        self._record(ev="due", princ=instance.owner, dom=domain.name, uuid=domain.uuid, detail=said)

    def _end(self, uuid: str) -> None:
        """End it, and write that down as any other change. Raises XmanError and JournalError."""
        with self._locks.hold(uuid, "terminate", time.monotonic() + _LOCK_SECONDS):
            connection = self._driver.connection(CHANGE)
            domain = find(connection, uuid)
            found = metadata.read(domain)
            instance = found.instance
            if instance is None or instance.until is None or self.left(uuid, instance) > 0:
                return
            require_idle(domain, found)
            rid = secrets.token_hex(16)
            change = Change(instance.owner, rid, rid, "", "terminate", domain.name, _OVER, {"options": {}})
            number = self._journal.begin(change).id
            self._journal.intend(number, domain.name, uuid)
            try:
                end(self._machines, connection, domain, instance)
            except XmanError as error:
                pause = self._later.get(uuid, (0.0, _AGAIN_SECONDS))[1]
                self._later[uuid] = (time.monotonic() + pause, min(2 * pause, _MOST_PAUSE))
                self._journal.end(number, Answer(error.outcome, message=str(error)), uuid)
                raise
            note = f"'{domain.name}' ({instance.id}) was ended: {_OVER}."
            done = Result(
                {"name": domain.name, "instance": instance.id, "dry_run": False},
                changed=True,
                domain=domain.name,
                notes=(note,),
            )
            self._journal.end(number, Answer(outcome.OK, done=done), uuid)
        logger.info("%s", note)
        self._record(
            ev="end", rid=rid, princ=instance.owner, verb="terminate", dom=domain.name, uuid=uuid, reason=_OVER,
            res=outcome.class_name(outcome.OK), detail=note,
        )  # fmt: skip
