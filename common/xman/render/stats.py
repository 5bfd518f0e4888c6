"""`stats` as `key : value` lines, in the style of `list --long`: memory in MiB, all other sizes in octets."""

from typing import Any

from xman import fields
from xman.fields import Field


def stats(data: dict[str, Any]) -> str:
    """Return the host's block, or a block for each domain with an empty line between them."""
    if "host" in data:
        host = data["host"]
        return _text([*fields.lines(host, fields.labelled("host")), *_devices("pool", host.get("pools", []))])
    shown = fields.of_stats()
    return "\n".join(_text(_domain(domain, shown)) for domain in data["domains"])


def _domain(domain: dict[str, Any], shown: list[Field]) -> list[str]:
    addresses = [fields.LINE % ("address", _address(address)) for address in domain["addresses"]]
    return [
        *fields.lines(domain, shown),
        *addresses,
        *_devices("net", domain["interfaces"]),
        *_devices("disk", domain["disks"]),
    ]


def _devices(kind: str, devices: list[dict[str, Any]]) -> list[str]:
    """Return a line for each fact of each device: `net.vnet0.rx_octets`."""
    return [
        fields.LINE % (f"{kind}.{device['name']}.{key}", fields.plain(value))
        for device in devices
        for key, value in device.items()
        if key != "name"
    ]


def _address(address: dict[str, Any]) -> str:
    prefix = f"/{address['prefix']}" if "prefix" in address else ""
    mac = f" ({address['mac']})" if "mac" in address else ""
    return f"{address['address']}{prefix}{mac}"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
