"""xmand as the demonstration runs it: `XMAN_DEMO` names the machines of its host.

libvirt's test driver tells the wall clock as each machine's CPU time, which is wider than xm's column. Here its
machines had used none when the demonstration began.
"""

import os
import time
from typing import Any

import libvirt

from tests.lab.hosts.descriptions import for_test_driver
from xmand.cli import main

_BEGAN = time.time_ns()
_TIME = 4  # in what `info` returns
# Of a host that has 3 GiB.
_MEMORY_MIB = 1024
_CPUS = 8
_info, _stats = libvirt.virDomain.info, libvirt.virConnect.getAllDomainStats


def _since(wall_clock: int) -> int:
    return max(0, wall_clock - _BEGAN)


def _short_info(domain: Any) -> list[int]:
    found: list[int] = _info(domain)
    return [*found[:_TIME], _since(found[_TIME])]


def _short_stats(*words: Any, **named: Any) -> Any:
    found = _stats(*words, **named)
    for _domain, stats in found:
        if "cpu.time" in stats:
            stats["cpu.time"] = _since(stats["cpu.time"])
    return found


def _fill(connection: Any, names: list[str]) -> None:
    """Put the machines where the test driver's own one was."""
    own = connection.lookupByName("test")
    own.destroy()
    own.undefine()
    for name in names:
        connection.defineXML(for_test_driver(name, _MEMORY_MIB, _CPUS)).create()


if __name__ == "__main__":
    libvirt.virDomain.info, libvirt.virConnect.getAllDomainStats = _short_info, _short_stats
    # All connections of a process see the same machines, for as long as there is one.
    kept = libvirt.open("test:///default")
    _fill(kept, os.environ["XMAN_DEMO"].split())
    main()
