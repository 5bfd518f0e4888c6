"""Who waits for a domain (`xmand.system.locks`) does so in order, and in no crowd; the rest is in `test_workers`."""

import threading
import time

import pytest

from xman.errors import RefusedError
from xmand.system import locks as locks_module
from xmand.system.locks import DomainLocks

SOON = 60.0


@pytest.fixture
def locks() -> DomainLocks:
    return DomainLocks()


def soon() -> float:
    """Return a deadline that no test reaches."""
    return time.monotonic() + SOON


def queued(locks: DomainLocks, count: int) -> None:
    """Wait until so many stand in line for vm1."""
    deadline = soon()
    while len(locks._queues.get("vm1", ())) != count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_who_came_first_has_it_first(locks: DomainLocks) -> None:
    order: list[int] = []

    def work(number: int) -> None:
        with locks.hold("vm1", "pause", soon()):
            order.append(number)

    threads = []
    with locks.hold("vm1", "pause", soon()):
        for number in range(5):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            queued(locks, number + 1)
    for thread in threads:
        thread.join()

    assert order == [0, 1, 2, 3, 4]


def test_a_crowd_is_sent_away_at_once(locks: DomainLocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks_module, "_MOST_WAITING", 1)

    def wait() -> None:
        with locks.hold("vm1", "pause", soon()):
            pass

    with locks.hold("vm1", "pause", soon()):
        waiting = threading.Thread(target=wait)
        waiting.start()
        queued(locks, 1)
        with pytest.raises(RefusedError, match="1 others wait"), locks.hold("vm1", "pause", soon()):
            pass
    waiting.join()


def test_who_gives_up_lets_the_next_one_in(locks: DomainLocks) -> None:
    done: list[str] = []

    def give_up() -> None:
        with pytest.raises(RefusedError), locks.hold("vm1", "pause", time.monotonic() + 0.2):
            pass

    def wait() -> None:
        with locks.hold("vm1", "pause", soon()):
            done.append("in")

    with locks.hold("vm1", "pause", soon()):
        first, second = threading.Thread(target=give_up), threading.Thread(target=wait)
        first.start()
        # Where this thread comes late the first one has given up already.
        while not locks._queues.get("vm1") and first.is_alive():
            time.sleep(0.001)
        second.start()
        first.join()
        queued(locks, 1)
    second.join()

    assert done == ["in"]
    assert locks._queues == {}
