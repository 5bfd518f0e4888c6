"""When the service manager's watchdog is fed (`xmand.system.systemd`)."""

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from xmand.system import systemd
from xmand.system.workers import Workers


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the service manager is told."""
    states: list[str] = []
    monkeypatch.setattr(systemd, "notify", states.append)
    return states


def feed(ticked: Callable[[], float]) -> None:
    """Feed for a third of a second, at an interval of a tenth."""

    async def some() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(systemd.feed(0.1, ticked), 0.3)

    asyncio.run(some())


def test_it_is_fed_while_all_parts_move(told: list[str]) -> None:
    async def until_it_was_fed_twice() -> None:
        feeding = asyncio.create_task(systemd.feed(0.1, time.monotonic))
        while len(told) < 2:
            await asyncio.sleep(0.01)
        feeding.cancel()

    asyncio.run(asyncio.wait_for(until_it_was_fed_twice(), 10.0))

    assert set(told) == {"WATCHDOG=1"}


def test_it_starves_when_libvirts_event_loop_has_stopped(told: list[str]) -> None:
    stopped = time.monotonic() - 1

    feed(lambda: stopped)

    assert told == []


def test_it_starves_when_threads_do_nothing(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "_work", lambda _self: None)

    feed(time.monotonic)

    assert told == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_its_interval(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: float) -> None:
    for key in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)

    assert systemd.interval() == expected
