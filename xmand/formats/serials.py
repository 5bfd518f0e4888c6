"""Serial ports, consoles and channels: `serial` has what QEMU calls a device (xl.cfg(5); qemu(1), -serial)."""

import re
from xml.etree.ElementTree import Element

from xman.errors import UsageError
from xmand.formats.boot import HVM
from xmand.formats.context import Context, add

_TCP = re.compile(r"^(tcp|telnet):(\[[0-9a-fA-F:]+\]|[^:,]*):([0-9]{1,5})((?:,[a-z=0-9]+)*)$")
_UDP = re.compile(r"^udp:([^:@,]*):([0-9]{1,5})(?:@([^:,]*):([0-9]{1,5}))?$")
_PATHS = {"file": "file", "pipe": "pipe"}
_THIS_HOST = ("0", "Domain-0", "")


def write(context: Context, devices: Element, made: str, asked: str) -> None:
    """Write <serial> and <console>."""
    settings = context.settings
    if made != HVM:
        add(add(devices, "console", type="pty"), "target", type="xen", port="0")
        settings.words("serial")
        return
    words = [word for word in settings.words("serial") if word not in ("none", "")]
    ports = [word for word in words if _port(Element("serial"), word)]
    for word in words:
        if word not in ports:
            # Without what it says: it may hold anything.
            context.leave_out(f"a serial port of this kind {settings.where('serial')}")
    if not ports and asked != HVM:
        ports = ["pty"]
    for number, word in enumerate(ports):
        port = add(devices, "serial")
        _port(port, word)
        add(port, "target", port=str(number))
        if not number:
            console = add(devices, "console", type=port.get("type", "pty"))
            _port(console, word)
            add(console, "target", type="serial", port="0")


def write_channels(context: Context, devices: Element) -> None:
    """Write <channel> for each of `channel`: `connection=socket,path=/run/x,name=org.example`, or `connection=pty`.

    Elsewhere than on Xen they are virtio's, by the same name, and libvirt says where a socket is.
    """
    where = context.settings.where("channel")
    for word in context.settings.words("channel"):
        with context.going_on():
            pairs = (part.partition("=") for part in word.split(",") if part.strip())
            values = {key.strip(): value.strip() for key, _, value in pairs}
            if values.get("backend") in _THIS_HOST:
                values.pop("backend")
            for key in sorted(values.keys() - {"connection", "path", "name"}):
                context.leave_out(f"a channel's {key[:32]} {where}")
            kind, name = values.get("connection", ""), values.get("name", "")
            path = values.get("path", "") if kind == "socket" else ""  # xl has no use for another one's
            if kind not in ("pty", "socket") or not name or (kind == "socket") != path.startswith("/"):
                raise UsageError(
                    f"A channel is connection=pty,name=NAME or connection=socket,name=NAME,path=/PATH {where}."
                )
            made = add(devices, "channel", type="unix" if kind == "socket" else "pty")
            if path and context.xen:
                add(made, "source", mode="bind", path=path)
            elif path:
                context.leave_out(f"a channel's path, which is libvirt's to choose {where}")
            add(made, "target", type="xen" if context.xen else "virtio", name=name)


def _port(element: Element, word: str) -> bool:
    """Fill in a port; return whether libvirt has its kind."""
    kind, _, rest = word.partition(":")
    if word in ("pty", "null", "stdio", "vc"):
        element.set("type", word)
    elif kind in _PATHS and rest.startswith("/"):
        element.set("type", _PATHS[kind])
        add(element, "source", path=rest)
    elif word.startswith("/dev/"):
        element.set("type", "dev")
        add(element, "source", path=word)
    elif kind == "unix" and rest.startswith("/"):
        path, *options = rest.split(",")
        element.set("type", "unix")
        add(element, "source", mode=_mode(options), path=path)
    elif match := _TCP.match(word):
        options = match[4].split(",")
        element.set("type", "tcp")
        add(element, "source", mode=_mode(options), host=match[2].strip("[]") or "0.0.0.0", service=match[3])  # noqa: S104
        add(element, "protocol", type="telnet" if match[1] == "telnet" else "raw")
    elif match := _UDP.match(word):
        element.set("type", "udp")
        if match[4]:
            add(element, "source", mode="bind", host=match[3] or "0.0.0.0", service=match[4])  # noqa: S104
        add(element, "source", mode="connect", host=match[1] or "127.0.0.1", service=match[2])
    else:
        return False
    return True


def _mode(options: list[str]) -> str:
    on = any(option in ("server", "server=on") for option in options)
    return "bind" if on else "connect"
