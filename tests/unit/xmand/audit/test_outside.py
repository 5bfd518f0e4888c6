"""What no verb caused (`xmand.audit.outside`)."""

import time

import pytest

from xmand import verbs
from xmand.audit import Audit
from xmand.audit.outside import Outside
from xmand.system import locks as locks_module
from xmand.system.locks import DomainLocks
from xmand.virt.events import Event

UUID = "11111111-2222-3333-4444-555555555555"


class Bench:
    """Events, locks and an audit of the test's own."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.locks = DomainLocks()
        self._outside = Outside(self.locks, Audit(self.lines.append), verbs.may_cause, verbs.may_have_asked)

    def happens(self, name: str, detail: str = "") -> bool:
        """Let something happen to vm1; return whether it is told as another's doing."""
        before = len(self.lines)
        self._outside.heard(Event(name, detail, "vm1", UUID))
        return len(self.lines) > before

    def verb(self, verb: str, key: str = UUID) -> None:
        """Let a verb of ours come and go."""
        with self.locks.hold(key, verb, time.monotonic() + 1):
            pass


@pytest.fixture
def bench() -> Bench:
    return Bench()


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so much time pass."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(locks_module.time, "monotonic", lambda: now)  # type: ignore[attr-defined]


def test_what_nobody_asked_us_for_is_told(bench: Bench) -> None:
    assert bench.happens("stopped", "destroyed")

    assert bench.lines == [f'ev="outside" dom="vm1" uuid="{UUID}" detail="stopped (destroyed)"']


def test_what_a_verb_does_is_its_own(bench: Bench) -> None:
    with bench.locks.hold(UUID, "destroy", time.monotonic() + 1):
        assert not bench.happens("stopped", "destroyed")
    assert not bench.happens("stopped", "destroyed")


def test_a_new_domain_is_known_by_its_name(bench: Bench) -> None:
    bench.verb("create", "vm1")

    assert not bench.happens("defined", "added")


def test_what_a_verb_cannot_cause_is_anothers_even_now(bench: Bench) -> None:
    with bench.locks.hold(UUID, "pause", time.monotonic() + 1):
        assert not bench.happens("suspended")
        assert bench.happens("stopped", "destroyed")


def test_an_event_may_come_when_the_next_verb_is_at_work(bench: Bench) -> None:
    bench.verb("pause")
    with bench.locks.hold(UUID, "unpause", time.monotonic() + 1):
        assert not bench.happens("suspended")


def test_an_event_may_come_when_several_verbs_have_come_and_gone(bench: Bench) -> None:
    """As with two administrators at one domain, or a note of xmand's own."""
    for verb in ("unpause", "pause", "pause", "stamp"):
        bench.verb(verb)

    assert not bench.happens("resumed")


def test_a_start_ends_the_time_that_a_shutdown_was_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.verb("shutdown")
    later(monkeypatch, 60)
    bench.verb("start")
    later(monkeypatch, 120)

    assert bench.happens("stopped", "destroyed")


def test_what_comes_later_is_anothers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.verb("pause")
    later(monkeypatch, 4)

    assert bench.happens("resumed")


def test_a_guest_shuts_down_in_its_own_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.verb("shutdown")
    later(monkeypatch, 120)

    assert not bench.happens("stopped", "shutdown")
    assert bench.happens("started", "booted")
    later(monkeypatch, 900)
    assert bench.happens("stopped", "shutdown")


def test_xmands_own_notes_are_no_verb(bench: Bench) -> None:
    bench.verb("stamp")

    assert bench.happens("stopped")


def test_a_note_does_not_hide_the_verb_before_it(bench: Bench) -> None:
    with bench.locks.hold(UUID, "recovery", time.monotonic() + 1):
        assert bench.happens("stopped")


@pytest.mark.parametrize("name", ["balloon", "watchdog", "lost", "shutdown"])
def test_other_events_are_no_news_for_the_audit(bench: Bench, name: str) -> None:
    assert not bench.happens(name)


def test_of_very_many_domains_the_oldest_are_forgotten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks_module, "_MOST_RELEASED", 2)
    for key in (UUID, "b", "c"):
        bench.verb("pause", key)

    assert bench.happens("resumed")
    assert [verb for verb, _seconds in bench.locks.lately("c")] == ["pause"]
