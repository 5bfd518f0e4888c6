"""The host as libvirt and the kernel see it, under the names of `xm info`."""

import os
from typing import Any

from lxml import etree

from xmand.virt.domain import KIB
from xmand.virt.driver import XEN, Connection, api, reading, version_text

_MIB = 1 << 20
_ALL_CELLS = -1


def info(connection: Connection) -> dict[str, Any]:
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


def versions(connection: Connection) -> dict[str, str]:
    """Return the names and versions of hypervisor and libvirt."""
    with reading():
        return {
            "hypervisor": str(connection.getType()),
            "hypervisor_version": version_text(connection.getVersion()),
            "libvirt_version": version_text(connection.getLibVersion()),
        }


def memory(connection: Connection) -> dict[str, Any]:
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


def _capabilities(connection: Connection) -> dict[str, Any]:
    try:
        root = etree.fromstring(connection.getCapabilities().encode())
    except api.libvirtError:
        return {}
    found: dict[str, Any] = {}
    types = {str(node.text) for node in root.findall("guest/os_type")}
    types |= {str(node.get("type")) for node in root.findall("guest/arch/domain")}
    if types:
        found["virt_caps"] = " ".join(sorted(types))
    cells = [
        f"node{cell.get('id')}:{_ranges([int(cpu.get('id', '0')) for cpu in cell.findall('cpus/cpu')])}"
        for cell in root.findall("host/topology/cells/cell")
    ]
    if cells:
        found["node_to_cpu"] = " ".join(cells)
    return found


def _ranges(numbers: list[int]) -> str:
    """Return numbers as xm did, `0-3,7`."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
