"""What domains use: CPU, memory, network, disks. One bulk call where the driver has it, calls per domain elsewhere.

What the driver does not know is left out, never invented. The guest agent is not asked: libvirt refuses it on read-only
connections, and it may take as long as the guest likes.
"""

import contextlib
import time
from typing import Any

from lxml import etree

from xmand.virt.binding import RawConnection, RawDomain, api
from xmand.virt.domain import KIB
from xmand.virt.errors import reading
from xmand.virt.listing import LISTED, NANOSECOND, bulk, facts_of, identity
from xmand.virt.monitor import Ask

SAMPLE_SECONDS = 0.5
# Whose guests have a monitor, which may not answer; and what only that tells.
_WITH_MONITORS = "QEMU"
_OF_MONITOR = api.VIR_DOMAIN_STATS_BALLOON | api.VIR_DOMAIN_STATS_BLOCK
# libvirt's test driver gives the time of day for the CPU time.
_WITHOUT_CPU_TIME = "TEST"

_Facts = dict[str, Any]

# Our names for the counters of the bulk call, behind `net.N.` and `block.N.`.
_NET = {"rx_octets": "rx.bytes", "rx_packets": "rx.pkts", "tx_octets": "tx.bytes", "tx_packets": "tx.pkts"}
_DISK_IO = {
    "read_octets": "rd.bytes",
    "read_requests": "rd.reqs",
    "write_octets": "wr.bytes",
    "write_requests": "wr.reqs",
}
_DISK = {"path": "path", "capacity": "capacity", "allocation": "allocation", **_DISK_IO}
_SOURCES = (
    ("lease", api.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE),
    ("arp", api.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP),
)


def domain_stats(
    connection: RawConnection, raws: list[RawDomain] | None = None, ask: Ask | None = None
) -> list[_Facts]:
    """Return what each domain, or each of `raws`, uses, as `result.domains[]` of `stats` has it, sorted by name.

    Takes half a second where any of them runs. Those that have vanished are left out. `ask` (`Monitors.ask`) asks
    guests of QEMU's each for itself; one that does not answer is `unanswered`, and has no more than others know of it.
    Raises HypervisorError.
    """
    with reading():
        monitored = ask is not None and connection.getType() == _WITH_MONITORS
    shares = _cpu_shares(connection, raws)
    wanted = LISTED | api.VIR_DOMAIN_STATS_INTERFACE | (0 if monitored else api.VIR_DOMAIN_STATS_BLOCK)
    listed = bulk(connection, wanted, raws)
    told: dict[str, _Facts] | None = None
    if monitored and ask is not None:
        off = [raw for raw, _stats in listed if raw.ID() < 0]
        told = ask([str(raw.UUIDString()) for raw, _stats in listed if raw.ID() >= 0], _of_monitor)
        told |= {str(raw.UUIDString()): stats for raw, stats in bulk(connection, _OF_MONITOR, off)} if off else {}
    found = []
    for raw, stats in listed:
        facts = facts_of(raw, stats)
        if facts is None:
            continue
        domain = identity(raw) | facts
        active = domain["id"] is not None
        if active and domain["uuid"] in shares:
            # libvirt counts the hypervisor's own threads as well, which can be more than the guest's CPUs can do.
            domain["cpu_percent"] = min(shares[domain["uuid"]], 100.0 * domain["vcpus"])
        if told is not None and domain["uuid"] not in told:
            found.append(domain | _unanswered(raw, stats))
        else:
            if told is not None:
                stats = _complete(raw, stats | told[domain["uuid"]])
            found.append(domain | _usage(raw, stats, active=active))
    return sorted(found, key=lambda domain: str(domain["name"]))


def _of_monitor(connection: RawConnection, raw: RawDomain) -> _Facts:
    """Return what a guest's monitor tells of it; less where a job of libvirt's has it just now."""
    answer = connection.domainListGetStats([raw], _OF_MONITOR, api.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
    return dict(answer[0][1]) if answer else {}


def _complete(raw: RawDomain, stats: _Facts) -> _Facts:
    """Return the figures of a guest whose monitor may have told a part of them only: it is not asked once more."""
    if "balloon.maximum" not in stats:
        with contextlib.suppress(api.libvirtError):
            stats["balloon.maximum"] = raw.info()[1]
    return {"block.count": 0, "net.count": 0} | stats


def _unanswered(raw: RawDomain, stats: _Facts) -> _Facts:
    """Return what is known of a guest that does not answer."""
    usage: _Facts = {"unanswered": True, "interfaces": [], "disks": [], "addresses": _addresses(raw)}
    if "net.count" in stats:
        usage["interfaces"] = [_counters(stats, prefix, _NET) for prefix in _prefixes(stats, "net")]
    return usage


def _usage(raw: RawDomain, stats: _Facts, *, active: bool) -> _Facts:
    usage = _memory(raw, stats, active=active)
    if "block.count" in stats and ("net.count" in stats or not active):
        devices = None
    else:
        devices = _devices(raw)
    if "net.count" in stats:
        usage["interfaces"] = [_counters(stats, prefix, _NET) for prefix in _prefixes(stats, "net")]
    else:
        usage["interfaces"] = _interfaces(raw, devices) if active else []
    if "block.count" in stats:
        disks = [_counters(stats, prefix, _DISK) for prefix in _prefixes(stats, "block")]
        usage["disks"] = disks if active else [_size(raw, disk["name"]) | disk for disk in disks]
    else:
        usage["disks"] = _disks(raw, devices, active=active)
    usage["addresses"] = _addresses(raw) if active else []
    return usage


# --- CPU --------------------------------------------------------------------------------------------------------------


def _cpu_shares(connection: RawConnection, raws: list[RawDomain] | None) -> dict[str, float]:
    """Return the percentage of one CPU that each running domain used over half a second, by UUID."""
    with reading():
        if connection.getType() == _WITHOUT_CPU_TIME:
            return {}
    before = _cpu_times(connection, raws)
    if not before:
        return {}
    time.sleep(SAMPLE_SECONDS)
    shares = {}
    for uuid, (nanoseconds, at) in _cpu_times(connection, raws).items():
        used = nanoseconds - before.get(uuid, (nanoseconds + 1, 0.0))[0]
        if used >= 0:  # neither begun nor restarted meanwhile
            shares[uuid] = round(100.0 * used * NANOSECOND / (at - before[uuid][1]), 1)
    return shares


def _cpu_times(connection: RawConnection, raws: list[RawDomain] | None) -> dict[str, tuple[int, float]]:
    """Return (nanoseconds of CPU time, time.monotonic() when that was read) of each running domain, by UUID."""
    times = {}
    # Not CPU_TOTAL, for which QEMU's guests are asked; drivers without any of it say how much time went by.
    answers = bulk(connection, api.VIR_DOMAIN_STATS_STATE, raws)
    at = time.monotonic()
    for raw, stats in answers:
        if raw.ID() < 0:
            continue
        if "cpu.time" in stats:
            times[str(raw.UUIDString())] = (int(stats["cpu.time"]), at)
        else:
            with contextlib.suppress(api.libvirtError):
                nanoseconds = int(raw.info()[4])
                times[str(raw.UUIDString())] = (nanoseconds, time.monotonic())
    return times


# --- memory -----------------------------------------------------------------------------------------------------------


def _memory(raw: RawDomain, stats: _Facts, *, active: bool) -> _Facts:
    """Return the most memory it may have and, where it runs, what is resident and what the guest leaves unused.

    In octets.
    """
    known: _Facts = {}
    if "balloon.maximum" in stats:
        known = {key: stats.get(f"balloon.{key}") for key in ("maximum", "rss", "unused")}
    else:
        with contextlib.suppress(api.libvirtError):
            known["maximum"] = raw.info()[1]
        if active:
            with contextlib.suppress(api.libvirtError):
                known |= raw.memoryStats()
    names = {"max_memory": "maximum", "memory_rss": "rss", "memory_unused": "unused"}
    return {ours: int(known[theirs]) * KIB for ours, theirs in names.items() if known.get(theirs) is not None}


# --- network and disks ------------------------------------------------------------------------------------------------


def _prefixes(stats: _Facts, group: str) -> list[str]:
    """Return what stands before the keys of each device that has a name; user-mode interfaces have none on the host."""
    prefixes = [f"{group}.{number}." for number in range(int(stats[f"{group}.count"]))]
    return [prefix for prefix in prefixes if f"{prefix}name" in stats]


def _counters(stats: _Facts, prefix: str, names: dict[str, str]) -> _Facts:
    found = {ours: stats[prefix + theirs] for ours, theirs in names.items() if prefix + theirs in stats}
    return {"name": str(stats[f"{prefix}name"])} | found


def _devices(raw: RawDomain) -> Any:
    """Return the devices of its description; None where it has vanished."""
    with contextlib.suppress(api.libvirtError):
        return etree.fromstring(str(raw.XMLDesc(0)).encode()).find("devices")
    return None


def _named(devices: Any, kind: str) -> list[tuple[str, Any]]:
    """Return (name, element) of each device of a kind that has a name."""
    found = [] if devices is None else [(node.find("target"), node) for node in devices.findall(kind)]
    return [(str(target.get("dev")), node) for target, node in found if target is not None and target.get("dev")]


def _interfaces(raw: RawDomain, devices: Any) -> list[_Facts]:
    found = []
    for name, _node in _named(devices, "interface"):
        counters: _Facts = {}
        with contextlib.suppress(api.libvirtError):
            rx_octets, rx_packets, _errors, _dropped, tx_octets, tx_packets = raw.interfaceStats(name)[:6]
            counters = _known(
                rx_octets=rx_octets,
                rx_packets=rx_packets,
                tx_octets=tx_octets,
                tx_packets=tx_packets,
            )
        found.append({"name": name} | counters)
    return found


def _disks(raw: RawDomain, devices: Any, *, active: bool) -> list[_Facts]:
    found = []
    for name, node in _named(devices, "disk"):
        disk: _Facts = {"name": name}
        source = node.find("source")
        paths = [] if source is None else [source.get(key) for key in ("file", "dev", "name", "dir") if source.get(key)]
        if paths:
            disk["path"] = str(paths[0])
        disk |= _size(raw, name)
        if active:
            with contextlib.suppress(api.libvirtError):
                reads, read, writes, written = raw.blockStats(name)[:4]
                disk |= _known(read_octets=read, read_requests=reads, write_octets=written, write_requests=writes)
        found.append(disk)
    return found


def _size(raw: RawDomain, name: str) -> _Facts:
    """Return how large a disk is and what it takes, in octets."""
    with contextlib.suppress(api.libvirtError):
        capacity, allocation, _physical = raw.blockInfo(name)
        return _known(capacity=capacity, allocation=allocation)
    return {}


def _known(**counters: int) -> _Facts:
    """Return the counters that the driver knows: -1 is libvirt's word for the others."""
    return {name: int(value) for name, value in counters.items() if value >= 0}


# --- addresses --------------------------------------------------------------------------------------------------------


def _addresses(raw: RawDomain) -> list[_Facts]:
    """Return the guest's addresses, from the leases of libvirt's networks or else from the host's ARP table."""
    for source, constant in _SOURCES:
        found: list[_Facts] = []
        with contextlib.suppress(api.libvirtError):
            for interface in (raw.interfaceAddresses(constant, 0) or {}).values():
                mac = {"mac": str(interface["hwaddr"])} if interface.get("hwaddr") else {}
                for address in interface.get("addrs") or []:
                    prefix = {"prefix": int(address["prefix"])} if address.get("prefix") else {}
                    found.append({"address": str(address["addr"]), **prefix, **mac, "source": source})
        if found:
            return found
    return []
