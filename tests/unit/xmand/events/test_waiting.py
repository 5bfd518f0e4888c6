"""Waiting for a restart or the end (`xmand.events.waiting`), with hypervisors that tell of it in their own ways."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from xman.errors import HypervisorError, NoSuchDomainError, WaitTimeoutError
from xmand.events import Subscription, waiting
from xmand.virt.events import Event

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
BEFORE = 3
SOON = 5.0


class Guest:
    """A stand-in for the domain that was asked; `now` returns its id, or raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: Callable[[], int | None] = lambda: BEFORE) -> None:
        self.name, self.uuid = "vm1", UUID
        self.subscription = Subscription()
        self.is_container = False
        self._now = now
        monkeypatch.setattr(waiting, "_POLL_SECONDS", 0.01)
        monkeypatch.setattr(waiting, "_OFF_SECONDS", 0.05)
        monkeypatch.setattr(waiting, "find", lambda _connection, _uuid: self)

    def identifier(self) -> int | None:
        return self._now()

    def container(self) -> bool:
        return self.is_container

    def tell(self, *names: str, uuid: str = UUID) -> None:
        """Let events come."""
        for name in names:
            self.subscription.offer(Event(name, "", "vm1", uuid))

    def wait(self, seconds: float = SOON) -> float:
        """Wait for it."""
        domain: Any = self
        return waiting.until_restarted(domain, BEFORE, lambda: None, self.subscription, time.monotonic() + seconds)

    def wait_until_off(self, seconds: float = SOON) -> bool:
        """Wait for its end."""
        domain: Any = self
        return waiting.until_off(domain, BEFORE, lambda: None, self.subscription, time.monotonic() + seconds)


def raises(error: Exception) -> Callable[[], int | None]:
    """Return what raises `error`."""

    def now() -> int | None:
        raise error

    return now


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


@pytest.mark.parametrize("now", [lambda: None, raises(NoSuchDomainError("vm1"))], ids=["off", "gone"])
def test_what_stops_and_stays_off_has_not_restarted(
    monkeypatch: pytest.MonkeyPatch, now: Callable[[], int | None]
) -> None:
    with pytest.raises(HypervisorError, match="was not started again"):
        Guest(monkeypatch, now).wait()


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


@pytest.mark.parametrize(
    "now", [lambda: None, raises(NoSuchDomainError("vm1")), lambda: BEFORE + 1], ids=["off", "gone", "started-again"]
)
def test_what_has_stopped_is_off(monkeypatch: pytest.MonkeyPatch, now: Callable[[], int | None]) -> None:
    assert Guest(monkeypatch, now).wait_until_off()


def test_what_goes_on_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Guest(monkeypatch).wait_until_off(0.05)


def test_an_event_is_a_reason_to_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([BEFORE, None])
    guest = Guest(monkeypatch, lambda: next(found))
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 60.0)
    guest.tell("stopped")

    assert guest.wait_until_off()


def test_a_libvirt_that_is_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([HypervisorError("libvirt cannot be reached"), BEFORE, None])

    def now() -> int | None:
        told = next(found)
        return raises(told)() if isinstance(told, Exception) else told

    assert Guest(monkeypatch, now).wait_until_off()


def test_one_that_stays_away_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HypervisorError, match="cannot be reached"):
        Guest(monkeypatch, raises(HypervisorError("libvirt cannot be reached"))).wait_until_off(0.05)
