"""Addresses of guests' network cards."""

import hashlib
import secrets

from xmand.virt.driver import XEN

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
