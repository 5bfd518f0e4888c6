"""How often libvirt is asked to look into the pools of images for those who only look (`xmand.virt.image_pools`)."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from xman.errors import RefusedError
from xmand.virt import image_pools, pools
from xmand.virt.image_pools import Looks

NOBODY: Any = None


class Pool:
    """A pool that counts how often it was looked into."""

    def __init__(self, name: str, path: Path | None) -> None:
        self.name, self.path = name, path
        self.active = True
        self.refreshed = 0
        self.raw = self

    def facts(self) -> dict[str, Any]:
        """Return what libvirt says of it."""
        return {"active": self.active} | ({"path": str(self.path)} if self.path else {})

    def create(self, _flags: int) -> None:
        """Start it."""
        self.active = True

    def refresh(self) -> None:
        """Look."""
        self.refreshed += 1


class Clock:
    """A clock that the test sets."""

    now = 50.0

    def monotonic(self) -> float:
        """Return what it shows."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(image_pools, "time", made)
    return made


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    folder = tmp_path / "images"
    folder.mkdir()
    made = Pool("images", folder)

    def named(_connection: object, name: str) -> Pool:
        if name != made.name:
            raise RefusedError(f"no pool {name}")
        return made

    monkeypatch.setattr(pools, "named", named)
    return made


def looked(looks: Looks) -> None:
    looks.refresh(NOBODY, ("images", "another"))


def test_who_looks_again_and_again_costs_one_look(clock: Clock, pool: Pool) -> None:
    looks = Looks()

    for _again in range(20):
        clock.now += 0.4
        looked(looks)

    assert pool.refreshed == 1


def test_what_came_into_its_folder_is_seen_at_once(clock: Clock, pool: Pool) -> None:
    looks = Looks()
    looked(looks)
    assert pool.path is not None

    os.utime(pool.path, (1.0, 1.0))
    looked(looks)
    looked(looks)

    assert pool.refreshed == 2


def test_after_some_seconds_it_is_looked_into_whatever_is_seen(clock: Clock, pool: Pool) -> None:
    looks = Looks()
    looked(looks)

    clock.now += 10.0
    looked(looks)

    assert pool.refreshed == 2


def test_one_without_a_folder_is_looked_into_by_the_clock(clock: Clock, pool: Pool) -> None:
    looks, pool.path = Looks(), None
    looked(looks)
    looked(looks)
    clock.now += 10.0
    looked(looks)

    assert pool.refreshed == 2


def test_one_that_libvirt_has_let_go_is_started(clock: Clock, pool: Pool) -> None:
    looks = Looks()
    looked(looks)
    pool.active = False

    looked(looks)

    assert (pool.active, pool.refreshed) == (True, 2)


def test_of_many_who_look_at_once_one_does(clock: Clock, pool: Pool) -> None:
    looks = Looks()
    threads = [threading.Thread(target=looked, args=[looks]) for _each in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert pool.refreshed == 1
