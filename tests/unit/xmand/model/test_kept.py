"""What is kept of a host's domains (`xmand.model.kept`): when it is shown, and what is read anew."""

import threading
import time
from collections.abc import Callable, Mapping

import pytest

from xman.errors import HypervisorError
from xmand.model.kept import Kept, Read

MOST = 60.0


class Host:
    """A host of domains whose states the test sets; what is read of each is counted."""

    def __init__(self) -> None:
        self.states = {"a": "running", "b": "paused"}
        self.read: list[str] = []
        self.told = True
        self.meanwhile: Callable[[], object] = lambda: None
        self.kept: Kept[list[str], dict[str, str]] = Kept(self._read, lambda: self.told)

    def _read(self, held: Mapping[str, list[str]]) -> Read[list[str], dict[str, str]]:
        self.read = sorted(self.states.keys() - held.keys())
        rows = {uuid: held.get(uuid) or [state] for uuid, state in self.states.items()}
        self.meanwhile()
        return Read(rows, {uuid: row[0] for uuid, row in rows.items()})

    def look(self, most: float = MOST) -> dict[str, str]:
        """Look, as a command does."""
        return self.kept.read(most, time.monotonic() + 5.0).whole

    def shown(self, most: float = MOST) -> dict[str, str] | None:
        """Return what is shown without reading."""
        shown = self.kept.shown(most)
        return None if shown is None else shown.whole


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_shown_before_something_is_read(host: Host) -> None:
    assert host.shown() is None


def test_what_was_read_is_shown(host: Host) -> None:
    host.look()

    assert host.shown() == {"a": "running", "b": "paused"}


def test_it_is_read_once(host: Host) -> None:
    host.look()
    host.read.clear()

    host.look()

    assert host.read == []


def test_what_happens_to_one_lets_that_one_be_read_anew(host: Host) -> None:
    host.look()
    host.states["a"] = "paused"
    host.kept.touch("a")

    assert host.shown() is None
    assert host.look()["a"] == "paused"
    assert host.read == ["a"]


def test_a_new_domain_is_read_alone(host: Host) -> None:
    host.look()
    host.states["c"] = "running"
    host.kept.touch("c")

    assert host.look().keys() == {"a", "b", "c"}
    assert host.read == ["c"]


def test_one_that_has_gone_is_shown_no_more(host: Host) -> None:
    host.look()
    del host.states["b"]
    host.kept.touch("b")

    assert host.look().keys() == {"a"}


def test_what_may_have_happened_to_anybody_lets_all_be_read(host: Host) -> None:
    host.look()
    host.kept.touch()

    host.look()

    assert host.read == ["a", "b"]


def test_what_happens_while_it_is_read_is_not_taken_for_read(host: Host) -> None:
    host.meanwhile = lambda: host.kept.touch("b")
    host.look()
    host.meanwhile = lambda: None

    assert host.shown() is None
    host.look()
    assert host.read == ["b"]
    assert host.shown() is not None


def test_two_things_that_happen_to_two_are_both_read(host: Host) -> None:
    host.look()
    host.kept.touch("a")
    host.kept.touch("b")
    host.kept.touch("a")

    host.look()

    assert host.read == ["a", "b"]
    assert host.shown() is not None


def test_it_is_shown_as_long_as_its_caller_allows(host: Host, clock: list[float]) -> None:
    host.look()
    clock[0] += 3

    assert host.shown(2.0) is None
    assert host.shown(4.0) is not None


def test_only_what_is_too_old_is_read_anew(host: Host, clock: list[float]) -> None:
    host.look()
    clock[0] += 3
    host.kept.touch("b")
    host.look()
    clock[0] += 3

    host.look(5.0)

    assert host.read == ["a"]


def test_its_age_is_that_of_its_oldest_part(host: Host, clock: list[float]) -> None:
    first = host.kept.read(MOST, clock[0] + 5).at
    clock[0] += 3
    host.kept.touch("b")

    assert host.kept.read(MOST, clock[0] + 5).at == pytest.approx(first - 3 + 3, abs=3.5)
    assert host.shown(2.0) is None


def test_it_is_not_shown_while_nobody_tells_what_happens(host: Host) -> None:
    host.look()
    host.told = False

    assert host.shown() is None
    assert host.kept.last(MOST) is not None


def test_nothing_is_held_while_nobody_tells_what_happens(host: Host) -> None:
    host.look()
    host.told = False

    host.look()

    assert host.read == ["a", "b"]


def test_what_was_changed_is_not_shown_though_libvirt_has_gone(host: Host) -> None:
    host.look()
    host.kept.touch("a")
    host.told = False

    assert host.kept.last(MOST) is None


def test_a_reading_that_fails_leaves_what_was_there(host: Host) -> None:
    host.look()
    host.told = False

    def fail() -> None:
        raise HypervisorError("libvirt cannot be reached")

    host.meanwhile = fail
    with pytest.raises(HypervisorError):
        host.look()

    assert host.kept.last(MOST) is not None


def test_many_who_ask_at_once_cost_one_reading(host: Host) -> None:
    going, readings = threading.Event(), []

    def slow() -> None:
        readings.append(1)
        going.wait(5.0)

    host.meanwhile = slow
    threads = [threading.Thread(target=host.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    going.set()
    for thread in threads:
        thread.join(5.0)

    assert len(readings) == 1


def test_who_finds_another_reading_that_hangs_is_told(host: Host) -> None:
    reads, going = threading.Event(), threading.Event()

    def hang() -> None:
        reads.set()
        going.wait(5.0)

    host.meanwhile = hang
    thread = threading.Thread(target=host.look)
    thread.start()
    reads.wait(5.0)

    with pytest.raises(HypervisorError, match="does not respond"):
        host.kept.read(MOST, time.monotonic() + 0.01)

    going.set()
    thread.join(5.0)


def test_what_nobody_asks_for_is_forgotten(host: Host, clock: list[float]) -> None:
    host.look()
    clock[0] += 3600
    host.kept.touch("a")

    assert host.kept.rows() == {}


def test_what_happens_costs_nothing_where_nobody_asked(host: Host) -> None:
    for number in range(1000):
        host.kept.touch(str(number))

    assert (host.read, host.kept._touched) == ([], {})
