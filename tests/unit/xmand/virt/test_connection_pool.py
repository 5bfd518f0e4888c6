"""Which connection a thread uses (`xmand.virt.connection_pool`): one that no other has; of some it may have to wait."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.unit.xmand.dispatch.test_dispatcher import SOON
from xmand.virt import connection_pool
from xmand.virt.connection_pool import ConnectionPool


class Crowd:
    """Threads that each hold a key until they are told to go."""

    def __init__(self) -> None:
        self.pool = ConnectionPool({"long": 12})
        self.told: list[str] = []
        self._go: list[threading.Event] = []

    def come(self, purpose: str) -> "list[str]":
        """Let one more come; return where its key will stand, once it has one."""
        has, go, key = threading.Event(), threading.Event(), [""]

        def hold() -> None:
            with connection_pool.session(self.told.append):
                key[0] = self.pool.key(purpose)
                assert self.pool.key(purpose) == key[0]
                has.set()
                go.wait(SOON)

        self._go.append(go)
        threading.Thread(target=hold, daemon=True).start()
        has.wait(0.3 if purpose == "long" and len(self._go) > 12 else SOON)
        return key

    def go(self, number: int = 0) -> None:
        """Let one go."""
        self._go[number].set()

    def all_go(self) -> None:
        for go in self._go:
            go.set()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd()
    yield made
    made.all_go()


def eventually(holds: Callable[[], bool]) -> bool:
    """Return whether something comes to hold soon."""
    deadline = time.monotonic() + SOON
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_each_thread_has_one_of_its_own(crowd: Crowd) -> None:
    keys = [crowd.come("change") for _ in range(9)]

    assert [key[0] for key in keys] == ["change", *(f"change/{number}" for number in range(1, 9))]


def test_one_that_is_free_again_is_used(crowd: Crowd) -> None:
    for _ in range(4):
        crowd.come("change")
    crowd.go(2)

    assert eventually(lambda: not crowd.pool._taken["change/2"])
    assert crowd.come("change") == ["change/2"]


def test_what_has_other_purposes_is_not_taken(crowd: Crowd) -> None:
    crowd.come("read")
    crowd.go()

    assert eventually(lambda: not crowd.pool._taken["read"])
    assert crowd.come("read 2") == ["read 2"]


def test_one_with_a_call_that_was_left_behind_is_nobodys_as_long_as_it_goes_on(crowd: Crowd) -> None:
    ends = threading.Event()
    call = threading.Thread(target=ends.wait, args=[SOON], daemon=True)
    call.start()
    with connection_pool.session():
        assert crowd.pool.key("long") == "long"
        connection_pool.leave_behind(call)
        assert crowd.pool.key("long") == "long/1"

    assert crowd.come("long") == ["long/1"]
    ends.set()
    call.join()
    assert crowd.come("long") == ["long"]


def test_the_thirteenth_of_twelve_at_once_waits_and_is_told(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_pool, "_TELL_SECONDS", 0.05)
    keys = [crowd.come("long") for _ in range(12)]
    late = crowd.come("long")

    assert len({key[0] for key in keys}) == 12
    assert late == [""]
    assert eventually(lambda: bool(crowd.told))
    assert crowd.told[0].startswith("12 such changes are under way")
    crowd.go(3)
    assert eventually(lambda: late == keys[3])


def test_outside_a_session_there_is_one(crowd: Crowd) -> None:
    assert [crowd.pool.key("change") for _ in range(9)] == ["change"] * 9


def test_who_rests_has_none(crowd: Crowd) -> None:
    with connection_pool.session():
        assert crowd.pool.key("read") == "read"
        connection_pool.rest()
        assert crowd.pool._taken == {"read": False}
        assert crowd.pool.key("read") == "read"
