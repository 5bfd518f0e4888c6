"""Unit tests of where a guest runs after a migration that xmand carried: the source decides once, and stands by it."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xman.errors import HypervisorError, RefusedError, UnreachableError
from xmand.broker import departures as module
from xmand.broker.arrivals import GIVEN, KEPT
from xmand.broker.departures import Departure, Departures
from xmand.settings import Settings
from xmand.system.notes import this_boot
from xmand.virt import lifecycle
from xmand.virt.binding import api

UUID = "6b2c1d4e-0000-4000-8000-00000000aaaa"
ID = "6b2c1d4e-0000-4000-8000-00000000bbbb"
MIGRATED, SHUT_DOWN = int(api.VIR_DOMAIN_SHUTOFF_MIGRATED), int(api.VIR_DOMAIN_SHUTOFF_SHUTDOWN)
DESTROYED, CRASHED = int(api.VIR_DOMAIN_SHUTOFF_DESTROYED), int(api.VIR_DOMAIN_SHUTOFF_CRASHED)


def leaves(*, paused: bool = False, persistent: bool = True, decision: str = "") -> Departure:
    """Return a departure of the domain with the number 7."""
    return Departure(ID, "vm1", UUID, "hv2", paused, persistent, 7, this_boot(), decision)


class Here:
    """The domain at its source; `did` is what was done to it."""

    name, uuid = "vm1", UUID

    def __init__(self, state: str, reason: int = 0, number: int = 7) -> None:
        self._state, self._reason, self._number = state, reason, number
        self.raw = SimpleNamespace(connect=lambda: None)
        self.starts = False
        self.did: list[str] = []

    def state(self) -> tuple[str, int]:
        return self._state, self._reason

    def active(self) -> bool:
        return self._state != "shutoff"

    def identifier(self) -> int | None:
        return self._number if self.active() else None

    def persistent(self) -> bool:
        return True

    def destroy(self) -> None:
        self.did.append("destroy")
        self._state = "shutoff"

    def undefine(self) -> None:
        self.did.append("undefine")

    def unpause(self) -> None:
        self.did.append("unpause")


@pytest.fixture
def made(tmp_path: Path) -> Departures:
    """Those of a host."""
    host: Any = SimpleNamespace()
    return Departures(Settings(state_dir=str(tmp_path)), host, host, lambda **_fields: None)


def judged(
    made: Departures, monkeypatch: pytest.MonkeyPatch, here: Here | None, departure: Departure, *, busy: bool = False
) -> tuple[str, bool, list[str]]:
    """Return what is decided, whether that is carried out, and what was done here."""
    monkeypatch.setattr(module, "_find", lambda _connection, _uuid: here)
    monkeypatch.setattr(module, "at_rest", lambda _domain: not busy)
    monkeypatch.setattr(lifecycle, "autostart", lambda domain: domain.starts)
    monkeypatch.setattr(lifecycle, "set_autostart", lambda domain, wanted: setattr(domain, "starts", wanted))
    found, done = made.judge(None, departure)
    return found.decision, done, here.did if here is not None else []


@pytest.mark.parametrize(
    ("here", "departure", "wanted"),
    [
        (Here("running"), leaves(), (KEPT, True, [])),
        (Here("paused"), leaves(), (KEPT, True, ["unpause"])),
        (Here("paused"), leaves(paused=True), (KEPT, True, [])),
        # Another run of it, which somebody has paused since.
        (Here("paused", number=8), leaves(), (KEPT, True, [])),
        # It ended by itself, or was destroyed: what has arrived is no guest any more.
        (Here("shutoff"), leaves(), (KEPT, True, [])),
        (Here("shutoff", MIGRATED), leaves(), (GIVEN, True, ["undefine"])),
        (None, leaves(), (GIVEN, True, [])),
        (None, leaves(persistent=False), ("", False, [])),
        # What is decided stands, whatever libvirt made of it.
        (Here("paused"), leaves(decision=GIVEN), (GIVEN, True, ["destroy", "undefine"])),
        (Here("running"), leaves(decision=GIVEN), (GIVEN, True, ["destroy", "undefine"])),
        (Here("running", number=8), leaves(decision=GIVEN), (GIVEN, True, [])),
        # libvirtd was started since, and knows not why; where it knows another reason, somebody has used it here.
        (Here("shutoff"), leaves(decision=GIVEN), (GIVEN, True, ["undefine"])),
        # Its QEMU was ended, by us or by a libvirtd that was started since, and nothing came of what follows.
        (Here("shutoff", DESTROYED), leaves(decision=GIVEN), (GIVEN, True, ["undefine"])),
        (Here("shutoff", CRASHED), leaves(decision=GIVEN), (GIVEN, True, ["undefine"])),
        (Here("shutoff", SHUT_DOWN), leaves(decision=GIVEN), (GIVEN, True, [])),
        (None, leaves(decision=KEPT), (KEPT, True, [])),
    ],
)
def test_where_it_runs(
    made: Departures,
    monkeypatch: pytest.MonkeyPatch,
    here: Here | None,
    departure: Departure,
    wanted: tuple[str, bool, list[str]],
) -> None:
    if here is not None:
        here.did.clear()
    assert judged(made, monkeypatch, here, departure) == wanted


@pytest.mark.parametrize("decision", ["", GIVEN])
def test_nothing_is_touched_while_libvirt_is_at_it(
    made: Departures, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    assert judged(made, monkeypatch, Here("paused"), leaves(decision=decision), busy=True) == (decision, False, [])


def test_nothing_is_decided_where_libvirt_does_not_say_whether_it_is_at_it(
    made: Departures, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.begin(leaves())

    def silent(_domain: Here) -> bool:
        raise HypervisorError("Timed out during operation: cannot acquire state change lock")

    monkeypatch.setattr(module, "_find", lambda _connection, _uuid: Here("running"))
    monkeypatch.setattr(module, "at_rest", silent)

    with pytest.raises(HypervisorError):
        made.judge(made._driver, leaves())

    found = made.get(ID)
    assert found is not None
    assert found.decision == ""


@pytest.mark.parametrize(
    ("here", "decision", "starts"),
    [
        # A host that goes down before anything is decided starts nothing of what may be elsewhere.
        (Here("running"), "", True),
        (Here("shutoff"), "", True),
        (Here("running"), KEPT, True),
        (Here("shutoff", MIGRATED), "", False),
        (Here("paused"), GIVEN, False),
    ],
)
def test_one_that_is_kept_is_started_with_its_host_again(
    made: Departures, monkeypatch: pytest.MonkeyPatch, here: Here, decision: str, starts: bool
) -> None:
    judged(made, monkeypatch, here, replace(leaves(decision=decision), starts=True))

    assert here.starts is starts


def test_one_that_never_was_is_not_started_with_its_host(made: Departures, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here("running")

    judged(made, monkeypatch, here, leaves())

    assert not here.starts


@pytest.mark.parametrize(
    ("here", "decision", "said"),
    [
        (Here("running"), "", "It is not yet known how the last migration"),
        (Here("shutoff"), "", "It is not yet known how the last migration"),
        (Here("paused"), GIVEN, "has left for hv2"),
        (Here("shutoff", MIGRATED), GIVEN, "has left for hv2"),
        (Here("shutoff"), GIVEN, "has left for hv2"),
        # Started here since, or come back; or ended as its own guest did.
        (Here("running", number=8), GIVEN, ""),
        (Here("shutoff", SHUT_DOWN), GIVEN, ""),
        (Here("running"), KEPT, ""),
        (Here("shutoff"), KEPT, ""),
    ],
)
def test_what_may_be_done_to_what_is_here(made: Departures, here: Any, decision: str, said: str) -> None:
    made.begin(leaves(decision=decision))
    # Its migration has the domain's lock.
    made.require_kept(here)
    made.leave(leaves())

    refusal = pytest.raises(RefusedError, match=said) if said else contextlib.nullcontext()
    with refusal:
        made.require_kept(here)


def test_what_has_come_back_is_not_removed(made: Departures) -> None:
    made.begin(leaves(decision=GIVEN))
    made.leave(leaves())

    made.came_back(UUID)

    assert not made.gave(UUID)


def test_what_an_older_xmand_has_written_down_is_known(tmp_path: Path, made: Departures) -> None:
    made.begin(leaves(decision=GIVEN))
    path = tmp_path / "departures" / f"{ID}.json"
    note = json.loads(path.read_text())
    del note["starts"]
    path.write_text(json.dumps(note))
    host: Any = SimpleNamespace()

    assert Departures(Settings(state_dir=str(tmp_path)), host, host, print).gave(UUID)


def test_the_first_decision_stands(made: Departures) -> None:
    made.begin(leaves())

    assert made.decide(leaves(), KEPT).decision == KEPT
    assert made.decide(leaves(), GIVEN).decision == KEPT


def test_none_begins_while_the_last_one_is_undecided(made: Departures) -> None:
    made.begin(leaves())

    with pytest.raises(RefusedError, match="It is not yet known"):
        made.begin(leaves())


def test_a_host_that_is_away_keeps_no_other_one_waiting(made: Departures, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, to in enumerate(("hv2", "hv2", "hv2", "hv3")):
        left = replace(leaves(decision=GIVEN), id=f"{ID[:-1]}{number}", to=to)
        made.begin(left)
        made.leave(left)
    told: list[str] = []

    def reached(_settings: Settings, host: str, _seconds: float) -> Any:
        told.append(host)
        raise UnreachableError(f"{host}: no answer.")

    monkeypatch.setattr(module, "reached", reached)
    monkeypatch.setattr(made, "_judged", lambda departure: (departure, True))

    left_over = made._settle_all()

    assert (left_over, told) == (True, ["hv2", "hv3"])


def test_nothing_is_decided_that_cannot_be_written_down(made: Departures, tmp_path: Path) -> None:
    made.begin(leaves())
    (tmp_path / "departures" / f"{ID}.new").mkdir()

    with pytest.raises(HypervisorError):
        made.decide(leaves(), GIVEN)

    found = made.get(ID)
    assert found is not None
    assert found.decision == ""
