"""Waiting for a restart or the end (`xmand.events.waiting`, `xmand.events.table`), with hypervisors of all manners."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from xman.errors import HypervisorError, NoSuchDomainError, RefusedError, UnknownOutcomeError, WaitTimeoutError
from xman.result import Result
from xmand.events import table, waiting
from xmand.events.waiting import Seen
from xmand.system.workers import Whose
from xmand.virt.events import Event

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
BEFORE = 3
SOON = 5.0


class Guest:
    """A stand-in for the domain that was asked; `now` returns its id, or raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: Callable[[], int | None] = lambda: BEFORE) -> None:
        self.is_container = False
        self._now = now
        monkeypatch.setattr(table, "POLL_SECONDS", 0.01)
        monkeypatch.setattr(waiting, "_OFF_SECONDS", 0.05)
        monkeypatch.setattr(table, "look", lambda _driver, _uuid: Seen("running", self._now()))
        monkeypatch.setattr(waiting, "_AWAY_SECONDS", 0.05)
        driver: Any = None
        self.table = table.Table(driver)
        self.entry = self.table.enter()

    def tell(self, *names: str, uuid: str = UUID) -> None:
        """Let events come."""
        for name in names:
            self.table.heard(Event(name, "", "vm1", uuid))

    def wait(self, seconds: float = SOON) -> float:
        """Wait for its restart."""
        goal = waiting.UntilRestarted("vm1", UUID, BEFORE, time.monotonic(), container=self.is_container)
        return float(self._until(goal, seconds).data["seconds"])

    def wait_until_off(self, seconds: float = SOON) -> bool:
        """Wait for its end."""
        try:
            return bool(self._until(waiting.UntilOff("vm1", UUID, BEFORE), seconds).data["off"])
        except WaitTimeoutError:
            return False

    def _until(self, goal: waiting.Goal, seconds: float) -> Result:
        self.table.watch(self.entry, goal)
        try:
            return self.entry.ended.result(seconds)
        except concurrent.futures.TimeoutError:
            raise goal.late(time.monotonic()) from None
        finally:
            self.entry.leave()


def raises(error: Exception) -> Callable[[], int | None]:
    """Return what raises `error`."""

    def now() -> int | None:
        raise error

    return now


def gone() -> int | None:
    """What the table sees of a domain that is gone."""
    return None


def test_qemu_says_that_it_rebooted(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(monkeypatch)
    threading.Timer(0.02, lambda: guest.tell("rebooted")).start()

    assert guest.wait() < SOON


def test_xen_starts_before_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(monkeypatch)
    guest.tell("started", "stopped")

    assert guest.wait() < SOON


def test_a_new_id_will_do_where_the_events_were_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Guest(monkeypatch, lambda: BEFORE + 1).wait() < SOON


@pytest.mark.parametrize("names", [["stopped"], ["suspended", "resumed"], ["balloon"]])
def test_other_events_are_no_restart(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    guest = Guest(monkeypatch)
    guest.tell(*names)

    with pytest.raises(WaitTimeoutError):
        guest.wait(0.05)


def test_another_domains_reboot_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(monkeypatch)
    guest.tell("rebooted", uuid="another")

    with pytest.raises(WaitTimeoutError):
        guest.wait(0.05)


@pytest.mark.parametrize("now", [lambda: None, gone], ids=["off", "gone"])
def test_what_stops_and_stays_off_has_not_restarted(
    monkeypatch: pytest.MonkeyPatch, now: Callable[[], int | None]
) -> None:
    with pytest.raises(HypervisorError, match="was not started again"):
        Guest(monkeypatch, now).wait()


def test_xen_has_time_to_build_it_anew() -> None:
    """To Xen it is another domain; the one before is taken apart first, with all its memory."""
    off = Seen("shutoff", None)
    here = waiting.UntilRestarted("vm1", UUID, BEFORE, 0.0)
    on_xen = waiting.UntilRestarted("vm1", UUID, BEFORE, 0.0, rebuilt=True)

    assert [goal.reached(off, [], now) for goal in (here, on_xen) for now in (1.0, 10.0)] == [None] * 4
    assert on_xen.reached(off, [], 100.0) is None
    for goal, now in ((here, 30.0), (on_xen, 130.0)):
        with pytest.raises(HypervisorError, match="was not started again"):
            goal.reached(off, [], now)
    assert on_xen.reached(Seen("running", BEFORE + 1), [], 110.0) is not None


def test_a_libvirt_that_is_away_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(monkeypatch, raises(HypervisorError("libvirt cannot be reached")))

    with pytest.raises(WaitTimeoutError):
        guest.wait(0.1)


@pytest.mark.parametrize("is_container", [False, True])
def test_of_a_request_that_stands_the_caller_is_told(monkeypatch: pytest.MonkeyPatch, is_container: bool) -> None:
    guest = Guest(monkeypatch)
    guest.is_container = is_container

    with pytest.raises(WaitTimeoutError) as caught:
        guest.wait(0.02)

    assert ("The request stands" in str(caught.value)) is not is_container


@pytest.mark.parametrize("now", [lambda: None, gone, lambda: BEFORE + 1], ids=["off", "gone", "started-again"])
def test_what_has_stopped_is_off(monkeypatch: pytest.MonkeyPatch, now: Callable[[], int | None]) -> None:
    assert Guest(monkeypatch, now).wait_until_off()


def test_what_goes_on_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Guest(monkeypatch).wait_until_off(0.05)


def test_an_event_is_a_reason_to_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([BEFORE, None])
    guest = Guest(monkeypatch, lambda: next(found))
    monkeypatch.setattr(table, "POLL_SECONDS", 60.0)
    threading.Timer(0.05, lambda: guest.tell("stopped")).start()

    assert guest.wait_until_off()


def test_a_libvirt_that_is_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([HypervisorError("libvirt cannot be reached"), BEFORE, None])

    def now() -> int | None:
        told = next(found)
        return raises(told)() if isinstance(told, Exception) else told

    assert Guest(monkeypatch, now).wait_until_off()


def test_one_that_stays_away_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownOutcomeError, match="cannot be reached"):
        Guest(monkeypatch, raises(HypervisorError("libvirt cannot be reached"))).wait_until_off(0.05)


# --- the table (X4) ---------------------------------------------------------------------------------------------------


def test_seventy_who_wait_hold_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    guest = Guest(monkeypatch)
    before = threading.active_count()
    guest.table.share = 100
    entries = [guest.table.enter(Whose("bob", listed=False)) for _ in range(70)]
    for entry in entries:
        guest.table.watch(entry, waiting.UntilOff("vm1", UUID, BEFORE))

    assert threading.active_count() <= before + 1
    for entry in entries:
        entry.leave()


def test_one_principal_waits_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Guest(monkeypatch).table
    subject.most, subject.share = 16, 25
    for _ in range(3):
        subject.enter(Whose("bob", listed=False))

    with pytest.raises(RefusedError, match="busy"):
        subject.enter(Whose("bob", listed=False))
    subject.enter(Whose("carol", listed=False))
    subject.enter(Whose("alice", listed=True))


def test_places_are_kept_for_those_on_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Guest(monkeypatch).table
    subject.most, subject.reserved = 4, 2
    subject.enter(Whose("bob", listed=False))
    subject.enter(Whose("carol", listed=False))

    with pytest.raises(RefusedError, match="busy"):
        subject.enter(Whose("dave", listed=False))
    subject.enter(Whose("alice", listed=True))


def fill(subject: table.Table, name: str, *, promises: bool = False) -> int:
    """Let somebody take all that he gets; return how much that was."""
    taken = 0
    while True:
        try:
            with subject.enter(Whose(name, listed=False)) as entry:
                if promises:
                    entry.promise(f"{name}'s {taken}")
                entry.goal = waiting.UntilOff("vm1", UUID, BEFORE)
        except RefusedError:
            return taken
        taken += 1


@pytest.mark.parametrize("promises", [False, True])
def test_it_takes_many_to_fill_the_table_and_who_comes_late_gets_a_place(
    monkeypatch: pytest.MonkeyPatch, promises: bool
) -> None:
    subject = Guest(monkeypatch).table
    subject.reserved = 256

    taken = [fill(subject, f"bob{number}", promises=promises) for number in range(20)]

    assert taken == sorted(taken, reverse=True)
    assert taken[0] <= 160
    assert taken[-1] >= 1


def test_however_much_is_promised_there_is_room_for_who_only_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Guest(monkeypatch).table
    subject.reserved = 256
    for number in range(400):
        fill(subject, f"bob{number}", promises=True)

    assert len(subject) == 1 + (1024 - 256) // 2
    assert fill(subject, "carol") > 60
    subject.enter(Whose("alice", listed=True)).promise(UUID)


def test_one_end_of_one_domain_is_promised_to_one_principal_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Guest(monkeypatch).table
    bob = Whose("bob", listed=False)
    for _ in range(2):
        subject.enter(bob).promise(UUID)

    with pytest.raises(RefusedError, match="busy: 2 commands of yours wait for this domain"):
        subject.enter(bob).promise(UUID)
    subject.enter(bob).promise("another")
    subject.enter(Whose("carol", listed=False)).promise(UUID)


def test_what_was_promised_before_a_restart_is_kept_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Guest(monkeypatch).table
    subject.most = 1
    bob = Whose("bob", listed=False)
    for _ in range(3):
        subject.enter(bob, promised=UUID)
    subject.most = 1024

    with pytest.raises(RefusedError, match="3 commands of yours"):
        subject.enter(bob).promise(UUID)


def test_who_leaves_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Guest(monkeypatch).table
    subject.most, subject.share = 4, 1
    subject.enter(Whose("bob", listed=False)).leave()

    subject.enter(Whose("bob", listed=False))


@pytest.mark.parametrize(
    ("wanted", "state", "holds"),
    [
        ("off", "shutoff", True),
        ("off", "gone", True),
        ("gone", "gone", True),
        ("running", "blocked", True),
        ("paused", "running", False),
    ],
)
def test_a_state_is_reached(wanted: str, state: str, holds: bool) -> None:
    goal = waiting.UntilState("vm1", UUID, wanted, 0.0)

    assert (goal.reached(Seen(state, None), [], 1.0) is not None) is holds


def test_what_vanishes_never_reaches_another_state() -> None:
    with pytest.raises(NoSuchDomainError):
        waiting.UntilState("vm1", UUID, "paused", 0.0).reached(Seen("gone", None), [], 1.0)


def test_a_libvirt_that_restarts_is_waited_for_and_one_that_stays_away_is_told() -> None:
    goal = waiting.UntilState("vm1", UUID, "paused", 0.0)
    away = HypervisorError("libvirt cannot be reached")

    assert goal.reached(away, [], 1.0) is None
    assert goal.reached(Seen("running", 1), [], 2.0) is None
    assert goal.reached(away, [], 3.0) is None
    with pytest.raises(HypervisorError):
        goal.reached(away, [], 9.0)


def test_at_the_deadline_the_state_is_told() -> None:
    goal = waiting.UntilState("vm1", UUID, "paused", 0.0)
    goal.reached(Seen("running", 1), [], 1.0)

    assert str(goal.late(2.0)) == "Domain 'vm1' is still running after 2.0 s, not paused."
