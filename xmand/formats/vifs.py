"""Network interfaces: `mac=00:16:3e:00:00:01,bridge=xenbr0` (xm.cfg(5), xl-network-configuration(5))."""

import re
from dataclasses import dataclass

from xman.errors import UsageError

DEFAULT_BRIDGE = "xenbr0"
_MAC = re.compile(r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$")
_NAME = re.compile(r"^[A-Za-z0-9_.:-]{1,15}$")
_MODEL = re.compile(r"^[a-z0-9_-]{1,32}$")
_RATE = re.compile(r"^([0-9]{1,9})([GMK]?)(b|B)/s(?:@[0-9]+[mu]?s)?$")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
# libvirt's names where they are others.
_MODELS = {"virtio-net": "virtio", "virtio-net-pci": "virtio"}
# Understood, and nothing stands for them in libvirt's description.
_LEFT_OUT = ("netdev", "gatewaydev", "devid", "trusted", "hotplug", "accel", "policy", "label")


@dataclass
class Vif:
    """One interface; what was not given is empty."""

    mac: str = ""
    bridge: str = ""
    name: str = ""
    model: str = ""
    addresses: tuple[str, ...] = ()
    # KiB a second, 0 for no limit.
    rate: int = 0
    mtu: int = 0
    backend: str = ""
    left_out: tuple[str, ...] = ()


def parse(text: str, where: str) -> Vif:
    """Return what a word of `vif = [...]` means; an empty one is an interface with all defaults. Raises UsageError."""
    vif = Vif()
    for field in filter(None, (field.strip() for field in text.split(","))):
        key, equals, value = (part.strip() for part in field.partition("="))
        if not equals:
            raise UsageError(f"An interface is described by key=value {where}.")
        _set(vif, key, value, where)
    return vif


def _set(vif: Vif, key: str, value: str, where: str) -> None:
    if key == "script":
        raise UsageError(f"'script' is not taken: it names a program that the host would run {where}.")
    if key == "mac":
        vif.mac = _matching(_MAC, key, value, where).lower()
    elif key == "bridge":
        vif.bridge = _matching(_NAME, key, value, where)
    elif key == "vifname":
        vif.name = _matching(_NAME, key, value, where)
    elif key == "model":
        vif.model = _MODELS.get(value, _matching(_MODEL, key, value, where))
    elif key == "type":
        if value in ("netfront", "vif"):
            vif.model = "netfront"
        elif value != "ioemu":
            raise UsageError(f"'{value[:32]}' is neither ioemu nor vif {where}.")
    elif key == "ip":
        vif.addresses = tuple(value.split())
    elif key == "rate":
        vif.rate = _rate(value, where)
    elif key == "mtu":
        vif.mtu = int(_matching(re.compile(r"^[0-9]{1,5}$"), key, value, where))
    elif key == "backend":
        vif.backend = "" if value in ("0", "Domain-0") else value
    elif key in _LEFT_OUT:
        vif.left_out += (key,)
    else:
        raise UsageError(f"'{key[:32]}' is no key of an interface {where}.")


def _matching(pattern: re.Pattern[str], key: str, value: str, where: str) -> str:
    if not pattern.match(value) or not value.isascii():
        raise UsageError(f"'{value[:32]}' is no {key} of an interface {where}.")
    return value


def _rate(value: str, where: str) -> int:
    """Return KiB a second of xm's 10Mb/s (bits) or 1MB/s (octets), with or without its interval."""
    match = _RATE.match(value)
    if not match:
        raise UsageError(f"'{value[:32]}' is no rate, such as 10Mb/s {where}.")
    octets = int(match[1]) * _UNITS[match[2]] // (8 if match[3] == "b" else 1)
    return max(1, octets // 1024)
