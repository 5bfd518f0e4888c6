"""The settler: what wakes it, and how often it says the same."""

import logging
from typing import Any

import pytest

from tests.lab.process import wait_for
from xman.errors import MetadataError
from xman.metadata import Job
from xmand.batch import settler
from xmand.batch.engine import Decision, View
from xmand.batch.guests import Guest
from xmand.batch.observe import Seen
from xmand.batch.plan import Guests, Plan
from xmand.batch.settler import Settler
from xmand.virt.events import Event


class Engine:
    """Counts the looks at the host; damaged metadata stops each."""

    def __init__(self, *, has_jobs: bool) -> None:
        self.has_jobs = has_jobs
        self.looks = 0

    def decide(self, *_arguments: object) -> None:
        self.looks += 1
        raise MetadataError("The xman metadata of domain 'vm1' is damaged.")


class Sees:
    """Shows a host with nothing to be done: other guests at each look."""

    has_jobs = True

    def __init__(self, looks: list[Guests]) -> None:
        self._looks = iter(looks)

    def decide(self, *_arguments: object) -> Decision:
        guests = next(self._looks)
        view = View(Seen(guests, {}, ()), {}, {})
        return Decision(Plan(), view, view, ())


def test_what_cannot_be_settled_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(settler, "_AGAIN_SECONDS", 0.01)
    engine: Any = Engine(has_jobs=False)
    with caplog.at_level(logging.WARNING):
        Settler(engine, lambda **_fields: None).start()
        wait_for(lambda: engine.looks >= 3, 5, "three tries")
        # The thread stays behind: let it sleep.
        monkeypatch.setattr(settler, "_AGAIN_SECONDS", 3600.0)

    assert [record.message for record in caplog.records] == ["settling: The xman metadata of domain 'vm1' is damaged."]


@pytest.mark.parametrize(
    ("event", "has_jobs", "wanted"),
    [
        (Event("stopped"), True, True),
        (Event("stopped"), False, False),
        (Event("started", "booted"), False, False),
        (Event("started", "migrated"), False, True),
        (Event("libvirt-back"), False, True),
        (Event("balloon"), True, False),
    ],
)
def test_what_wakes_it(event: Event, has_jobs: bool, wanted: bool) -> None:
    engine: Any = Engine(has_jobs=has_jobs)
    made = Settler(engine, lambda **_fields: None)

    made.heard(event)

    assert (made._due is not None) is wanted


def test_two_owners_are_told_once_for_as_long_as_there_are_two(caplog: pytest.LogCaptureFixture) -> None:
    hard = Job("1", "alice@R")
    two = tuple(Guest(name, jobs=(hard,), granted=True) for name in ("vm1", "vm2"))
    lines: list[dict[str, Any]] = []
    engine: Any = Sees([two, two, two[:1], two])
    made = Settler(engine, lambda **fields: lines.append(fields))

    with caplog.at_level(logging.WARNING):
        for _look in range(4):
            made._settle()

    (first, again) = lines
    assert first == again == {"ev": "settle", "detail": caplog.records[0].message.removeprefix("settling: ")}
    assert "'vm1' with job 1 of alice@R and 'vm2'" in first["detail"]
