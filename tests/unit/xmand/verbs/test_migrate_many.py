"""Many slow migrations at once: each has a connection of its own, and each is told truly."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.fakes.host_standin import host_of
from tests.lab.hosts.descriptions import for_test_driver
from tests.unit.xmand.dispatch.test_dispatcher import SOON
from xman import arguments, verbs
from xman.result import Result
from xmand.authorize import Access
from xmand.dispatch.executor import in_session
from xmand.settings import Migration, Settings
from xmand.verbs import HANDLERS
from xmand.verbs.call import Call
from xmand.virt import connection_pool
from xmand.virt.driver import LONG, Driver

# As many at a time.
_TOGETHER = 12
_ALL = 14


class Libvirtd:
    """What is counted of the calls on each connection; a migration ends when it is let."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: Counter[int] = Counter()
        self.most = 0
        self.migrating: set[str] = set()
        self.may_end = threading.Event()

    def call(self, domain: Any, make: Callable[[], Any]) -> Any:
        """Make a call over the connection of `domain`."""
        key = id(domain.connect())
        with self._lock:
            self._in_flight[key] += 1
            self.most = max(self.most, self._in_flight[key])
        try:
            return make()
        finally:
            with self._lock:
                self._in_flight[key] -= 1

    def migrate(self, domain: Any, *_words: object) -> None:
        self.migrating.add(domain.name())
        self.call(domain, lambda: self.may_end.wait(SOON))

    def job_stats(self, domain: Any) -> dict[str, Any]:
        def answer() -> dict[str, Any]:
            time.sleep(0.01)
            return {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED, "data_processed": time.monotonic_ns()}

        found: dict[str, Any] = self.call(domain, answer)
        return found


@pytest.fixture
def libvirtd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libvirtd]:
    made = Libvirtd()
    monkeypatch.setattr(libvirt.virDomain, "migrateToURI3", lambda domain, *words: made.migrate(domain, *words))
    monkeypatch.setattr(libvirt.virDomain, "jobStats", lambda domain: made.job_stats(domain))
    monkeypatch.setattr("xmand.virt.domain_jobs._POLL_SECONDS", 0.02)
    monkeypatch.setattr(connection_pool, "_TELL_SECONDS", 0.05)
    yield made
    made.may_end.set()


def test_each_of_many_is_told_truly_and_who_must_wait_is_told(tmp_path: Path, libvirtd: Libvirtd) -> None:
    names = [f"m{number}" for number in range(_ALL)]
    (tmp_path / "host.xml").write_text(f"<node>{''.join(for_test_driver(name) for name in names)}</node>")
    driver = Driver(f"test://{tmp_path}/host.xml", lambda _line: None)
    host = host_of(driver, Settings(state_dir=str(tmp_path), migrate=Migration(allow=("h2",))))
    done: dict[str, Result] = {}
    told: list[str] = []

    def move(name: str) -> None:
        parsed = arguments.parse(verbs.BY_NAME["migrate"], ["--live", name, "h2"])
        call = Call(host, "alice@R", Access(frozenset()), parsed, time.monotonic() + SOON, told.append)
        result = in_session(HANDLERS["migrate"], call)
        assert isinstance(result, Result), "it waits in its worker"
        done[name] = result

    threads = [threading.Thread(target=move, args=[name], daemon=True) for name in names]
    for thread in threads:
        thread.start()
    _wait(lambda: len(libvirtd.migrating) == _TOGETHER and any("waits for its turn" in text for text in told))
    together = set(libvirtd.migrating)
    libvirtd.may_end.set()
    for thread in threads:
        thread.join(SOON)

    assert len(together) == _TOGETHER
    assert libvirtd.most == 2  # the migration, and the question how far it is: here no libvirtd stands between
    assert {name: result.changed for name, result in done.items()} == dict.fromkeys(names, True)
    assert len([key for key in driver._connections if key.partition("/")[0] == LONG]) == _TOGETHER
    driver.close()


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
