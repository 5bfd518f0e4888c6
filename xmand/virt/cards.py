"""Addresses of guests' network cards."""

import hashlib
import secrets

from lxml import etree

from xmand.virt.binding import RawConnection, api
from xmand.virt.driver import XEN
from xmand.virt.errors import UNSUPPORTED, code_of, reading

# What QEMU and Xen give to their guests' cards (IEEE's, and XenSource's own).
_PREFIXES = {XEN: (0x00, 0x16, 0x3E)}
_PREFIX = (0x52, 0x54, 0x00)


def new_mac(driver: str) -> str:
    """Return an address by chance, as libvirt's `driver` (`virConnectGetType`) gives them."""
    prefix = _PREFIXES.get(driver, _PREFIX)
    return ":".join(f"{octet:02x}" for octet in (*prefix, *secrets.token_bytes(3)))


def mac_of(name: str, number: int = 0) -> str:
    """Return the address of a card of the domain of that name, the same on every host; `number` counts its cards.

    One of those that nobody sells; of two thousand names any two have the same one once in half a million sites.
    """
    digest = hashlib.sha256(f"xman{name}{f'#{number}' if number else ''}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def fixed(connection: RawConnection) -> dict[str, str]:
    """Return the IP addresses that libvirt's networks give to cards for good, by the card's own.

    None where libvirt has no networks here. Raises HypervisorError.
    """
    found: dict[str, str] = {}
    with reading():
        try:
            texts = [str(network.XMLDesc(0)) for network in connection.listAllNetworks(0)]
        except api.libvirtError as error:
            if code_of(error) in UNSUPPORTED:
                return {}
            raise
    for text in texts:
        for host in etree.fromstring(text.encode()).iterfind("ip/dhcp/host"):
            if host.get("mac") and host.get("ip"):
                found.setdefault(str(host.get("mac")).lower(), str(host.get("ip")))
    return found
