"""One console for many (`xmand.consoles.hub`), with a line that a test holds in its hand."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.process import wait_for
from xman.errors import RefusedError
from xmand.consoles import hub
from xmand.consoles.hub import MOST_TYPED, RING, Hub, Hubs
from xmand.consoles.viewer import MOST_BEHIND, Taken, Viewer
from xmand.virt.consoles import LOST, Console

CONSOLE = Console("console0", "pty", "")
SOON = 5.0


class Line:
    """What stands for libvirt's stream; it takes `room` octets of what is typed."""

    def __init__(self, heard: Callable[[bytes], None], ended: Callable[[str], None], room: Callable[[], None]) -> None:
        self.heard, self.ended, self.more_room = heard, ended, room
        self.typed = b""
        self.room = 1 << 30
        self.paused: list[bool] = []
        self.closed = threading.Event()

    def write(self, data: bytes) -> int:
        taken = data[: self.room]
        self.typed += taken
        self.room -= len(taken)
        return len(taken)

    def pause(self, paused: bool) -> None:
        self.paused.append(paused)

    def close(self) -> None:
        self.closed.set()


class Lines:
    """Opens them."""

    def __init__(self) -> None:
        self.opened: list[Line] = []
        self.refuses = False

    def open(self, _domain: Any, _console: Console, *, force: bool, heard: Any, ended: Any, room: Any) -> Line:
        if self.refuses and not force:
            raise RefusedError("in use outside xman")
        self.opened.append(Line(heard, ended, room))
        return self.opened[-1]


class Domain:
    """As much of one as is looked at."""

    name, uuid = "vm1", "1-2-3"


class Site:
    """Hubs, and who comes to them."""

    def __init__(self) -> None:
        anything: Any = None
        self.hubs = Hubs(anything)
        self.lines = Lines()
        held: Any = self.hubs
        held._lines = self.lines
        self._places: list[tuple[Hub, Viewer]] = []

    def join(self, *, types: bool = False, history: bool = True, force: bool = False) -> Viewer:
        """Let somebody in."""
        viewer = Viewer(types=types)
        domain: Any = Domain()
        hub = self.hubs.join(domain, CONSOLE, viewer, force=force, history=history)
        self._places.append((hub, viewer))
        return viewer

    def hub(self) -> Hub:
        """Return the hub of the last one."""
        return self._places[-1][0]

    def leave(self, viewer: Viewer) -> None:
        """Let him out."""
        (hub,) = [hub for hub, one in self._places if one is viewer]
        self.hubs.leave((Domain.uuid, CONSOLE.name), hub, viewer)

    @property
    def line(self) -> Line:
        """The line that was opened last."""
        found: Line = self.lines.opened[-1]
        return found


@pytest.fixture
def site() -> Site:
    return Site()


def test_all_see_the_same_over_one_line(site: Site) -> None:
    first, second = site.join(), site.join()

    site.line.heard(b"login: ")

    assert len(site.lines.opened) == 1
    assert first.take() == second.take() == Taken(b"login: ", 0, None)


def test_who_comes_later_gets_what_came_last(site: Site) -> None:
    site.join()
    site.line.heard(b"a" * RING + b"login: ")

    assert site.join().take().data == b"a" * (RING - 7) + b"login: "
    assert site.join(history=False).take().data == b""


def test_it_is_closed_after_the_last_one(site: Site) -> None:
    first, second = site.join(), site.join()
    line = site.line

    site.leave(first)
    site.leave(second)

    assert line.closed.wait(SOON)
    wait_for(lambda: site.hubs.at(Domain.uuid, CONSOLE.name) is None, SOON, "its end")


def test_who_comes_after_the_end_has_it_opened_anew(site: Site) -> None:
    viewer = site.join()
    site.line.ended("")
    assert viewer.take().ended == ""

    again = site.join()

    assert len(site.lines.opened) == 2
    assert again.take() == Taken(b"", 0, None)


def test_what_is_typed_comes_in_order_whoever_types(site: Site) -> None:
    site.join(types=True)
    site.join(types=True)

    for number in range(100):
        site.hub().type(b"%d " % number)

    expected = b"".join(b"%d " % number for number in range(100))
    wait_for(lambda: site.line.typed == expected, SOON, "all of it")


def test_a_guest_that_takes_nothing_stops_who_types_and_nobody_else(site: Site) -> None:
    viewer = site.join(types=True)
    woken = threading.Event()
    viewer.wake = woken.set
    site.line.room = 10

    assert site.hub().type(b"x" * 100)
    assert not site.hub().type(b"y" * MOST_TYPED)

    wait_for(lambda: site.line.room == 0, SOON, "what there is room for")
    assert not site.hub().takes_more
    woken.clear()
    site.line.room = 1 << 30
    site.line.more_room()
    assert woken.wait(SOON)
    wait_for(lambda: len(site.line.typed) == 100 + MOST_TYPED, SOON, "the rest")
    assert site.hub().takes_more


def test_a_guest_that_has_taken_nothing_for_a_while_is_stuck_until_it_takes_something(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "STUCK_SECONDS", 0.05)
    site.join(types=True)
    site.line.room = 0
    assert not site.hub().stuck
    site.hub().type(b"y" * MOST_TYPED)

    wait_for(lambda: site.hub().stuck, SOON, "that it is stuck")

    site.line.room = 1 << 30
    site.line.more_room()
    wait_for(lambda: not site.hub().stuck, SOON, "that it goes on")


def test_a_long_text_waits_for_the_guest_and_not_in_memory(site: Site) -> None:
    site.join(types=True)
    site.line.room = 0

    for _ in range(20):
        assert not site.hub().type_all(b"z" * (1 << 20), 0.01)

    assert site.hub()._typed_octets < 2 * MOST_TYPED
    site.line.room = 1 << 30
    site.line.more_room()
    assert site.hub().type_all(b"y" * (1 << 20), SOON)
    assert site.line.typed.endswith(b"y" * (1 << 20))


def test_who_only_looks_and_is_slow_loses_the_oldest_and_is_told(site: Site) -> None:
    slow, quick = site.join(), site.join()
    chunk = b"x" * 60_000
    for _ in range(10):
        site.line.heard(chunk)
        quick.take()

    taken = slow.take()

    assert (len(taken.data), taken.lost) == (MOST_BEHIND, 600_000 - MOST_BEHIND)
    assert site.line.paused == []


def test_who_types_loses_nothing_the_guest_waits_for_him(site: Site) -> None:
    typist = site.join(types=True)
    heard = 0
    while not site.line.paused:
        site.line.heard(b"x" * 60_000)
        heard += 60_000

    taken = typist.take()
    site.hub().caught_up()

    assert (len(taken.data), taken.lost) == (heard, 0)
    wait_for(lambda: site.line.paused == [True, False], SOON, "that it goes on")


def test_the_end_of_libvirt_is_told_to_all(site: Site) -> None:
    viewers = [site.join(), site.join(types=True)]

    site.line.ended(LOST)

    assert [viewer.take().ended for viewer in viewers] == [LOST, LOST]


def test_one_that_cannot_be_opened_leaves_nothing_behind(site: Site) -> None:
    site.lines.refuses = True

    with pytest.raises(RefusedError):
        site.join()

    assert site.hubs.at(Domain.uuid, CONSOLE.name) is None
    site.join(force=True)
