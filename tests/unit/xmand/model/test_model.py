"""The model on libvirt's own test driver (`xmand.model`): own changes, others' changes, and events that are lost."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from xman.metadata import Metadata
from xmand.batch.engine import Engine
from xmand.events import Events
from xmand.model import Model
from xmand.settings import Settings
from xmand.system.locks import DomainLocks
from xmand.virt import listing, metadata
from xmand.virt.domain import Domain, define, find
from xmand.virt.driver import CHANGE, Driver
from xmand.virt.events import BACK, LOST, Event

SOON = 5.0
MOST = 60.0
NAMES = ("one", "two", "three")


class One(Driver):
    """All in one connection: libvirt's test driver makes each its own host."""

    def connection(self, _purpose: str, patience: float = 30.0) -> Any:
        return super().connection(CHANGE, patience)


class Bench:
    """A host of three domains, its model, and what it tells."""

    def __init__(self, directory: Path) -> None:
        node = directory / "host.xml"
        node.write_text(f"<node>{''.join(for_test_driver(name) for name in NAMES)}</node>")
        self.driver = One(f"test://{node}", lambda _line: None)
        settings = Settings(state_dir=str(directory))
        self.events = Events(self.driver)
        self.model = Model(self.driver, self.events, Engine(settings, self.driver, DomainLocks()))
        self.told: list[Event] = []
        self._came = threading.Condition()
        self.events.listen(self._keep)
        self.events.start()
        until(self.events.listening)

    def _keep(self, event: Event) -> None:
        with self._came:
            self.told.append(event)
            self._came.notify_all()

    def wait_for(self, name: str) -> None:
        """Wait until an event has come."""
        with self._came:
            assert self._came.wait_for(lambda: any(event.name == name for event in self.told), SOON)

    def states(self, most: float = MOST) -> dict[str, str]:
        """Return the states as `list --max-age` shows them."""
        shown = self.model.domains.shown(most) or self.model.domains.read(most, time.monotonic() + SOON)
        return {domain["name"]: domain["state"] for domain in shown.whole}

    def raw(self, name: str) -> Any:
        """Return libvirt's domain, past all of ours."""
        return self.driver.connection(CHANGE).lookupByName(name)


def until(holds: Any) -> None:
    """Wait until it holds."""
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.driver.close()


@pytest.fixture
def infos(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The domains of which info() was asked, counted."""
    found: Counter[str] = Counter()
    real = listing._from_info

    def counted(raw: Any) -> Any:
        found[raw.name()] += 1
        return real(raw)

    monkeypatch.setattr(listing, "_from_info", counted)
    return found


def test_own_changes_are_never_stale(bench: Bench) -> None:
    for number in range(200):
        domain = find(bench.driver.connection(CHANGE), "one")
        if number % 2:
            domain.unpause()
        else:
            domain.pause()
        assert bench.states()["one"] == ("running" if number % 2 else "paused"), number


def test_a_change_that_sends_no_event_is_seen_as_well(bench: Bench) -> None:
    bench.states()
    domain = find(bench.driver.connection(CHANGE), "one")
    with domain.change():
        domain.raw.setMemory(100 * 1024)

    shown = bench.model.domains.read(MOST, time.monotonic() + SOON)

    assert {each["name"]: each["memory"] for each in shown.whole}["one"] == 100 * 1024 * 1024


def test_what_others_change_is_seen_by_its_event(bench: Bench) -> None:
    bench.states()
    bench.raw("two").suspend()
    bench.wait_for("suspended")

    assert bench.states()["two"] == "paused"


def test_one_change_lets_one_domain_be_read(bench: Bench, infos: "Counter[str]") -> None:
    bench.states()
    infos.clear()
    find(bench.driver.connection(CHANGE), "two").pause()

    bench.states()

    assert infos == {"two": 1}


def test_an_answer_within_its_age_makes_no_call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.states()
    monkeypatch.setattr(bench.driver, "connection", lambda _purpose: pytest.fail("libvirt was asked"))

    states = bench.states()

    monkeypatch.undo()
    assert states == dict.fromkeys(NAMES, "running")


def test_a_lost_event_shows_for_no_longer_than_its_caller_allows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.states()
    # Whatever libvirt tells is lost on its way.
    monkeypatch.setattr(bench.model, "touch", lambda _uuid="": None)
    bench.raw("two").suspend()
    bench.wait_for("suspended")

    assert bench.states()["two"] == "running"
    assert bench.states(most=1e-9)["two"] == "paused"


def test_a_libvirt_that_was_lost_is_believed_again_when_all_is_read_anew(bench: Bench, infos: "Counter[str]") -> None:
    bench.states()
    infos.clear()
    bench.events.publish(Event(LOST, at=time.time()))
    bench.events.publish(Event(BACK, at=time.time()))

    bench.states()

    assert infos == dict.fromkeys(NAMES, 1)


def test_an_event_loop_that_stands_still_tells_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.states()
    monkeypatch.setattr(bench.driver, "ticked", lambda: time.monotonic() - 10.0)

    assert bench.model.domains.shown(MOST) is None


def test_batch_states_follow_an_own_change(bench: Bench) -> None:
    def of_two() -> str:
        shown = bench.model.guests.shown(MOST) or bench.model.guests.read(MOST, time.monotonic() + SOON)
        return next(str(each["state"]) for each in shown.whole.data["domains"] if each["name"] == "two")

    before = of_two()
    find(bench.driver.connection(CHANGE), "two").pause()

    assert (before, of_two()) == ("free", "frozen")


def test_metadata_that_others_write_is_seen_by_its_event(bench: Bench) -> None:
    counts = bench.model.guests._count
    bench.raw("one").setMetadata(0, "told", None, None, 1)

    until(lambda: bench.model.guests._count > counts)


def test_a_domain_as_it_is_waited_for(bench: Bench) -> None:
    uuid = bench.raw("one").UUIDString()
    bench.raw("one").suspend()
    bench.wait_for("suspended")

    assert bench.model.seen(uuid, MOST).state == "paused"
    assert bench.model.seen("nowhere", MOST).state == "gone"


def launched_as(bench: Bench, name: str) -> None:
    """Let a domain be one that was launched, past all of ours."""
    element = f'<domain><instance id="i-{name}" owner="lena@R" image="tiny" pool="p"/></domain>'
    bench.raw(name).setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, element, "xman", "urn:xman:1", 0)


def test_what_was_launched_is_read_again_only_where_something_happened(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    read = metadata.read

    def counted(domain: Domain) -> Metadata:
        reads[domain.name] += 1
        return read(domain)

    monkeypatch.setattr(metadata, "read", counted)
    launched_as(bench, "one")
    before = bench.model.launched()
    again = bench.model.launched()
    # What its event, which comes when it comes, lets be read once more, is no matter here.
    assert (reads["two"], reads["three"]) == (1, 1)

    # Others' changes are told by events; our own are known at once, and of whom nothing is known all are listed.
    launched_as(bench, "two")
    until(lambda: len(bench.model.launched()) == 2)
    bench.model.changed("nobody")
    bench.model.launched()

    assert [sorted(instance.id for instance in found.values()) for found in (before, again)] == [["i-one"], ["i-one"]]
    assert reads["three"] == 1


def test_one_that_is_made_by_us_is_counted_before_any_event(bench: Bench) -> None:
    assert bench.model.launched() == {}
    element = '<instance xmlns="urn:xman:1" id="i-new" owner="lena@R" image="tiny" pool="p"/>'
    made = for_test_driver("new").replace(
        "</name>", f'</name><metadata><xman:domain xmlns:xman="urn:xman:1">{element}</xman:domain></metadata>'
    )
    # Whatever events say, and whenever.
    bench.model._launched._told = lambda: True

    define(bench.driver.connection(CHANGE), "new", made)

    assert [instance.id for instance in bench.model.launched().values()] == ["i-new"]


def test_where_nothing_is_told_all_are_read(bench: Bench) -> None:
    launched_as(bench, "one")
    assert len(bench.model.launched()) == 1
    bench.events.listening = lambda: False  # type: ignore[method-assign]

    launched_as(bench, "three")

    assert len(bench.model.launched()) == 2
