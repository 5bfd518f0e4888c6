"""The host's events shared out, remembered, counted where they are lost (`xmand.events`); libvirt's in our words."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import libvirt
import pytest

from xman import render
from xman.errors import HypervisorError
from xmand import events
from xmand.events import Events, Subscription
from xmand.virt.events import BACK, LOST, Event, Registration

UUID = "6f2a3c1e-0b7d-4d35-9a0e-5f2f0f6c1b11"
SOON = 5.0


def happens(name: str, detail: str = "", at: float = 0.0) -> Event:
    """Return an event of vm1's."""
    return Event(name, detail, "vm1", UUID, at)


class Raw:
    """A stand-in for libvirt's domain."""

    def name(self) -> str:
        return "vm1"

    def UUIDString(self) -> str:  # noqa: N802  # libvirt's name
        return UUID


class Connection:
    """A stand-in for libvirt's connection, that keeps who asked for what."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[..., None]] = {}
        self.closed: Callable[..., None] | None = None
        self.unknown: tuple[int, ...] = ()

    def domainEventRegisterAny(self, _domain: None, kind: int, callback: Callable[..., None], _opaque: None) -> int:  # noqa: N802
        if kind in self.unknown:
            raise libvirt.libvirtError("no such events")
        self.callbacks[kind] = callback
        return kind

    def domainEventDeregisterAny(self, number: int) -> None:  # noqa: N802
        del self.callbacks[number]

    def registerCloseCallback(self, callback: Callable[..., None], _opaque: None) -> None:  # noqa: N802
        self.closed = callback

    def unregisterCloseCallback(self) -> None:  # noqa: N802
        self.closed = None


class LostConnection(Connection):
    """One of a libvirtd that has gone: nothing can be undone in order, and the callbacks stay."""

    def domainEventDeregisterAny(self, _number: int) -> None:  # noqa: N802
        raise libvirt.libvirtError("gone")

    def unregisterCloseCallback(self) -> None:  # noqa: N802
        raise libvirt.libvirtError("gone")


class Driver:
    """A stand-in for the driver: a new connection each time, after as many failures as there are to be."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.failures = 0

    def connection(self, _purpose: str) -> Connection:
        if self.failures:
            self.failures -= 1
            raise HypervisorError("libvirt cannot be reached")
        self.connections.append(Connection())
        return self.connections[-1]


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def host(driver: Driver) -> Events:
    standin: Any = driver
    return Events(standin)


# --- sharing out ------------------------------------------------------------------------------------------------------


def test_every_subscriber_gets_every_event_from_when_it_asked(host: Events) -> None:
    host.publish(happens("started"))
    with host.subscribe() as first:
        host.publish(happens("suspended"))
        with host.subscribe() as second:
            host.publish(happens("resumed"))

            assert [event.name for event in first.take(0)] == ["suspended", "resumed"]
            assert [event.name for event in second.take(0)] == ["resumed"]


def test_one_that_has_left_is_told_nothing(host: Events) -> None:
    with host.subscribe() as subscription:
        pass

    host.publish(happens("started"))

    assert subscription.take(0) == []


def test_who_waits_is_woken() -> None:
    subscription = Subscription()
    threading.Timer(0.01, lambda: subscription.offer(happens("started"))).start()

    assert [event.name for event in subscription.take(SOON)] == ["started"]


def test_what_a_slow_reader_loses_is_counted_once() -> None:
    subscription = Subscription(most=2)
    for name in ("started", "suspended", "resumed", "stopped", "started"):
        subscription.offer(happens(name))

    taken = subscription.take(0)

    assert [event.name for event in taken] == ["lost", "stopped", "started"]
    assert taken[0].detail == "3 events were lost: nobody read them in time"
    assert subscription.take(0) == []


def test_the_last_thousand_are_remembered(host: Events) -> None:
    for number in range(1001):
        host.publish(happens("balloon", f"{number} MiB"))

    assert [event.detail for event in host.recent()] == [f"{number} MiB" for number in range(1, 1001)]


# --- since ------------------------------------------------------------------------------------------------------------


def test_since_when_a_state_holds(host: Events) -> None:
    host.publish(happens("started", at=10.0))
    host.publish(happens("suspended", at=20.0))
    host.publish(happens("balloon", at=30.0))

    assert host.since(UUID, "paused") == 20.0


def test_a_state_that_no_event_led_to_has_no_beginning(host: Events) -> None:
    host.publish(happens("started", at=10.0))

    assert host.since(UUID, "paused") is None
    assert host.since("another", "running") is None


def test_after_a_loss_nothing_is_known(host: Events) -> None:
    host.publish(happens("started", at=10.0))
    host.publish(Event(LOST))

    assert host.since(UUID, "running") is None


# --- the connection ---------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_LEAST_PAUSE_SECONDS", 0.001)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait a little until `condition` holds."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.usefixtures("hasty")
def test_a_lost_connection_is_told_and_made_anew(host: Events, driver: Driver) -> None:
    driver.failures = 3
    host.start()
    wait_for(lambda: bool(driver.connections) and driver.connections[0].closed is not None)
    wait_for(lambda: libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE in driver.connections[0].callbacks)
    first = driver.connections[0]

    driver.failures = 3
    assert first.closed is not None
    first.closed(first, 1, None)
    wait_for(lambda: [event.name for event in host.recent()] == [LOST, BACK])
    driver.connections[1].callbacks[libvirt.VIR_DOMAIN_EVENT_ID_REBOOT](None, Raw(), None)

    assert first.callbacks == {}
    assert [event.name for event in host.recent()] == [LOST, BACK, "rebooted"]


def test_a_kind_that_libvirt_does_not_know_is_done_without() -> None:
    connection = Connection()
    connection.unknown = (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,)

    Registration(connection, lambda _event: None, lambda: None)

    assert libvirt.VIR_DOMAIN_EVENT_ID_REBOOT in connection.callbacks


def test_without_the_events_of_life_there_is_no_registration() -> None:
    connection = Connection()
    connection.unknown = (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,)

    with pytest.raises(libvirt.libvirtError):
        Registration(connection, lambda _event: None, lambda: None)

    assert (connection.callbacks, connection.closed) == ({}, None)


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (2, 0), "started (booted)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (2, 1), "started (migrated)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (2, 2), "started (restored)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (3, 2), "suspended (ioerror)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (5, 0), "stopped (shutdown)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (5, 99), "stopped (99)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, (99, 1), "event-99 (1)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, (), "rebooted"),
        (libvirt.VIR_DOMAIN_EVENT_ID_WATCHDOG, (3,), "watchdog (poweroff)"),
        (
            libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
            ("/srv/vm1.img", "virtio-disk0", 1, "enospc"),
            "io-error (virtio-disk0 /srv/vm1.img: enospc; pause)",
        ),
        (libvirt.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, (), "control-error"),
        (libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, (262144,), "balloon (256 MiB)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, ("net0",), "device-removed (net0)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, ("net0",), "device-not-removed (net0)"),
        (libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, ({"operation": 5},), "job-completed (migration out)"),
        (
            libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
            ({"operation": 5, "success": False},),
            "job-completed (migration out: failed)",
        ),
        (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, (1, 1), "agent (connected)"),
    ],
)
def test_events_in_our_words(kind: int, arguments: tuple[object, ...], text: str) -> None:
    connection = Connection()
    told: list[Event] = []
    Registration(connection, told.append, lambda: None)

    connection.callbacks[kind](connection, Raw(), *arguments, None)

    assert [str(event) for event in told] == [f"domain vm1 ({UUID}): {text}"]


def test_what_is_about_libvirt_says_so() -> None:
    assert str(Event(BACK, "events may have been missed")) == "libvirt: libvirt-back (events may have been missed)"


def test_a_line_for_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    data = {
        "events": [
            {"at": "2026-11-21T10:00:00Z", "event": "started", "detail": "booted", "domain": "vm1", "uuid": UUID},
            {"at": "2026-11-21T10:00:01Z", "event": "rebooted", "detail": "", "domain": "vm1", "uuid": UUID},
            {"at": "2026-11-21T10:00:02Z", "event": LOST, "detail": "the connection to libvirt was lost"},
        ]
    }

    assert render.text("events", data) == (
        "2026-11-21 10:00:00+0000 vm1 started (booted)\n"
        "2026-11-21 10:00:01+0000 vm1 rebooted\n"
        "2026-11-21 10:00:02+0000 - libvirt-lost (the connection to libvirt was lost)\n"
    )


def test_a_lost_connection_goes_though_it_keeps_our_callbacks() -> None:
    connection = LostConnection()
    registration = Registration(connection, lambda _event: None, lambda: None)
    gone = weakref.ref(connection)
    gc.disable()
    try:
        registration.close()
        del connection
        assert gone() is None
    finally:
        gc.enable()
