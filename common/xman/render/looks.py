"""What xm's own ways to look print: uptime, vcpu-list, network-list, block-list (xen, tools/python/xen/xm/main.py).

And what there is of the same kind since: snapshot-list.
"""

from typing import Any

from xman import times, values
from xman.values import MIB, ranges

_UPTIME_HEADER = "%-33s %4s %s " % ("Name", "ID", "Uptime")
_VCPU_HEADER = "%-32s %5s %5s %5s %5s %9s %s" % ("Name", "ID", "VCPU", "CPU", "State", "Time(s)", "CPU Affinity")
_NETWORK_HEADER = "Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path"
_BLOCK_HEADER = "Vdev  BE handle state evt-ch ring-ref BE-path"
_IMAGE = "%-40s %10s %-6s %-16s %s"
_SNAPSHOT = "%-32s %-24s %-8s %-32s %s"
# xenbus: connected.
_CONNECTED = 4
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LETTERS = {"running": "r--", "blocked": "-b-", "offline": "--p"}


def uptime(data: dict[str, Any]) -> str:
    """Return `uptime`: xm's columns."""
    lines = [_UPTIME_HEADER]
    for domain in data["domains"]:
        identifier = "" if domain["id"] is None else domain["id"]
        lines.append("%-32s %5s %s" % (domain["name"], identifier, _span(domain.get("uptime_seconds", 0))))
    return "".join(f"{line}\n" for line in lines)


def _span(seconds: int) -> str:
    days, rest = divmod(int(seconds), _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, left = divmod(rest, _MINUTE)
    words = f"{days} day{'s' if days > 1 else ''}, " if days else ""
    return f"{words}{hours:2d}:{minutes:02d}:{left:02d}"


def vcpus(data: dict[str, Any]) -> str:
    """Return `vcpu-list`: a line for each virtual CPU."""
    lines = [_VCPU_HEADER]
    for domain in data["domains"]:
        identifier = "" if domain["id"] is None else str(domain["id"])
        for one in domain["vcpu"]:
            on = str(one.get("cpu", "-"))
            row = "%-32s %5s %5d %5s %5s  %8.1f %s" % (
                domain["name"],
                identifier,
                one["number"],
                on,
                _LETTERS.get(one.get("state", "offline"), "--p"),
                one.get("cpu_seconds", 0.0),
                ranges(one["affinity"]) or "no cpus",
            )
            lines.append(row)
    return "".join(f"{line}\n" for line in lines)


def network(data: dict[str, Any]) -> str:
    """Return `network-list`; what only Xen has is 0 and -1, and BE-path is what the interface is on."""
    if not data["interfaces"]:
        return ""
    lines = [_NETWORK_HEADER]
    for index, one in enumerate(data["interfaces"]):
        where = one.get("device") or one.get("source") or "??"
        row = "%-3d %-3d%-17s    %-3d   %-3d    %-3d   %-5d/%-5d   %-30s  " % (
            index,
            0,
            one.get("mac", "??"),
            index,
            _CONNECTED if data["id"] is not None else 1,
            -1,
            -1,
            -1,
            where,
        )
        lines.append(row.rstrip())
    return "".join(f"{line}\n" for line in lines)


def block(data: dict[str, Any]) -> str:
    """Return `block-list`, the guest's name in place of Xen's number; BE-path is the host's file or device."""
    if not data["disks"]:
        return ""
    lines = [_BLOCK_HEADER]
    for one in data["disks"]:
        state = _CONNECTED if data["id"] is not None else 1
        row = "%-5s  %-3d  %-3d   %-3d    %-3d    %-5d %-30s  " % (
            one["target"],
            0,
            0,
            state,
            -1,
            -1,
            one.get("source", "??"),
        )
        lines.append(row.rstrip())
    return "".join(f"{line}\n" for line in lines)


def snapshots(data: dict[str, Any]) -> str:
    """Return `snapshot-list`: a line for each, a star behind the one that the domain goes on from."""
    lines = [_SNAPSHOT % ("Name", "Created", "State", "Parent", "Description")]
    for one in data["snapshots"]:
        name = f"{one['snapshot']}{'*' if one['current'] else ''}"
        outside = "(external) " if one["kind"] == "external" else ""
        about = f"{outside}{one.get('description', '')}".strip() or "-"
        lines.append(_SNAPSHOT % (name, times.local(one["created"]), one["state"], one.get("parent", "-"), about))
    return "".join(f"{line}\n" for line in lines)


def images(data: dict[str, Any]) -> str:
    """Return `images`: a line for each, and what the caller has of what he may have."""
    lines = [_IMAGE % ("Name", "Size(MiB)", "Format", "Pool", "Title")]
    for one in data["images"]:
        size = str(one["capacity"] // MIB)
        lines.append(_IMAGE % (one["image"], size, one["format"], one["pool"], one.get("title", "-")))
    return "".join(f"{line}\n" for line in lines)


def macs(data: dict[str, Any]) -> str:
    """Return `macs`: a line for each card, as dnsmasq's dhcp-hostsfile has it."""
    return "".join(f"{line}\n" for line in map(card, data["cards"]))


def card(one: dict[str, Any]) -> str:
    """Return the line of one card: its address, the IP address where it has a fixed one, and a name that can be one."""
    name = one["name"] if values.is_host_name(one["name"]) else ""
    return ",".join(part for part in (one["mac"], one.get("ip", ""), name) if part)
