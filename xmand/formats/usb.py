"""USB: pointers, controllers of Xen's own, and the host's devices: usbdevice, usbctrl, usbdev (xl.cfg(5))."""

import re
from xml.etree.ElementTree import Element

from xman.errors import UnsupportedError, UsageError
from xmand.formats.context import Context, add
from xmand.formats.keyvalues import whole

_INPUTS = ("tablet", "mouse", "keyboard")
# What libvirt's driver for Xen starts a guest with.
_XENS_INPUTS = ("tablet", "mouse")
_BY_PLACE = re.compile(r"^host:([0-9]{1,3})\.([0-9]{1,3})$")
_BY_KIND = re.compile(r"^host:(?:0x)?([0-9a-fA-F]{1,4}):(?:0x)?([0-9a-fA-F]{1,4})$")
_QUSB = {"1": "qusb1", "2": "qusb2"}
_USUAL_PORTS = 8


def write(context: Context, devices: Element) -> None:
    """Write <input>, <controller> and <hostdev>. Raises nothing: what is refused is remembered."""
    settings = context.settings
    settings.get("usb")  # libvirt adds the controller by itself
    for key, one in (("usbctrl", _controller), ("usbdevice", _device), ("usbdev", _hosts)):
        with context.going_on():
            for word in settings.words(key):
                with context.going_on():
                    one(context, devices, word.strip())


def _device(context: Context, devices: Element, word: str) -> None:
    """Write what QEMU calls a USB device: a pointer, or one of the host's."""
    where = context.settings.where("usbdevice")
    if word.startswith("host:"):
        by_place, by_kind = _BY_PLACE.match(word), _BY_KIND.match(word)
        if by_place:
            _hostdev(context, devices, int(by_place[1]), int(by_place[2]))
        elif by_kind and not context.xen:
            source = add(_subsystem(devices, "yes"), "source")
            for tag, number in (("vendor", by_kind[1]), ("product", by_kind[2])):
                add(source, tag, id=f"0x{int(number, 16):04x}")
        elif by_kind:
            raise UnsupportedError(
                f"'usbdevice': libvirt's driver for Xen takes the host's USB devices by their place only: write"
                f" usbdev = ['hostbus=1,hostaddr=2'], by lsusb {where}."
            )
        else:
            raise UsageError(f"A USB device of the host's is host:BUS.ADDRESS or host:VENDOR:PRODUCT {where}.")
    elif word in _INPUTS and context.xen and word not in _XENS_INPUTS:
        context.leave_out(f"a USB {word}, which libvirt's driver for Xen does not start a guest with {where}")
    elif word in _INPUTS:
        add(devices, "input", type=word, bus="usb")
    elif word:
        context.leave_out(f"a USB device that is none of {', '.join(_INPUTS)} {where}")


def _hosts(context: Context, devices: Element, word: str) -> None:
    """Write xl's `hostbus=1,hostaddr=3`; on which controller and port is Xen's to choose."""
    where = context.settings.where("usbdev")
    values = _values(word)
    for key in sorted(values.keys() - {"type", "hostbus", "hostaddr"}):
        context.leave_out(f"a USB device's {key[:32]} {where}")
    bus, address = whole(values.get("hostbus", "")), whole(values.get("hostaddr", ""))
    if not bus or not address or values.get("type", "hostdev") != "hostdev":
        raise UsageError(f"A USB device of the host's is hostbus=N,hostaddr=N {where}.")
    _hostdev(context, devices, bus, address)


def _controller(context: Context, devices: Element, word: str) -> None:
    """Write xl's `type=qusb,version=2,ports=8`; of emulated ones libvirt adds those that are needed."""
    where = context.settings.where("usbctrl")
    values = _values(word)
    for key in sorted(values.keys() - {"type", "version", "ports"}):
        context.leave_out(f"a USB controller's {key[:32]} {where}")
    if not context.xen or values.get("type") == "devicemodel":
        context.leave_out(f"a USB controller, of which libvirt adds what is needed {where}")
        return
    version, ports = values.get("version", "2"), whole(values.get("ports", str(_USUAL_PORTS)))
    if version not in _QUSB or not ports or values.get("type", "auto") not in ("auto", "pv", "qusb"):
        raise UsageError(f"A USB controller is type=qusb,version=1 or 2,ports=N {where}.")
    # Its index is what others are plugged into by.
    index = sum(1 for one in devices.iterfind("controller") if one.get("type") == "usb")
    add(devices, "controller", type="usb", index=str(index), model=_QUSB[version], ports=str(ports))


def _hostdev(context: Context, devices: Element, bus: int, address: int) -> None:
    source = add(_subsystem(devices, "no" if context.xen else "yes"), "source")
    add(source, "address", bus=str(bus), device=str(address))


def _subsystem(devices: Element, managed: str) -> Element:
    return add(devices, "hostdev", mode="subsystem", type="usb", managed=managed)


def _values(word: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in word.split(",") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}
