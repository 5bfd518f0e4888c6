"""`stats` as `key : value` lines, in the style of `list --long`: memory in MiB, all other sizes in octets."""

from typing import Any

from xman.render.domains import FIELD, about_run
from xman.values import MIB

# (key, label), in the order shown; labels are those of `list --long` and `info` where these have them.
_DOMAIN = (
    ("name", "name"),
    ("id", "domid"),
    ("uuid", "uuid"),
    ("state", "state"),
    ("started", "started"),
    ("uptime_seconds", "uptime"),
    ("cpu_seconds", "cpu_time"),
    ("cpu_percent", "cpu_percent"),
    ("vcpus", "vcpus"),
    ("memory", "memory"),
    ("max_memory", "maxmem"),
    ("memory_rss", "memory_rss"),
    ("memory_unused", "memory_unused"),
)
_HOST = (
    ("name", "host"),
    ("nr_cpus", "nr_cpus"),
    ("cpu_percent", "cpu_percent"),
    ("load", "load"),
    ("total_memory", "total_memory"),
    ("free_memory", "free_memory"),
)
_IN_MIB = ("memory", "max_memory", "memory_rss", "memory_unused", "total_memory", "free_memory")


def stats(data: dict[str, Any]) -> str:
    """Return the host's block, or a block for each domain with an empty line between them."""
    if "host" in data:
        host = data["host"]
        return _text(_fields(host, _HOST) + _devices("pool", host.get("pools", [])))
    return "\n".join(_text(_domain(domain)) for domain in data["domains"])


def _domain(domain: dict[str, Any]) -> list[tuple[str, Any]]:
    addresses = [("address", _address(address)) for address in domain["addresses"]]
    return [
        *_fields(domain, _DOMAIN),
        *addresses,
        *_devices("net", domain["interfaces"]),
        *_devices("disk", domain["disks"]),
    ]


def _fields(data: dict[str, Any], keys: tuple[tuple[str, str], ...]) -> list[tuple[str, Any]]:
    return [(label, _value(key, data[key])) for key, label in keys if data.get(key) is not None]


def _devices(kind: str, devices: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return a line for each fact of each device: `net.vnet0.rx_octets`."""
    return [
        (f"{kind}.{device['name']}.{key}", _value(key, value))
        for device in devices
        for key, value in device.items()
        if key != "name"
    ]


def _address(address: dict[str, Any]) -> str:
    prefix = f"/{address['prefix']}" if "prefix" in address else ""
    mac = f" ({address['mac']})" if "mac" in address else ""
    return f"{address['address']}{prefix}{mac}"


def _value(key: str, value: Any) -> Any:
    if key in _IN_MIB:
        return value // MIB
    if key == "load":
        return " ".join(f"{average:.2f}" for average in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return about_run(key, value) if key in ("started", "uptime_seconds") else value


def _text(fields: list[tuple[str, Any]]) -> str:
    return "".join(f"{FIELD % field}\n" for field in fields)
