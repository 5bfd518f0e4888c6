"""Which connection a thread uses (`xmand.virt.connection_pool`): four share one, none that is stuck; others wait."""

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
        self.pool = ConnectionPool({"long": (2, 12)})
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


def counts(keys: list[list[str]]) -> list[int]:
    """Return how many have each key, most first."""
    each = [key[0] for key in keys]
    return sorted((each.count(key) for key in set(each)), reverse=True)


def eventually(holds: Callable[[], bool]) -> bool:
    """Return whether something comes to hold soon."""
    deadline = time.monotonic() + SOON
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_four_share_a_connection_and_the_fifth_has_another(crowd: Crowd) -> None:
    keys = [crowd.come("change") for _ in range(9)]

    assert counts(keys) == [4, 4, 1]
    assert keys[0] == ["change"]


def test_a_place_that_is_free_again_is_used(crowd: Crowd) -> None:
    for _ in range(4):
        crowd.come("change")
    crowd.go()

    assert eventually(lambda: len(crowd.pool._users["change"]) == 3)
    assert crowd.come("change") == ["change"]


def test_nobody_joins_what_stands_still(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd.come("read")
    monkeypatch.setattr(connection_pool, "STUCK_SECONDS", -1.0)

    assert crowd.come("read") == ["read/1"]


def test_a_call_that_was_left_behind_counts_as_long_as_it_goes_on(crowd: Crowd) -> None:
    ends = threading.Event()
    call = threading.Thread(target=ends.wait, args=[SOON], daemon=True)
    call.start()
    for _ in range(2):
        with connection_pool.session():
            assert crowd.pool.key("long") == "long"
            connection_pool.leave_behind(call)

    assert crowd.come("long") == ["long/1"]
    ends.set()
    call.join()
    assert crowd.come("long") == ["long"]


def test_twelve_at_once_have_six_connections_and_the_thirteenth_waits_and_is_told(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_pool, "_TELL_SECONDS", 0.05)
    keys = [crowd.come("long") for _ in range(12)]
    late = crowd.come("long")

    assert counts(keys) == [2] * 6
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
        assert crowd.pool._users["read"] == {}
        assert crowd.pool.key("read") == "read"
