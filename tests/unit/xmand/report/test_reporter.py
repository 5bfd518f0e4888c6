"""Who is reported to, as whom, and how long is waited where nobody takes reports."""

import threading
from pathlib import Path
from typing import Any

import pytest

from xman.errors import UsageError
from xman.srv import Place
from xmand.report import places, reporter
from xmand.report.reporter import Reporter
from xmand.settings import Report, Settings
from xmand.system.own_connection import LostError


class Waits(threading.Event):
    """Stands for time: writes down how long is waited, and ends it after so many times."""

    def __init__(self, most: int, ended: threading.Event) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._most, self._over = most, ended

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        if len(self.seconds) >= self._most:
            self._over.set()
        return False


def pauses(monkeypatch: pytest.MonkeyPatch, most: int) -> list[float]:
    """Return how long a host waits between tries at a collector that is not there."""

    def absent(*_words: Any) -> None:
        raise LostError("Connection refused")

    monkeypatch.setattr(reporter, "Collector", absent)
    monkeypatch.setattr(reporter, "own_principal", lambda _settings: "host/h@R")
    made = Reporter(Settings(report=Report(("portal",))), None, dict)  # type: ignore[arg-type]
    waits = Waits(most, made._ended)
    made._changed = waits
    made._run()
    return waits.seconds


def test_pauses_grow_to_a_bound_and_no_two_hosts_have_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    several = [pauses(monkeypatch, 12) for _host in range(8)]

    for number, usual in enumerate([0.5, 1, 2, 4, 8, 16, 30, 30]):
        found = [each[number] for each in several]
        assert all(usual * 0.5 <= each <= usual * 1.5 for each in found)
        assert len(set(found)) == len(several)


def test_a_collector_that_is_away_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses(monkeypatch, 5)

    assert [record.getMessage() for record in caplog.records] == ["report: portal:4374: Connection refused"]


def test_another_configuration_holds_at_once_however_many_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Reporter(Settings(report=Report(("a", "b", "c"))), None, dict)  # type: ignore[arg-type]
    made._begun = True
    asked: list[str] = []

    def absent(place: Place, *_all: Any) -> None:
        asked.append(place.host)
        if place.host == "new":
            made.stop()
        else:
            made.configure(Settings(report=Report(("new",))))
        raise LostError("Connection refused")

    monkeypatch.setattr(reporter, "Collector", absent)
    monkeypatch.setattr(reporter, "own_principal", lambda _settings: "host/h@R")

    made._run()

    assert len(asked) == 2
    assert asked[-1] == "new"


def test_collectors_share_the_hosts() -> None:
    words = ("a", "b:4375", "[::1]:4376")

    firsts = {places.of(words)[0] for _host in range(64)}

    assert firsts == {Place("a", 4374), Place("b", 4375), Place("::1", 4376)}


def test_a_host_without_a_key_reports_as_nobody(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keytab"):
        reporter.own_principal(Settings(keytab=str(tmp_path / "keytab")))


def test_the_configuration_says_as_whom() -> None:
    assert reporter.own_principal(Settings(report=Report(principal="host/h@R"))) == "host/h@R"
