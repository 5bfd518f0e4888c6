"""What the host uses: CPU, load, memory, storage pools. What the driver does not know is left out."""

import contextlib
import os
import time
from typing import Any

from xmand.virt import host
from xmand.virt.driver import Connection, api, reading
from xmand.virt.stats import SAMPLE_SECONDS

_MIB = 1 << 20
_ALL_CPUS = -1
_IDLE = ("idle", "iowait")


def host_stats(connection: Connection) -> dict[str, Any]:
    """Return what the host uses, as `result.host` of `stats` has it; memory in octets. Raises HypervisorError.

    Takes half a second.
    """
    with reading():
        _model, memory_mib, cpus = connection.getInfo()[:3]
        found: dict[str, Any] = {"name": str(connection.getHostname()), "nr_cpus": int(cpus)}
    found |= _cpu_share(connection)
    found["load"] = [round(average, 2) for average in os.getloadavg()]
    found |= {"total_memory": int(memory_mib) * _MIB} | host.memory(connection)
    return found | _pools(connection)


def _cpu_share(connection: Connection) -> dict[str, float]:
    """Return the percentage of all CPUs used over half a second; nothing where the driver's clock stands still."""
    try:
        before = connection.getCPUStats(_ALL_CPUS)
        time.sleep(SAMPLE_SECONDS)
        after = connection.getCPUStats(_ALL_CPUS)
    except api.libvirtError:
        return {}
    passed = {key: max(0, after[key] - before.get(key, 0)) for key in after if key != "utilization"}
    whole = sum(passed.values())
    if whole <= 0:
        return {}
    return {"cpu_percent": round(100.0 * (whole - sum(passed.get(key, 0) for key in _IDLE)) / whole, 1)}


def _pools(connection: Connection) -> dict[str, Any]:
    """Return the storage pools, sorted by name, sizes in octets as of their last refresh."""
    try:
        raws = connection.listAllStoragePools(0)
    except api.libvirtError:  # a host without libvirt's storage driver
        return {}
    pools = []
    for raw in raws:
        with contextlib.suppress(api.libvirtError):  # one that has vanished
            pool = {"name": str(raw.name()), "active": bool(raw.isActive())}
            if pool["active"]:
                _state, capacity, allocation, available = raw.info()
                pool |= {"capacity": capacity, "allocation": allocation, "available": available}
            pools.append(pool)
    return {"pools": sorted(pools, key=lambda pool: str(pool["name"]))}
