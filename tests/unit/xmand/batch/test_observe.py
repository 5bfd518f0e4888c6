"""What a look at a host costs (`xmand.batch.observe`): one call for each domain, and none that asks its guest."""

from collections import Counter
from typing import Any

import libvirt
import pytest

from tests.lab.hosts.descriptions import for_test_driver
from xmand.batch.observe import observe
from xmand.settings import Batch
from xmand.virt.driver import READ, Driver

# What the binding does within the object itself.
_FREE = (
    "virGetLastError",
    "virDomainGetName",
    "virDomainGetUUIDString",
    "virDomainGetID",
    "virDomainFree",
    "virDomainGetConnect",
)
# What enters a guest's monitor, or waits for who has it (libvirt 9.0, qemu_driver.c).
_OF_THE_GUEST = ("virDomainMemoryStats", "virDomainBlockInfo", "virDomainGetJobStats", "virDomainGetDiskErrors")


class Counting:
    """The binding's C module; its calls are counted."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not callable(found):
            return found

        def counted(*words: Any) -> Any:
            self.calls[name] += 1
            return found(*words)

        return counted


def test_one_call_for_each_domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    names = [f"d{number}" for number in range(20)]
    (tmp_path / "host.xml").write_text(f"<node>{''.join(for_test_driver(name) for name in names)}</node>")
    driver = Driver(f"test://{tmp_path}/host.xml", lambda _line: None)
    connection = driver.connection(READ)
    counting = Counting(libvirt.libvirtmod)
    monkeypatch.setattr(libvirt, "libvirtmod", counting)

    seen = observe(connection, Batch())

    monkeypatch.undo()
    calls = Counter({name: count for name, count in counting.calls.items() if name not in _FREE})
    assert len(seen.guests) == len(names)
    assert sum(calls.values()) <= len(names) + 8, calls
    assert not set(_OF_THE_GUEST) & set(calls)
    driver.close()
