"""Domains as xm showed them: `xm list` byte for byte (xen 3.2, tools/python/xen/xm/main.py)."""

from typing import Any

from xman import times
from xman.values import MIB

_HEADER = "%-40s %5s %5s %5s %10s %9s" % ("Name", "ID", "Mem", "VCPUs", "State", "Time(s)")
_ROW = "%-40s %5s %5d %5d %10s %8.1f"
# `xm info` and ours: a name of 23 columns, a colon, a blank.
FIELD = "%-23s: %s"

# libvirt's states in xm's six letters r b p s c d. xm leaves the columns of a domain that is off empty; libvirt has no
# word for xm's `d` (dying), and its `nostate` is Xen's "runnable, not on a CPU".
_LETTERS = {
    "running": "r-----",
    "blocked": "-b----",
    "paused": "--p---",
    "pmsuspended": "--p---",
    "shutdown": "---s--",
    "crashed": "----c-",
    "nostate": "------",
    "shutoff": "",
}

# Keys of a domain in `list --long`, in the order shown: (key, label).
_LONG = (
    ("name", "name"),
    ("id", "domid"),
    ("uuid", "uuid"),
    ("state", "state"),
    ("reason", "reason"),
    ("paused_by", "paused_by"),
    ("disk_errors", "disk_errors"),
    ("since", "since"),
    ("started", "started"),
    ("uptime_seconds", "uptime"),
    ("memory", "memory"),
    ("max_memory", "maxmem"),
    ("vcpus", "vcpus"),
    ("max_vcpus", "max_vcpus"),
    ("cpu_seconds", "cpu_time"),
    ("persistent", "persistent"),
    ("autostart", "autostart"),
    ("labels", "labels"),
    ("host", "host"),
)


def listing(data: dict[str, Any]) -> str:
    """Return `list`, in columns or, with `--long`, as `key : value` blocks."""
    if data.get("long"):
        return long_listing(data["domains"])
    if data.get("whole", True):
        return table(data["domains"])
    # One change of many: no columns' names, and what is no more.
    rows = [_row(domain) for domain in data["domains"]] + [f"{gone['name']:<40} gone" for gone in data.get("gone", ())]
    return "".join(f"{row}\n" for row in rows)


def table(domains: list[dict[str, Any]], hosts: bool = False) -> str:
    """Return xm's columns for `domains`; with `hosts`, their `host` as the last column, so that `$1` stays the name."""
    lines = [_HEADER + (" Host" if hosts else "")]
    for domain in domains:
        lines.append(_row(domain) + (f"  {domain['host']}" if hosts else ""))
    return "".join(f"{line}\n" for line in lines)


def _row(domain: dict[str, Any]) -> str:
    identifier = "" if domain["id"] is None else str(domain["id"])
    memory = domain["memory"] // MIB
    return _ROW % (domain["name"], identifier, memory, domain["vcpus"], letters(domain), domain["cpu_seconds"])


def letters(domain: dict[str, Any]) -> str:
    """Return a domain's state in xm's letters."""
    return _LETTERS.get(domain["state"], "------") if domain["id"] is not None else ""


def long_listing(domains: list[dict[str, Any]]) -> str:
    """Return a block of `key : value` lines for each of `domains`, with an empty line between them."""
    blocks = []
    for domain in domains:
        lines = [FIELD % (label, _value(key, domain[key])) for key, label in _LONG if domain.get(key) is not None]
        blocks.append("".join(f"{line}\n" for line in lines))
    return "\n".join(blocks)


def labels(data: dict[str, Any]) -> str:
    """Return `label`: a line for each that the domain has, or would have."""
    return "".join(f"{key}={value}\n" for key, value in data["labels"].items())


def reached(data: dict[str, Any]) -> str:
    """Return `wait`: one line with the state reached and how long that took."""
    return f"{data['name']} is {data['state']} after {data['seconds']:.1f} s\n"


def about_run(key: str, value: Any) -> str:
    """Return what a field about a domain's run says to a person; of other fields their text."""
    if key in ("since", "started"):
        return times.local(value)
    if key == "uptime_seconds":
        return times.span(value)
    return str(value)


def _value(key: str, value: Any) -> str:
    if key in ("memory", "max_memory"):
        return str(value // MIB)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "labels":
        return " ".join(f"{name}={word}" for name, word in value.items())
    if key == "disk_errors":
        return ", ".join(f"{each['disk']}: {each['error']}" for each in value)
    return about_run(key, value)
