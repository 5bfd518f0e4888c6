"""Network interfaces: `mac=00:16:3e:00:00:01,bridge=xenbr0` (xm.cfg(5), xl-network-configuration(5))."""

import posixpath
import re
from dataclasses import dataclass

from xman.errors import UsageError

DEFAULT_BRIDGE = "xenbr0"
# The script that both programs run where none is named.
DEFAULT_SCRIPT = "vif-bridge"
OPENVSWITCH_SCRIPT = "vif-openvswitch"
NETFRONT = "netfront"
# How names begin that libvirt takes for its own, and drops: another is made at each start.
LIBVIRTS_NAMES = ("vnet", "macvtap", "macvlan")
LIBVIRTS_XEN_NAMES = (*LIBVIRTS_NAMES, "vif")
# What both programs made up, and say in `xm list --long`.
MADE_UP = re.compile(r"^vif[0-9]+\.[0-9]+$")
_MAC = re.compile(r"^[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2}){5}$")
_NAME = re.compile(r"^[A-Za-z0-9_.:-]{1,15}$")
# A bridge of Open vSwitch's, its VLAN and its trunks, as vif-openvswitch takes them apart: ovsbr0.10:20:30.
_SWITCHED = re.compile(r"^([A-Za-z0-9_-]{1,15})(?:\.([0-9]{1,4}))?((?::[0-9]{1,4})*)$")
_MODEL = re.compile(r"^[a-z0-9_-]{1,32}$")
_RATE = re.compile(r"^([0-9]{1,9})([GMK]?)(b|B)/s(?:@[0-9]+[mu]?s)?$")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
# libvirt's names on QEMU, where they are others; for Xen libvirt hands over what it is given.
QEMUS_MODELS = {"virtio-net": "virtio", "virtio-net-pci": "virtio"}
# Said in `xm list --long` of an interface that is there already.
_RUN_TIME = ("uuid", "location", "other_config", "handle", "protocol")


@dataclass
class Vif:
    """One interface; what was not given is empty."""

    mac: str = ""
    bridge: str = ""
    name: str = ""
    model: str = ""
    # Whether only Xen's own card is there, and no emulated one, whatever `model` says.
    paravirtual: bool = False
    # The host's script, where it is not the one that runs anyway.
    script: str = ""
    addresses: tuple[str, ...] = ()
    # KiB a second, 0 for no limit.
    rate: int = 0
    mtu: int = 0
    vlan: str = ""
    trunks: tuple[str, ...] = ()
    backend: str = ""
    left_out: tuple[str, ...] = ()


def parse(text: str, where: str, *, xls: bool) -> Vif:
    """Return what a word of `vif = [...]` means; an empty one is an interface with all defaults. Raises UsageError.

    xl passes over what is no key=value, with a word; xm refuses it.
    """
    vif = Vif()
    for field in filter(None, (field.strip() for field in text.split(","))):
        key, equals, value = (part.strip() for part in field.partition("="))
        if field == "trusted":  # what holds without being said
            continue
        if field == "untrusted":
            vif.left_out += (field,)
            continue
        if not equals and xls:
            vif.left_out += (field[:32],)
            continue
        if not equals:
            raise UsageError(f"An interface is described by key=value {where}.")
        _set(vif, key, value, where)
    if vif.bridge:
        _settle_bridge(vif, where)
    return vif


def _settle_bridge(vif: Vif, where: str) -> None:
    """Take the VLANs out of the name of a switch; elsewhere such signs are a part of a bridge's name."""
    switched = _SWITCHED.match(vif.bridge) if posixpath.basename(vif.script) == OPENVSWITCH_SCRIPT else None
    if switched is None:
        _matching(_NAME, "bridge", vif.bridge, where)
        return
    vif.bridge, vif.vlan = switched[1], vif.vlan or switched[2] or ""
    vif.trunks = tuple(filter(None, switched[3].split(":")))


def _set(vif: Vif, key: str, value: str, where: str) -> None:
    if key == "script":
        name = posixpath.basename(value)
        vif.script = "" if name in ("", DEFAULT_SCRIPT) else value
    elif key == "mac":
        vif.mac = _mac(value, where)
    elif key == "bridge":
        vif.bridge = value
    elif key == "vifname":
        vif.name = _matching(_NAME, key, value, where)
    elif key == "model":
        vif.model = _matching(_MODEL, key, value, where)
    elif key == "type":
        if value not in (NETFRONT, "vif", "ioemu", ""):
            raise UsageError(f"'{value[:32]}' is neither ioemu nor vif {where}.")
        vif.paravirtual = value in (NETFRONT, "vif")
    elif key == "ip":
        vif.addresses = tuple(value.split())
    elif key == "rate":
        vif.rate = _rate(value, where)
    elif key == "mtu":
        vif.mtu = int(_matching(re.compile(r"^[0-9]{1,5}$"), key, value, where))
    elif key == "vlan":
        vif.vlan = value
    elif key == "backend":
        vif.backend = "" if value in ("0", "Domain-0") else value
    elif key not in _RUN_TIME:
        # xl ignores what it does not know, with a word.
        vif.left_out += (key[:32],)


def _mac(value: str, where: str) -> str:
    """Return an address as libvirt writes it; xl takes 0:16:3e:1:2:3 and dashes as well."""
    octets = re.split("[:-]", _matching(_MAC, "mac", value, where).lower())
    if int(octets[0], 16) & 1:
        raise UsageError(f"'{value[:32]}' is an address of several interfaces (multicast), and of none alone {where}.")
    return ":".join(octet.rjust(2, "0") for octet in octets)


def _matching(pattern: re.Pattern[str], key: str, value: str, where: str) -> str:
    if not pattern.match(value) or not value.isascii():
        raise UsageError(f"'{value[:32]}' is not a valid {key} of an interface {where}.")
    return value


def _rate(value: str, where: str) -> int:
    """Return KiB a second of xm's 10Mb/s (bits) or 1MB/s (octets), with or without its interval."""
    match = _RATE.match(value)
    if not match:
        raise UsageError(f"'{value[:32]}' is not a rate, such as 10Mb/s {where}.")
    octets = int(match[1]) * _UNITS[match[2]] // (8 if match[3] == "b" else 1)
    return max(1, octets // 1024)
