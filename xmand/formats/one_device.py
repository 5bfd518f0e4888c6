"""One disk or network interface by xm's and xl's words, for a domain that is there already."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from xman.errors import UsageError
from xmand.formats import boot, devices, disks
from xmand.formats.context import Context
from xmand.formats.keyvalues import Settings

_NETWORK = "network="


@dataclass(frozen=True)
class Device:
    """libvirt's XML of it, and what a person is to be told."""

    xml: str
    notes: tuple[str, ...]


def disk(driver: str, words: list[str], *, hvm: bool) -> Device:
    """Return the disk that `uname`, `dev` and `mode` are, or the parts of xl's word for one.

    `driver` is libvirt's name of the host's; `hvm` whether the guest has a machine's devices. Raises UsageError and
    UnsupportedError.
    """
    text = ",".join(words)
    if len(words) == 2 and disks.is_device(words[1]):
        text += ",w"
    return _only(driver, "disk", text, hvm, hvm)


def interface(driver: str, words: list[str], *, hvm: bool) -> Device:
    """Return the interface that the KEY=VALUE words are: xm's, or `network=` for one of libvirt's networks.

    Where they name no model it is virtio's, but on Xen. Raises UsageError and UnsupportedError.
    """
    networks = [word.removeprefix(_NETWORK) for word in words if word.startswith(_NETWORK)]
    rest = [word for word in words if not word.startswith(_NETWORK)]
    keys = [word.partition("=")[0] for word in rest]
    if len(networks) > 1 or len(set(keys)) < len(keys):
        raise UsageError("A KEY is given twice.")
    if networks and ("bridge" in keys or "script" in keys or not networks[0]):
        raise UsageError("An interface is on a bridge (bridge=NAME) or on one of libvirt's networks (network=NAME).")
    if not networks and "bridge" not in keys and driver != "Xen":
        raise UsageError("Say where it leads to: bridge=NAME for a bridge of the host's, or network=NAME.")
    text = ",".join([*rest, "bridge=xman0"] if networks else rest)
    found = _only(driver, "vif", text, hvm, False)
    if not networks:
        return found
    return Device(found.xml.replace('type="bridge"', 'type="network"', 1).replace(*_sources(networks[0])), found.notes)


def _sources(network: str) -> tuple[str, str]:
    bridged, networked = Element("source", bridge="xman0"), Element("source", network=network)
    return tostring(bridged, "unicode"), tostring(networked, "unicode")


def _only(driver: str, key: str, text: str, hvm: bool, asked_hvm: bool) -> Device:
    settings = Settings()
    settings.put(key, [text], 0)
    context, holder = Context(settings, driver, convert=True), Element("devices")
    kind, asked = boot.HVM if hvm else boot.PV, boot.HVM if asked_hvm else boot.PV
    (devices.write_disks if key == "disk" else devices.write_interfaces)(context, holder, asked, kind)
    context.require_nothing_refused()
    (made,) = holder
    return Device(tostring(made, "unicode"), tuple(context.warnings))
