"""Unit tests of what outlives xmand: who has come and is not confirmed, and who has left."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import HypervisorError
from xmand.broker import arrivals as module
from xmand.broker.arrivals import Arrival, Arrivals, LeftArrivals
from xmand.system.locks import DomainLocks
from xmand.system.notes import this_boot

UUID = "6b2c1d4e-0000-4000-8000-00000000aaaa"
ARRIVAL = Arrival("1", "vm1", UUID, "hv1.xman.test", stays_paused=False, existed=False)


def test_a_copy_waits_for_its_source_over_a_restart(tmp_path: Path) -> None:
    arrivals = Arrivals(str(tmp_path))
    arrivals.begin(ARRIVAL)
    arrivals.arrived(ARRIVAL, 7)

    again = Arrivals(str(tmp_path))

    found = again.unconfirmed(UUID, 7, "paused")
    assert found is not None
    assert (found.source, found.boot) == ("hv1.xman.test", this_boot())
    # Another run of the same domain, and one that somebody let go on.
    assert again.unconfirmed(UUID, 8, "paused") is None
    assert again.unconfirmed(UUID, 7, "running") is None
    again.forget(UUID)
    assert Arrivals(str(tmp_path)).get(UUID) is None


@pytest.mark.parametrize(
    ("existed", "whole", "held"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
def test_one_that_has_ended_here_may_run_at_its_source(tmp_path: Path, existed: bool, whole: bool, held: bool) -> None:
    """With this host, say: its definition is still here, and a start would be the second."""
    arrivals = Arrivals(str(tmp_path))
    arrival = replace(ARRIVAL, existed=existed)
    arrivals.begin(arrival)
    if whole:
        arrivals.arrived(arrival, 7)

    assert (arrivals.unconfirmed(UUID, None, "shutoff") is not None) is held


def test_whoever_keeps_what_is_told_of_a_domain_hears_when_that_changes(tmp_path: Path) -> None:
    arrivals = Arrivals(str(tmp_path))
    heard: list[tuple[str, str]] = []
    arrivals.on_change(lambda uuid: heard.append((uuid, arrivals.whence(uuid, 7, "paused"))))

    arrivals.begin(ARRIVAL)
    arrivals.arrived(ARRIVAL, 7)
    arrivals.forget(UUID)

    assert heard == [(UUID, "hv1.xman.test"), (UUID, "hv1.xman.test"), (UUID, "")]
    assert arrivals.whence(UUID, 7, "running") == ""


def test_one_of_which_nothing_is_here_keeps_no_other_host_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arrivals = Arrivals(str(tmp_path))
    arrivals.begin(ARRIVAL)
    other = Arrival("2", "vm1", UUID, "hv3.xman.test", stays_paused=False, existed=False)

    arrivals.begin(other)

    assert arrivals.get(UUID) == other
    assert "what came of 'vm1' from hv1.xman.test is forgotten" in caplog.text


class Here:
    """The domain of that UUID, as it is at each look: absent, off, paused or running; `number` is its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, state: str, number: int = 7) -> None:
        self.now, self._number = state, number
        monkeypatch.setattr(module, "_find", lambda _connection, _uuid: None if self.now == "absent" else self)

    def state(self) -> tuple[str, int]:
        return self.now, 0

    def active(self) -> bool:
        return self.now != "off"

    def identifier(self) -> int | None:
        return self._number if self.active() else None


class Left:
    """What looks after arrivals, with one that came as the domain with the number 7; `lines` are the audit's."""

    def __init__(self, directory: Path, *, whole: bool = True) -> None:
        self.arrivals, self.locks, self.lines = Arrivals(str(directory)), DomainLocks(), list[dict[str, Any]]()
        driver: Any = SimpleNamespace(connection=lambda _purpose: None)
        self.left = LeftArrivals(self.arrivals, driver, self.locks, lambda **line: self.lines.append(line))
        self.arrivals.begin(ARRIVAL)
        if whole:
            self.arrivals.arrived(ARRIVAL, 7)

    def looked(self) -> bool:
        """Look once; return whether it is still written down."""
        self.left.look()
        return self.arrivals.get(UUID) is not None


@pytest.mark.parametrize(("state", "number"), [("absent", 7), ("running", 8), ("paused", 8)])
def test_one_of_which_nothing_is_here_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, number: int
) -> None:
    left = Left(tmp_path)
    Here(monkeypatch, state, number)

    assert (left.looked(), left.looked()) == (True, False)
    assert [(line["ev"], line["uuid"], line["detail"]) for line in left.lines] == [
        ("settled", UUID, "nothing came of 'vm1' from hv1.xman.test")
    ]


def test_one_that_libvirt_was_still_making_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, here = Left(tmp_path, whole=False), Here(monkeypatch, "absent")
    assert left.looked()

    here.now = "paused"
    assert left.looked()
    here.now = "absent"

    assert (left.looked(), left.looked()) == (True, False)


@pytest.mark.parametrize("state", ["paused", "running", "off"])
def test_a_copy_waits_for_its_sources_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    left = Left(tmp_path)
    Here(monkeypatch, state)

    assert all(left.looked() for _look in range(3))
    assert left.lines == []


def test_an_administrator_hears_of_one_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Left(tmp_path)
    Here(monkeypatch, "paused")

    with pytest.raises(HypervisorError, match=r"until hv1\.xman\.test says whether it runs there"):
        left.left.settle(next(iter(left.left.pending())))


def test_one_that_is_on_its_way_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Left(tmp_path)
    Here(monkeypatch, "absent")

    with left.locks.hold(UUID, "migrate-in", time.monotonic() + 10):
        assert all(left.looked() for _look in range(3))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": 1}', '{"number": "x"}'])
def test_a_damaged_note_still_holds_the_copy(tmp_path: Path, content: str) -> None:
    (tmp_path / "arrivals").mkdir()
    (tmp_path / "arrivals" / f"{UUID}.json").write_text(content)

    assert Arrivals(str(tmp_path)).unconfirmed(UUID, 7, "paused") is not None
