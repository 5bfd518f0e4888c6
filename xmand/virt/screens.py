"""A domain's screens: which there are and where they listen, a picture of one, and the octets of VNC from and to it."""

import contextlib
import ipaddress
import socket
from typing import NamedTuple

from lxml import etree

from xman.errors import HypervisorError, RefusedError, UnsupportedError
from xmand.virt.binding import api
from xmand.virt.domain import Domain
from xmand.virt.driver import CONSOLE, Driver
from xmand.virt.errors import reading

VNC = "vnc"
_CHUNK = 65_536
# What a picture may have: more than any screen that libvirt's drivers have.
MOST_PICTURE = 40 * 1024 * 1024


class Screen(NamedTuple):
    """One of a description's `<graphics>`: its kind, and the addresses with ports (0: none yet) where it listens."""

    kind: str
    listens: tuple[tuple[str, int], ...]


def screens(description: str) -> list[Screen]:
    """Return those of a libvirt description, in its order."""
    found = etree.fromstring(description.encode())
    return [Screen(element.get("type", ""), tuple(_listens(element))) for element in found.iterfind("devices/graphics")]


def open_to_network(found: list[Screen]) -> list[str]:
    """Return what of `screens` others than this host can reach, as `vnc 0.0.0.0:5900`."""
    return [
        f"{screen.kind} {f'[{address}]' if ':' in address else address}" + (f":{port}" if port else "")
        for screen in found
        for address, port in screen.listens
        if not _loopback(address)
    ]


def _listens(element: etree._Element) -> list[tuple[str, int]]:
    ports = [int(element.get(name, "0")) for name in ("port", "tlsPort", "websocket") if element.get(name)]
    # -1: libvirt chooses at the start.
    ports = [port for port in ports if port > 0] or [0]
    listens = element.findall("listen")
    if not listens and element.get("socket") is None and element.get("port") is not None:
        return [(element.get("listen", "127.0.0.1"), port) for port in ports]
    addresses = [
        # One that a network gives is known while it runs only.
        each.get("address", "127.0.0.1" if each.get("type") == "address" else f"network {each.get('network', '')}")
        for each in listens
        if each.get("type") in ("address", "network")
    ]
    return [(address, port) for address in addresses for port in ports]


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def picture(driver: Driver, domain: Domain) -> tuple[str, bytes]:
    """Return the MIME type and the octets of a picture of a domain's screen.

    Raises RefusedError where it is off, UnsupportedError where it has no screen, HypervisorError.
    """
    connection, taken = driver.connection(CONSOLE), bytearray()
    with reading(domain.name):
        raw = connection.lookupByUUIDString(domain.uuid)
        if not raw.isActive():
            raise RefusedError(f"Domain '{domain.name}' is not running.")
        # Of the others, one has a picture of none, and one says itself that it cannot.
        if (domain.on_qemu() or domain.container()) and "<video" not in domain.description():
            raise _no_screen(domain.name)
        stream = connection.newStream(0)
        try:
            kind = str(raw.screenshot(stream, 0, 0))
            while data := stream.recv(_CHUNK):
                taken += data
                if len(taken) > MOST_PICTURE:
                    raise HypervisorError(f"The picture is larger than {MOST_PICTURE >> 20} MiB.")
            stream.finish()
        except BaseException:
            with contextlib.suppress(api.libvirtError):
                stream.abort()
            raise
    return kind, bytes(taken)


def _no_screen(name: str) -> UnsupportedError:
    return UnsupportedError(f"Domain '{name}' has no screen; its description needs <graphics type='vnc'/>.")


def open_vnc(driver: Driver, domain: Domain) -> socket.socket:
    """Return a connection to the VNC server of a domain's first VNC screen; it asks for no password.

    Who may have it was decided before. It needs no listener, and lasts when libvirt is lost. Raises RefusedError where
    the domain is off, UnsupportedError where it has no such screen, HypervisorError.
    """
    found = screens(domain.description())
    connection = driver.connection(CONSOLE)
    with reading(domain.name):
        raw = connection.lookupByUUIDString(domain.uuid)
        if not raw.isActive():
            raise RefusedError(f"Domain '{domain.name}' is not running.")
        if not found:
            raise _no_screen(domain.name)
        index = next((at for at, screen in enumerate(found) if screen.kind == VNC), None)
        if index is None:
            raise UnsupportedError(
                f"The screen of domain '{domain.name}' is of the kind '{found[0].kind}'; only vnc can be opened."
            )
        descriptor = raw.openGraphicsFD(index, api.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=int(descriptor))
