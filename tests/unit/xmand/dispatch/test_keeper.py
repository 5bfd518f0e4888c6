"""Whoever ends machines whose time is over (`xmand.dispatch.keeper`)."""

import itertools
import time
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from xman.errors import RefusedError
from xman.metadata import Instance
from xmand.dispatch import keeper
from xmand.dispatch.keeper import Keeper

HOUR = 3600


def test_one_that_cannot_be_ended_is_tried_at_longer_and_longer_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Mock(spec=Instance, id="i-1", until=1, launched=0, owner="lena@R")
    domain = Mock(uuid="u")
    domain.name = "vm1"
    now = time.monotonic()
    tried: list[float] = []

    def end(*_arguments: object) -> None:
        tried.append(clock.monotonic())
        raise RefusedError("Domain 'vm1' has external snapshots.")

    clock: Any = Mock(monotonic=lambda: now, time=time.time)
    monkeypatch.setattr(keeper, "time", clock)
    for name, stands in {
        "find": lambda _connection, _uuid: domain,
        "metadata": Mock(read=lambda _domain: Mock(instance=instance)),
        "require_idle": Mock(),
        "end": end,
    }.items():
        monkeypatch.setattr(keeper, name, stands)
    monkeypatch.setattr(Keeper, "left", staticmethod(lambda _uuid, _instance: 0.0))
    machines = MagicMock()
    machines.found.return_value = {"u": instance}
    keeps = Keeper(machines, Mock(), MagicMock(), Mock(), Mock())

    for _look in range(4 * HOUR // 30):
        keeps.look()
        now += 30

    pauses = [round(after - before) for before, after in itertools.pairwise(tried)]
    assert pauses[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert pauses[-1] == HOUR
