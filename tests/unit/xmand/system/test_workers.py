"""Threads for calls that may never come back, and one change at a time to each domain."""

import asyncio
import contextlib
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from tests.lab.process import wait_for
from xman.errors import RefusedError
from xmand.system.locks import DomainLocks
from xmand.system.workers import NotFinishedError, NotStartedError, Workers

# Long enough for whatever must happen, short enough for whatever must not.
_PATIENCE = 5.0
_SOON = 0.2


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Something that calls hang on, like a libvirtd that does not answer; it is opened in the end."""
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def workers() -> Workers:
    return Workers(2, "test")


# --- workers ----------------------------------------------------------------------------------------------------------


def test_a_result_comes_back(workers: Workers) -> None:
    assert asyncio.run(workers.run(lambda: 6 * 7, _PATIENCE)) == 42


def test_without_a_deadline_it_is_waited_for(workers: Workers) -> None:
    assert asyncio.run(workers.run(lambda: 6 * 7, None)) == 42


def test_an_exception_comes_back(workers: Workers) -> None:
    def fail() -> None:
        raise RefusedError("no")

    with pytest.raises(RefusedError, match="no"):
        asyncio.run(workers.run(fail, _PATIENCE))


def test_an_exception_that_nobody_has_any_more_holds_nothing(workers: Workers) -> None:
    """A connection to libvirt that was lost, say; it would be there until Python's collector comes by."""

    class Thing:
        pass

    held: list[weakref.ref[Thing]] = []

    def fail() -> None:
        thing = Thing()
        held.append(weakref.ref(thing))
        raise RefusedError("no")

    async def ask() -> None:
        with contextlib.suppress(RefusedError):
            await workers.run(fail, _PATIENCE)

    gc.disable()
    try:
        asyncio.run(ask())
        wait_for(lambda: held[0]() is None, _PATIENCE, "its end")
    finally:
        gc.enable()


def test_a_timeout_of_the_calls_own_is_not_the_deadline(workers: Workers) -> None:
    def fail() -> None:
        raise TimeoutError("the call's own")

    with pytest.raises(TimeoutError, match="the call's own"):
        asyncio.run(workers.run(fail, _PATIENCE))


def test_a_call_runs_in_a_thread_that_keeps_no_process_alive(workers: Workers) -> None:
    thread = asyncio.run(workers.run(threading.current_thread, _PATIENCE))

    assert thread is not threading.current_thread()
    assert thread.daemon
    assert thread.name.startswith("test-")


def test_a_call_that_hangs_is_given_up_and_tells_later_how_it_ended(workers: Workers, gate: threading.Event) -> None:
    def hang() -> str:
        gate.wait()
        return "late"

    with pytest.raises(NotFinishedError) as caught:
        asyncio.run(workers.run(hang, _SOON))

    assert not caught.value.future.done()
    gate.set()
    assert caught.value.future.result(_PATIENCE) == "late"


def test_a_call_that_hangs_and_fails_tells_that_too(workers: Workers, gate: threading.Event) -> None:
    def hang() -> None:
        gate.wait()
        raise RefusedError("late")

    with pytest.raises(NotFinishedError) as caught:
        asyncio.run(workers.run(hang, _SOON))
    gate.set()

    assert isinstance(caught.value.future.exception(_PATIENCE), RefusedError)


def test_a_call_for_which_no_thread_is_free_is_never_made(workers: Workers, gate: threading.Event) -> None:
    made: list[str] = []

    async def scenario() -> None:
        stuck = [asyncio.create_task(workers.run(gate.wait, _PATIENCE)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NotStartedError):
            await workers.run(lambda: made.append("too late"), _SOON)
        gate.set()
        await asyncio.gather(*stuck)
        # Behind it in the queue, so that it would have run by now.
        await workers.run(lambda: made.append("next"), _PATIENCE)
        await workers.run(lambda: made.append("last"), _PATIENCE)

    asyncio.run(scenario())

    assert made == ["next", "last"]


def test_threads_come_back_when_their_calls_do(workers: Workers, gate: threading.Event) -> None:
    async def scenario() -> int:
        for _ in range(2):
            with pytest.raises(NotFinishedError):
                await workers.run(gate.wait, _SOON)
        gate.set()
        return await workers.run(lambda: 42, _PATIENCE)

    assert asyncio.run(scenario()) == 42


def test_never_more_threads_than_allowed() -> None:
    workers = Workers(3, "bounded")
    lock = threading.Lock()
    seen: set[int] = set()

    def note() -> None:
        with lock:
            seen.add(threading.get_ident())
        time.sleep(0.001)

    async def scenario() -> None:
        await asyncio.gather(*(workers.run(note, _PATIENCE) for _ in range(50)))

    asyncio.run(scenario())

    assert len(seen) <= 3
    assert sum(thread.name.startswith("bounded-") for thread in threading.enumerate()) == 3


def test_threads_are_started_only_as_they_are_needed() -> None:
    workers = Workers(3, "lazy")

    async def scenario() -> None:
        for _ in range(10):
            await workers.run(lambda: None, _PATIENCE)

    asyncio.run(scenario())

    assert sum(thread.name.startswith("lazy-") for thread in threading.enumerate()) == 1


# --- locks ------------------------------------------------------------------------------------------------------------


def in_thread(call: Callable[[], object]) -> threading.Thread:
    """Run `call` beside the test."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def soon() -> float:
    """Return a deadline that nothing in a test should need to wait for."""
    return time.monotonic() + _PATIENCE


def test_changes_to_one_domain_happen_one_after_the_other() -> None:
    locks = DomainLocks()
    inside: list[str] = []
    most: list[int] = []

    def change(verb: str) -> None:
        with locks.hold("vm1", verb, soon()):
            inside.append(verb)
            most.append(len(inside))
            time.sleep(0.002)
            inside.remove(verb)

    threads = [in_thread(lambda n=n: change(f"verb{n}")) for n in range(9)]  # type: ignore[misc]
    for thread in threads:
        thread.join(_PATIENCE)

    assert most == [1] * 9


def test_changes_to_different_domains_do_not_wait_for_each_other() -> None:
    locks = DomainLocks()

    with locks.hold("vm1", "pause", soon()), locks.hold("vm2", "pause", time.monotonic()):
        pass


def test_who_waits_too_long_is_told_what_is_at_work() -> None:
    locks = DomainLocks()

    with (
        locks.hold("vm1", "pause", soon()),
        pytest.raises(RefusedError, match=r"^The domain is busy: another pause is at work on it\.$"),
        locks.hold("vm1", "destroy", time.monotonic() + _SOON),
    ):
        pytest.fail("held twice")


def test_nobody_waits_for_a_migration() -> None:
    locks = DomainLocks()

    with (
        locks.hold("vm1", "migrate", soon()),
        pytest.raises(RefusedError, match=r"^The domain is busy: migrating\.$"),
        locks.hold("vm1", "destroy", soon()),
    ):
        pytest.fail("held twice")


def test_who_waits_gets_on_as_soon_as_the_other_is_done() -> None:
    locks = DomainLocks()
    held, got_on = threading.Event(), threading.Event()

    def second() -> None:
        held.set()
        with locks.hold("vm1", "unpause", soon()):
            got_on.set()

    with locks.hold("vm1", "pause", soon()):
        thread = in_thread(second)
        assert held.wait(_PATIENCE)
        assert not got_on.is_set()

    assert got_on.wait(_PATIENCE)
    thread.join(_PATIENCE)


def test_a_change_that_failed_lets_go() -> None:
    locks = DomainLocks()

    with pytest.raises(ValueError, match="oops"), locks.hold("vm1", "pause", soon()):
        raise ValueError("oops")

    with locks.hold("vm1", "pause", time.monotonic()):
        pass
