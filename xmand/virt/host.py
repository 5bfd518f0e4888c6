"""The host as libvirt and the kernel see it, under the names of `xm info`."""

import contextlib
import os
import time
from typing import Any

from lxml import etree

from xman.values import ranges
from xmand.virt.binding import RawConnection, api
from xmand.virt.domain import KIB
from xmand.virt.driver import XEN, version_text
from xmand.virt.errors import reading
from xmand.virt.stats import SAMPLE_SECONDS

_MIB = 1 << 20
_ALL_CELLS = -1


def info(connection: RawConnection) -> dict[str, Any]:
    """Return what is known of the host; what the driver does not know is left out. Memory in octets."""
    kernel = os.uname()
    with reading():
        _model, memory_mib, cpus, mhz, nodes, _sockets, cores, threads = connection.getInfo()
        found: dict[str, Any] = {
            "host": connection.getHostname(),
            "release": kernel.release,
            "version": kernel.version,
            "machine": kernel.machine,
            "nr_cpus": cpus,
            "nr_nodes": nodes,
            "cores_per_socket": cores,
            "threads_per_core": threads,
            "total_memory": memory_mib * _MIB,
            "xend_config_format": 4,
            **versions(connection),
            "uri": connection.getURI(),
        }
    if mhz:
        found["cpu_mhz"] = mhz
    found |= memory(connection)
    found |= _capabilities(connection)
    if found["hypervisor"] == XEN:
        major, minor, _release = found["hypervisor_version"].split(".")
        found |= {"xen_major": int(major), "xen_minor": int(minor)}
    return found


def versions(connection: RawConnection) -> dict[str, str]:
    """Return the names and versions of hypervisor and libvirt."""
    with reading():
        return {
            "hypervisor": str(connection.getType()),
            "hypervisor_version": version_text(connection.getVersion()),
            "libvirt_version": version_text(connection.getLibVersion()),
        }


def memory(connection: RawConnection) -> dict[str, Any]:
    """Return total and free memory in octets from the better source.

    getInfo() adds up NUMA cells, which on some machines is a fraction of what there is; getMemoryStats() is
    /proc/meminfo, where the driver has it.
    """
    try:
        stats = connection.getMemoryStats(_ALL_CELLS)
        return {"total_memory": int(stats["total"]) * KIB, "free_memory": int(stats["free"]) * KIB}
    except (api.libvirtError, KeyError):
        pass
    try:
        return {"free_memory": int(connection.getFreeMemory())}
    except api.libvirtError:
        return {}


def _capabilities(connection: RawConnection) -> dict[str, Any]:
    try:
        root = etree.fromstring(connection.getCapabilities().encode())
    except api.libvirtError:
        return {}
    found: dict[str, Any] = {}
    types = {str(node.text) for node in root.findall("guest/os_type")}
    types |= {str(node.get("type")) for node in root.findall("guest/arch/domain")}
    if types:
        found["virt_caps"] = " ".join(sorted(types))
    cells = root.findall("host/topology/cells/cell")
    if cells:
        found["node_to_cpu"] = " ".join(
            f"node{cell.get('id')}:{ranges([int(cpu.get('id', '0')) for cpu in cell.findall('cpus/cpu')])}"
            for cell in cells
        )
        found["nodes"] = [_node(connection, cell) for cell in cells]
    return found


def _node(connection: RawConnection, cell: Any) -> dict[str, Any]:
    """Return a NUMA node, its memory in octets, and each of its CPUs with its place."""
    number = int(cell.get("id", "0"))
    node: dict[str, Any] = {
        "node": number,
        "memory": int(cell.findtext("memory") or 0) * KIB,
        "distances": [int(sibling.get("value", "0")) for sibling in cell.findall("distances/sibling")],
        "cpus": [
            {
                "cpu": int(cpu.get("id", "0")),
                "core": int(cpu.get("core_id", "0")),
                "socket": int(cpu.get("socket_id", "0")),
            }
            for cpu in cell.findall("cpus/cpu")
        ],
    }
    with contextlib.suppress(api.libvirtError, IndexError):
        node["free"] = int(connection.getCellsFreeMemory(number, 1)[0])
    return node


def node_cpus(connection: RawConnection) -> dict[int, frozenset[int]]:
    """Return the CPUs of each NUMA node, as far as the driver tells."""
    with reading():
        root = etree.fromstring(connection.getCapabilities().encode())
    return {
        int(cell.get("id", "0")): frozenset(int(cpu.get("id", "0")) for cpu in cell.findall("cpus/cpu"))
        for cell in root.findall("host/topology/cells/cell")
    }


_ALL_CPUS = -1
_IDLE = ("idle", "iowait")


def host_stats(connection: RawConnection) -> dict[str, Any]:
    """Return what the host uses, as `result.host` of `stats` has it; memory in octets. Raises HypervisorError.

    Takes half a second.
    """
    with reading():
        _model, memory_mib, cpus = connection.getInfo()[:3]
        found: dict[str, Any] = {"name": str(connection.getHostname()), "nr_cpus": int(cpus)}
    found |= _cpu_share(connection)
    found["load"] = [round(average, 2) for average in os.getloadavg()]
    found |= {"total_memory": int(memory_mib) * _MIB} | memory(connection)
    return found | pools(connection)


def _cpu_share(connection: RawConnection) -> dict[str, float]:
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


def pools(connection: RawConnection) -> dict[str, Any]:
    """Return the storage pools, sorted by name, sizes in octets as of their last refresh."""
    try:
        raws = connection.listAllStoragePools(0)
    except api.libvirtError:  # a host without libvirt's storage driver
        return {}
    found = []
    for raw in raws:
        with contextlib.suppress(api.libvirtError):  # one that has vanished
            pool = {"name": str(raw.name()), "active": bool(raw.isActive())}
            if pool["active"]:
                _state, capacity, allocation, available = raw.info()
                pool |= {"capacity": capacity, "allocation": allocation, "available": available}
            found.append(pool)
    return {"pools": sorted(found, key=lambda pool: str(pool["name"]))}
