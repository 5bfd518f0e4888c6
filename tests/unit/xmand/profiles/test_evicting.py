"""Clients are shut down for whoever changes their profile (`xmand.profiles.evicting`): in order, if they are quick."""

import time
from typing import Any

import pytest

from xman.errors import NoSuchDomainError, RefusedError
from xmand.profiles import clients, evicting
from xmand.profiles.clients import Client
from xmand.system.locks import DomainLocks
from xmand.virt import condition, lifecycle
from xmand.virt.condition import OFF, PAUSED, RUNNING


class Guest:
    """One, which is off so many seconds after it was asked, or never; `said` are the calls that it got."""

    def __init__(self, host: "Host", client: Client, seconds: float) -> None:
        self.host, self.client, self.seconds = host, client, seconds
        self.asked = float("inf")
        self.said: list[str] = []
        self.destroyed = False

    @property
    def condition(self) -> str:
        """How it is now."""
        off = self.destroyed or self.host.now - self.asked >= self.seconds
        return OFF if off else self.client.condition

    def active(self) -> bool:
        """Whether it is there."""
        return self.condition != OFF

    def ask_shutdown(self) -> None:
        """Press its power button."""
        self.said.append("asked")
        self.asked = self.host.now

    def destroy(self) -> None:
        """End it."""
        self.said.append("destroyed")
        self.destroyed = True


class Host:
    """Clients by UUID, and a clock that goes on while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.guests: dict[str, Guest] = {}
        self.dropped: list[str] = []

    def client(self, name: str, condition: str, *, seconds: float = float("inf"), suspended: bool = False) -> Guest:
        """Add one."""
        client = Client(name, f"uuid-{name}", True, "pool", condition, suspended)
        self.guests[client.uuid] = Guest(self, client, seconds)
        return self.guests[client.uuid]

    def evict(self, locks: DomainLocks | None = None, seconds: float = 60.0) -> list[str]:
        """Evict all of the profile's."""
        profile: Any = type("Profile", (), {"uuid": "uuid-win", "name": "win"})
        nobody: Any = None
        return evicting.evict(nobody, locks or DomainLocks(), "start", self.now + seconds, profile)

    # What stands for `time` there.
    def monotonic(self) -> float:
        """Return what the clock shows."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time go by."""
        self.now += seconds


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()

    def find(_connection: object, uuid: str) -> Guest:
        if uuid not in made.guests:
            raise NoSuchDomainError(uuid)
        return made.guests[uuid]

    monkeypatch.setattr(evicting, "time", made)
    monkeypatch.setattr(evicting, "find", find)
    monkeypatch.setattr(clients, "of", lambda _connection, _profile: [each.client for each in made.guests.values()])
    monkeypatch.setattr(condition, "condition", lambda guest: guest.condition)
    monkeypatch.setattr(lifecycle, "suspended", lambda guest: guest.client.suspended)
    monkeypatch.setattr(lifecycle, "discard_saved", lambda guest: made.dropped.append(guest.client.name))
    return made


def test_who_hears_is_shut_down_in_order_and_who_does_not_is_ended_after_half_a_minute(host: Host) -> None:
    quick = host.client("quick", RUNNING, seconds=5)
    slow = host.client("slow", RUNNING, seconds=31)
    deaf = host.client("deaf", RUNNING)

    said = host.evict()

    assert said == ["Evicted from 'win': quick was shut down, slow was destroyed, deaf was destroyed."]
    assert (quick.said, slow.said, deaf.said) == (["asked"], ["asked", "destroyed"], ["asked", "destroyed"])
    assert 30.0 <= host.now <= 31.0


def test_nobody_is_waited_for_longer_than_it_takes(host: Host) -> None:
    host.client("quick", RUNNING, seconds=5)
    host.client("off", OFF)

    said = host.evict()

    assert (said, host.now) == (["Evicted from 'win': quick was shut down."], 5.0)


def test_one_that_stands_still_hears_nothing_and_is_ended_at_once(host: Host) -> None:
    still = host.client("still", PAUSED)

    said = host.evict()

    assert (said, still.said, host.now) == (["Evicted from 'win': still was destroyed."], ["destroyed"], 0.0)


def test_saved_memory_is_dropped(host: Host) -> None:
    host.client("asleep", OFF, suspended=True)

    said = host.evict()

    assert (said, host.dropped) == (["Evicted from 'win': the saved memory of asleep was dropped."], ["asleep"])


def test_where_there_is_nobody_nothing_is_said(host: Host) -> None:
    host.client("off", OFF)

    assert host.evict() == []


def test_the_time_of_the_command_is_the_end_of_all_patience(host: Host) -> None:
    host.client("deaf", RUNNING)

    host.evict(seconds=10.0)

    assert host.now <= 10.5


def test_one_on_which_somebody_is_at_work_is_not_torn_from_him(host: Host) -> None:
    busy, locks = host.client("busy", PAUSED), DomainLocks()

    with locks.hold("uuid-busy", "snapshot", time.monotonic() + 10), pytest.raises(RefusedError, match="busy"):
        host.evict(locks, seconds=-1.0)

    assert busy.said == []
